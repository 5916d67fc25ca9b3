/**
 * All calls of a list, page by page, newest first, for exports. A page is a statement of its own and holds a connection and a snapshot for its few
 * milliseconds only, however slow whoever reads is; calls that come meanwhile neither shift nor repeat others.
 */
import type { Queryable } from "../../db/database.js";
import type { CallRecord } from "../call-record.js";
import { type CallPage, listCalls } from "../calls.store.js";

/** One page is about a megabyte, and a statement of some ten milliseconds. */
const CALLS_A_PAGE = 1_000;

export type CallFilter = Omit<CallPage, "before" | "limit">;

/** Every page but an empty list's has calls. @param pageSize tests have fewer calls */
export async function* callPages(
  db: Queryable,
  filter: CallFilter,
  pageSize = CALLS_A_PAGE,
): AsyncGenerator<readonly CallRecord[], void> {
  for (let before: CallPage["before"] = null; ; ) {
    const calls = await listCalls(db, { ...filter, before, limit: pageSize });
    if (calls.length > 0) yield calls;
    const last = calls.at(-1);
    if (last === undefined || calls.length < pageSize) return;
    before = { at: last.receivedAt, id: last.callId };
  }
}
