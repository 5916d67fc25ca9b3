/** Page views at their own rate, whether the last was answered or not: what a visitor waits when the service is not at its limit. */
import { Agent, request } from "node:http";

export interface OpenLoop {
  /** http://host:port */
  readonly to: string;
  readonly tenants: number;
  readonly visitors: number;
  readonly perSecond: number;
  readonly seconds: number;
}

/** More would wait in our own agent, not in the service. */
const SOCKETS_MAX = 256;
const TICK_MS = 2;

/** @returns ms from sending to the whole answer, one a view. @throws Error when an answer is not 200 */
export async function latenciesAtRate({ to, tenants, visitors, perSecond, seconds }: OpenLoop): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const views: Promise<number>[] = [];
  const start = performance.now();
  try {
    for (let now = start; now - start < seconds * 1_000; now = performance.now()) {
      while (views.length < ((now - start) / 1_000) * perSecond) {
        const tenant = Math.floor(Math.random() * tenants);
        views.push(view(agent, to, bodyOf(tenant, Math.floor(Math.random() * visitors))));
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    return await Promise.all(views);
  } finally {
    agent.destroy();
  }
}

/** Ids and numbers as bench/tenants.ts makes them. */
function bodyOf(tenant: number, visitor: number): string {
  const url = "https://www.example.com/landing?utm_source=google&utm_medium=cpc&gclid=EAIaIQobChMI0000000000";
  return JSON.stringify({
    tag_key: `tag_${tenant}`,
    visitor_id: `vis_bench${String(tenant).padStart(6, "0")}x${String(visitor).padStart(10, "0")}`,
    numbers: [`+1800${5_550_000 + tenant}`],
    page: { url, referrer: "https://www.google.com/", visible: true },
  });
}

function view(agent: Agent, to: string, body: string): Promise<number> {
  const sent = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "text/plain", "content-length": Buffer.byteLength(body) };
    const asked = request(`${to}/v1/presentations`, { agent, method: "POST", headers }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`A page was answered with ${answer.statusCode}.`));
      answer
        .resume()
        .once("end", () => resolve(performance.now() - sent))
        .once("error", reject);
    });
    asked.once("error", reject).end(body);
  });
}
