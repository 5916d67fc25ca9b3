/** Sets a running service up through its HTTP API: one business, its promo numbers in one pool, each presented to a visitor of its own. */

const DESTINATION = "+18005550100";
/** The longest that is allowed: no number is free again, and no presentation too old, while calls come. */
const LOCK_S = 259_200;
/** As a browser's many: enough that they are presented in batches. */
const VISITORS_AT_ONCE = 50;

export interface SeedInput {
  readonly http: string;
  readonly adminKey: string;
  readonly business: string;
  readonly numbers: readonly string[];
}

/** @returns the account's id @throws Error when a number was presented to nobody or to two */
export async function presentAll({ http, adminKey, business, numbers }: SeedInput): Promise<string> {
  const send = async (method: string, path: string, body: object): Promise<Record<string, unknown>> => {
    const response = await fetch(http + path, {
      method,
      headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  await send("PUT", "/v1/trunks/loopback", { source_cidrs: ["127.0.0.0/8"], max_cps: null, max_calls: null });
  const account = await send("POST", "/v1/accounts", { name: "Bench" });
  const accountId = String(account["id"]);
  await send("POST", "/v1/numbers", { numbers });
  await send("POST", "/v1/destinations", { account_id: accountId, number: DESTINATION, sip_uri: business });
  await send("POST", "/v1/pools", {
    ...{ account_id: accountId, name: "Bench", kind: "automatic", destination_number: DESTINATION },
    ...{ max_size: numbers.length, fill_immediately: true, overflow: "original_number", session_lifetime_s: LOCK_S },
  });
  const presented = new Set<string>();
  const present = async (): Promise<void> => {
    const page = { url: "https://www.example.com/?utm_source=google&utm_medium=cpc&gclid=EAIaIQobChMI0000000000" };
    const body = { tag_key: account["tag_key"], numbers: [DESTINATION], page };
    const answer = await send("POST", "/v1/presentations", body);
    for (const { promo_number } of answer["presentations"] as { promo_number: string | null }[])
      if (promo_number !== null) presented.add(promo_number);
  };
  for (let from = 0; from < numbers.length; from += VISITORS_AT_ONCE)
    await Promise.all(numbers.slice(from, from + VISITORS_AT_ONCE).map(present));
  if (numbers.some((number) => !presented.has(number)))
    throw new Error(`Of ${numbers.length} promo numbers ${presented.size} were presented.`);
  return accountId;
}
