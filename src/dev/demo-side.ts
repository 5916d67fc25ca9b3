/** The demo of embedded mode while the service runs: a business that answers its phone, and on the first start one demonstration call. */
import { createApiKey, revokeApiKey } from "../account/api-keys.store.js";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import { connectDemoBusiness, ensureDemoAccount, markDemoShown } from "./demo-account.js";
import { type Demonstration, demonstrate } from "./demonstration.js";
import { SipPhone } from "./sip-phone.js";

export interface DemoSide {
  readonly tagKey: string;
  /** Of the first start; null afterwards. */
  readonly demonstration: Demonstration | null;
  stop(): Promise<void>;
}

export interface DemoInput {
  readonly service: {
    readonly infrastructure: { readonly db: Database };
    readonly ids: IdSource;
    readonly adminKey: { readonly key: string | null };
  };
  readonly httpUrl: string;
  readonly sipAddress: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A receptionist's two rings, shortened. */
const RINGS_MS = 300;

export async function startDemo(input: DemoInput): Promise<DemoSide> {
  const { service, clock, random, log } = input;
  const deps = { db: service.infrastructure.db, ids: service.ids, random };
  const account = await ensureDemoAccount(deps);
  const business = new SipPhone({
    host: "127.0.0.1",
    port: 0,
    clock,
    random,
    log,
    onCall: (call) => {
      call.ring();
      const timer = setTimeout(() => call.answer(), RINGS_MS);
      call.onEnd(() => clearTimeout(timer));
    },
  });
  const { host, port } = await business.start();
  try {
    await connectDemoBusiness(deps, { accountId: account.accountId, sipUri: `sip:business@${host}:${port}` });
    const demonstration = account.isShown ? null : await firstCall(input, account);
    if (demonstration !== null) await markDemoShown(deps, account.accountId);
    return { tagKey: account.tagKey, demonstration, stop: () => business.stop() };
  } catch (error) {
    await business.stop();
    throw error;
  }
}

/** Where the first admin key is another's, a key of the demo account reads the record, and is gone afterwards. */
async function firstCall(input: DemoInput, account: { tagKey: string; accountId: string }): Promise<Demonstration> {
  const { service, httpUrl, sipAddress, clock, random, log } = input;
  const { db } = service.infrastructure;
  const { accountId, tagKey } = account;
  const known = service.adminKey.key;
  const own =
    known === null
      ? await createApiKey({ db, ids: service.ids, random }, { accountId, name: "demonstration", scopes: ["read"] })
      : null;
  const caller = new SipPhone({ host: "127.0.0.1", port: 0, clock, random, log });
  await caller.start();
  try {
    return await demonstrate({ httpUrl, sipAddress, adminKey: known ?? own?.key ?? "", tagKey, caller, log });
  } finally {
    await caller.stop();
    if (own !== null) await revokeApiKey(db, { accountId, keyId: own.id });
  }
}
