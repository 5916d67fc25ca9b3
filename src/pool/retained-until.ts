/** Until when whoever was shown a number may still call it as its holder's. Asked by number-moves.ts when a number is taken out. */
import type { Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import type { LockedNumber } from "./numbers.store.js";
import { readOverflowShown } from "./overflow-use.store.js";

/** Null: nobody was shown it. A static number is shown all the time. */
export async function retainedUntilOf(tx: Queryable, known: LockedNumber, retentionS: number): Promise<Instant | null> {
  const retentionMs = retentionS * 1000;
  if (known.role === "pool") {
    // What another pool of the account presented is attributed no more, but its visitor may still call.
    const until = Number.isFinite(known.retainedUntil) ? known.retainedUntil : known.lastPresentedAt + retentionMs;
    return Number.isFinite(until) ? until : null;
  }
  const isShared = known.role === "overflow";
  const { at, isComplete } = isShared ? await readOverflowShown(tx, known) : { at: known.now, isComplete: true };
  return at === null && isComplete ? null : (at ?? known.now) + retentionMs;
}
