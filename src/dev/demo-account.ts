/**
 * The demo account of embedded mode: one business, four promo numbers, a pool. Made on the first start, kept as the user left it afterwards; only the
 * business's SIP address follows its phone, whose port changes with every start. All its numbers are in the pool: the inventory stays empty.
 */
import { createAccount, getAccount } from "../account/accounts.store.js";
import { createDestination, findDestination, updateDestination } from "../account/destinations.store.js";
import { readSetting, writeSetting } from "../account/settings.store.js";
import type { Database } from "../db/database.js";
import type { IdSource } from "../kernel/ids.js";
import type { Random } from "../kernel/random.js";
import { insertNumbers } from "../pool/numbers.store.js";
import { createPool } from "../pool/pool-changes.js";
import { poolDefaults } from "../pool/ring-pool.js";
import type { E164 } from "../telephony/e164.js";

const SETTING = "demo";
/** 555-01XX numbers are kept for fiction by the North American plan. */
export const DEMO_BUSINESS_NUMBER = "+18445550199" as E164;
const DEMO_PROMO_NUMBERS = ["+18445550170", "+18445550171", "+18445550172", "+18445550173"] as E164[];
const ACTOR = "demo";

interface DemoSetting {
  readonly accountId: string;
  /** The demonstration call was made and its record completed. */
  readonly isShown: boolean;
}

export interface DemoAccount {
  readonly accountId: string;
  readonly tagKey: string;
  readonly isShown: boolean;
}

export interface DemoDeps {
  readonly db: Database;
  readonly ids: IdSource;
  readonly random: Random;
}

export async function ensureDemoAccount(deps: DemoDeps): Promise<DemoAccount> {
  const known = await readSetting<DemoSetting>(deps.db, SETTING);
  const { accountId, isShown } = known ?? (await seed(deps));
  const { tagKey } = await getAccount(deps.db, accountId);
  return { accountId, tagKey, isShown };
}

/** Null before the first start has made it. */
export async function findDemoAccount(db: Database): Promise<Pick<DemoAccount, "accountId" | "tagKey"> | null> {
  const known = await readSetting<DemoSetting>(db, SETTING);
  if (known === null) return null;
  const { id: accountId, tagKey } = await getAccount(db, known.accountId);
  return { accountId, tagKey };
}

/** The demo business answers its phone at this address from now on. */
export async function connectDemoBusiness(deps: DemoDeps, input: { accountId: string; sipUri: string }): Promise<void> {
  const destination = await findDestination(deps.db, { accountId: input.accountId, number: DEMO_BUSINESS_NUMBER });
  if (destination !== null) await updateDestination(deps.db, destination, { sipUri: input.sipUri });
}

export async function markDemoShown(deps: DemoDeps, accountId: string): Promise<void> {
  await writeSetting(deps.db, SETTING, { accountId, isShown: true } satisfies DemoSetting);
}

/** One transaction: a start that is killed here begins again. */
async function seed(deps: DemoDeps): Promise<DemoSetting> {
  const { db, ids, random } = deps;
  return db.transaction(async (tx) => {
    // Inside this transaction a nested one is just more of it.
    const nested: Database = { ...db, query: tx.query, transaction: (work) => work(tx) };
    const account = await createAccount({ db: tx, ids, random }, { name: "Demo Plumbing", autoCreatePools: false });
    const destination = await createDestination({ db: tx, ids }, account.id, {
      number: DEMO_BUSINESS_NUMBER,
      name: "Front desk",
    });
    const numbers = DEMO_PROMO_NUMBERS.map((number) => ({ number, carrier: null, credentialId: null }));
    await insertNumbers(tx, { numbers, reason: "demo", actor: ACTOR });
    await createPool(
      { db: nested, ids, schedule: { checkLater: () => undefined } },
      {
        pool: {
          accountId: account.id,
          name: "Demo pool",
          kind: "automatic",
          campaign: null,
          destinationId: destination.id,
          numberType: "toll_free",
          npa: null,
          ...poolDefaults,
          maxSize: DEMO_PROMO_NUMBERS.length,
        },
        fillImmediately: true,
        actor: ACTOR,
      },
    );
    const setting: DemoSetting = { accountId: account.id, isShown: false };
    await writeSetting(tx, SETTING, setting);
    return setting;
  });
}
