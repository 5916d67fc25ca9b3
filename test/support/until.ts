/** Waits for something another part does in its own time, by looking again; for what announces itself, wait on the event instead. */

const LOOK_EVERY_MS = 10;
const GIVE_UP_MS = 20_000;

/** @returns the first result that is neither null, undefined nor false. @throws when that never comes, naming `what` */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs: number = GIVE_UP_MS,
): Promise<NonNullable<T>> {
  for (const giveUpAt = performance.now() + withinMs; ; ) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > giveUpAt) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
