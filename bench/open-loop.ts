/** Requests at their own rate, whether the last was answered or not: what somebody waits when the service is not at its limit. */

export interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
}

const TICK_MS = 2;

/** @param send resolves with what it took, in ms. @returns those of all requests */
export async function latenciesAtRate({ perSecond, seconds }: Pace, send: () => Promise<number>): Promise<number[]> {
  const sent: Promise<number>[] = [];
  const start = performance.now();
  for (let now = start; now - start < seconds * 1_000; now = performance.now()) {
    while (sent.length < ((now - start) / 1_000) * perSecond) sent.push(send());
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  return Promise.all(sent);
}
