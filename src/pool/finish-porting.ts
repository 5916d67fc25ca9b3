/** A number that was being ported in is here: it becomes available. (Straight to its source: static-numbers.ts.) */
import type { Database } from "../db/database.js";
import { AppError } from "../kernel/errors.js";
import { resolveFindings } from "./inventory-findings.store.js";
import { lockNumber, type PromoNumber, writeMove } from "./numbers.store.js";

/** @throws AppError("illegal_transition") when it is not being ported; AppError("not_found") */
export async function finishPorting(
  db: Database,
  { e164, reason, actor }: { e164: string; reason: string; actor: string },
): Promise<PromoNumber> {
  return db.transaction(async (tx) => {
    const known = await lockNumber(tx, e164);
    if (known.state !== "porting") {
      throw new AppError("illegal_transition", `It is ${known.state}, not being ported in.`);
    }
    await resolveFindings(tx, { number: e164, kinds: ["port_arrived"] });
    const nobody = { role: null, accountId: null, poolId: null, nextCheckAt: null };
    return writeMove(tx, known, { state: "available", ...nobody, reason, actor });
  });
}
