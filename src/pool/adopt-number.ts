/** A number that the carrier bills us for, and that we do not have, comes into the inventory because an admin says so. */
import { AppError } from "../kernel/errors.js";
import type { E164 } from "../telephony/e164.js";
import { asAppError } from "./carrier-inventory/carrier-fault.js";
import type { Seller, Shop } from "./carrier-inventory/carriers.js";
import { webhooksOf } from "./carrier-inventory/number-webhooks.js";
import { listFindings, resolveFindings } from "./inventory-findings.store.js";
import { itemOfMark } from "./number-order.js";
import { readItems } from "./number-orders.store.js";
import { settleUnknownItem } from "./order-runs.store.js";
import { findNumber, getNumber, insertNumbers, type PromoNumber } from "./numbers.store.js";
import type { ReconcileDeps } from "./reconcile-inventory.js";

export interface Adoption {
  readonly number: E164;
  readonly carrier: Seller;
  /** Null: where a finding says the number is, else the platform's. */
  readonly credentialId: string | null;
  readonly reason: string;
  readonly actor: string;
}

/**
 * @throws AppError("already_exists") when we have it; AppError("not_found") when the carrier does not; AppError("conflict") without a credential that
 *   can buy; AppError("carrier_refused" | "carrier_unavailable")
 */
export async function adoptNumber(deps: ReconcileDeps, adoption: Adoption): Promise<PromoNumber> {
  const { number, reason, actor } = adoption;
  if ((await findNumber(deps.db, number)) !== null) {
    throw new AppError("already_exists", `${number} is in the inventory already.`);
  }
  const shop = await shopOf(deps, adoption);
  const carrier = shop === null ? null : await deps.carriers.open(shop);
  if (shop === null || carrier === null) throw noCredential(adoption.carrier);
  try {
    const [owned] = await carrier.findOwned({ number });
    if (owned === undefined) throw new AppError("not_found", `${carrier.name} does not list ${number} as ours.`);
    const webhooks = webhooksOf(deps, { carrier: carrier.name, number });
    if (webhooks !== null && owned.steeredBy === null) await carrier.configure(owned.ref, webhooks);
    await deps.db.transaction(async (tx) => {
      await insertNumbers(tx, { numbers: [{ number, ...shop }], reason: `adopted: ${reason}`, actor });
      const [item] = await readItems(tx, [itemOfMark(owned.mark) ?? ""]);
      if (item?.state === "unknown" && item.number === number) {
        await settleUnknownItem(tx, { itemId: item.id, carrierRef: owned.ref });
      }
      await resolveFindings(tx, { number, kinds: ["unknown_here"] });
    });
  } catch (error) {
    throw asAppError(error);
  }
  return getNumber(deps.db, { e164: number, accountId: null });
}

async function shopOf(deps: ReconcileDeps, adoption: Adoption): Promise<Shop | null> {
  const { carrier, number, credentialId } = adoption;
  if (credentialId !== null) return { carrier, credentialId };
  const findings = await listFindings(deps.db, { before: "", kind: "unknown_here", onlyOpen: true, number, limit: 1 });
  const found = findings.find((finding) => finding.carrier === carrier);
  if (found !== undefined) return { carrier, credentialId: found.credentialId };
  return deps.carriers.choose({ carrier, accountId: null, isOwnFirst: false });
}

export function noCredential(carrier: string): AppError {
  return new AppError(
    "conflict",
    `There is no ${carrier} credential with account_sid; set it with PUT /v1/carriers/${carrier}.`,
  );
}
