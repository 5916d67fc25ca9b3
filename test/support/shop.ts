/** A carrier to buy from and what buys there: the parts of the service, with carriers' HTTP faked. */
import { putCredential } from "../../src/account/carrier-credentials.store.js";
import type { Database } from "../../src/db/database.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import type { BuyDeps } from "../../src/pool/buy-numbers.js";
import { createCarriers } from "../../src/pool/carrier-inventory/carriers.js";
import { ACCOUNT_SID, AUTH_TOKEN, type FakeTwilio } from "./fake-twilio.js";
import { rows } from "./database.js";
import { ids, secrets } from "./world.js";

export const PUBLIC_BASE_URL = "https://calls.example.com";

export function shopOf(db: Database, twilioApiUrl: string, changes: Partial<BuyDeps> = {}): BuyDeps {
  const carriers = createCarriers({
    db,
    secrets,
    clock: systemClock,
    twilioApiUrl,
    defaultCarrier: "twilio",
    allowsSimulated: true,
  });
  const bases = { publicBaseUrl: PUBLIC_BASE_URL, fallbackBaseUrl: null };
  return { db, ids, carriers, clock: systemClock, log: silentLog, ...bases, ...changes };
}

/** The platform's Twilio credential, or an account's. */
export async function putTwilio(db: Database, accountId: string | null = null): Promise<string> {
  return putCredential(
    { db, ids, secrets },
    {
      carrier: "twilio",
      accountId,
      secrets: { account_sid: ACCOUNT_SID, auth_tokens: [AUTH_TOKEN] },
      intercept: "reject",
    },
  );
}

/** Every wait of every order is over, and whoever worked on one is taken for dead. */
export async function passTime(db: Database): Promise<void> {
  await rows(db, "update number_order_item set next_attempt_at = now() - interval '1 second'");
  await rows(
    db,
    "update number_order set next_run_at = now() - interval '1 second', lease_until = '-infinity' where next_run_at is not null",
  );
}

export async function ourNumbers(db: Database): Promise<Map<string, string>> {
  const found = await rows<{ e164: string; state: string }>(db, "select e164, state from promo_number order by e164");
  return new Map(found.map(({ e164, state }) => [e164, state]));
}

/** Numbers that the carrier bills us for, and we do not know. */
export async function lostNumbers(db: Database, fake: FakeTwilio): Promise<string[]> {
  const ours = await ourNumbers(db);
  return [...fake.owned.keys()].filter((number) => !ours.has(number));
}

/** For a test that begins with empty shelves. */
export async function forgetNumbers(db: Database): Promise<void> {
  await rows(db, "truncate number_order, number_order_item, number_event, static_number, inventory_finding cascade");
  await rows(db, "alter table promo_number disable trigger never_deleted");
  await rows(db, "delete from promo_number");
  await rows(db, "alter table promo_number enable trigger never_deleted");
}
