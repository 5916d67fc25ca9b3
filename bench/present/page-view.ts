/** One page view over HTTP, as bench/tenants.ts makes tenants and visitors: for measuring what a visitor waits. */
import { type Agent, request } from "node:http";

/** @returns ms from sending to the whole answer. @throws Error when it is not 200 */
export function viewPage(
  agent: Agent,
  { to, tenant, visitor }: { readonly to: string; readonly tenant: number; readonly visitor: number },
): Promise<number> {
  const body = bodyOf(tenant, visitor);
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

function bodyOf(tenant: number, visitor: number): string {
  const url = "https://www.example.com/landing?utm_source=google&utm_medium=cpc&gclid=EAIaIQobChMI0000000000";
  return JSON.stringify({
    tag_key: `tag_${tenant}`,
    visitor_id: `vis_bench${String(tenant).padStart(6, "0")}x${String(visitor).padStart(10, "0")}`,
    numbers: [`+1800${5_550_000 + tenant}`],
    page: { url, referrer: "https://www.google.com/", visible: true },
  });
}
