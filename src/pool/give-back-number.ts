/**
 * Gives a number back to its carrier, because an admin says so: it is retired first, so that nobody can take it, then released there, then that is written
 * down. Cut off in between, it is asked for again: a retired number that the carrier does not have any more counts as given back.
 */
import { credentialOfNumber, type Carrier, CARRIERS } from "../account/carrier-credentials.store.js";
import { sql, type Database, type Queryable } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import type { Secrets } from "../kernel/secrets.js";
import type { E164 } from "../telephony/e164.js";
import { noCredential } from "./adopt-number.js";
import { asAppError } from "./carrier-inventory/carrier-fault.js";
import type { Carriers } from "./carrier-inventory/carriers.js";
import type { NumberCarrier } from "./carrier-inventory/number-carrier.js";
import { resolveFindings } from "./inventory-findings.store.js";
import { getNumber, lockNumber, type PromoNumber, writeMove } from "./numbers.store.js";

export interface GiveBackDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly carriers: Carriers;
}

const MARK_RELEASED = sql(
  "number_mark_released",
  `with released as (
     update promo_number set released_at = now() where e164 = $1 and state = 'retired' and released_at is null returning id, state, ownership_epoch
   )
   insert into number_event (number_id, at, from_state, state, ownership_epoch, reason, actor)
     select id, now(), state, state, ownership_epoch, $2, $3 from released`,
);

/**
 * @throws AppError("illegal_transition") unless it is available or retired; AppError("conflict") when no credential can give it back;
 *   AppError("carrier_refused" | "carrier_unavailable"): then it is retired, and can be given back later
 */
export async function giveBackNumber(
  deps: GiveBackDeps,
  input: { e164: E164; reason: string; actor: string },
): Promise<PromoNumber> {
  const { e164, reason, actor } = input;
  const carrier = await carrierOf(deps, await getNumber(deps.db, { e164, accountId: null }));
  await deps.db.transaction((tx) => retire(tx, input));
  try {
    const [owned] = await carrier.findOwned({ number: e164 });
    if (owned !== undefined) await carrier.release(owned.ref);
  } catch (error) {
    throw asAppError(error);
  }
  await deps.db.transaction(async (tx) => {
    await tx.query(MARK_RELEASED, [e164, `given back to ${carrier.name}: ${reason}`, actor]);
    await resolveFindings(tx, { number: e164, kinds: ["retired_there", "gone_there", "webhooks_wrong"] });
  });
  return getNumber(deps.db, { e164, accountId: null });
}

async function retire(tx: Queryable, { e164, reason, actor }: { e164: string; reason: string; actor: string }) {
  const known = await lockNumber(tx, e164);
  if (known.state === "retired") return;
  if (known.state !== "available") {
    throw new AppError("illegal_transition", `A number that is ${known.state} cannot be given back; retire it first.`);
  }
  const nobody = { role: null, accountId: null, poolId: null, nextCheckAt: null };
  await writeMove(tx, known, { state: "retired", ...nobody, reason: `to be given back: ${reason}`, actor });
}

async function carrierOf(deps: GiveBackDeps, number: PromoNumber): Promise<NumberCarrier> {
  const { carrier, e164 } = number;
  if (carrier === null) throw new AppError("conflict", "Nobody has said which carrier hosts it.");
  const known = CARRIERS.find((one): one is Carrier => one === carrier);
  const credential = known === undefined ? null : await credentialOfNumber(deps, { carrier: known, e164 });
  const opened = await deps.carriers.open({ carrier, credentialId: credential?.id ?? null });
  if (opened === null) throw noCredential(carrier);
  return opened;
}
