/**
 * Erases a caller or a visitor from an account's records, and leaves a tombstone. Called by the API and, for what came in late, by a chore. Calls, counts
 * and campaigns stay; whatever names the person goes: numbers, names, ids, click ids, pages, custom fields, bodies of deliveries.
 */
import { emptyDeliveries } from "../../account/outgoing/deliveries.store.js";
import type { Database, Queryable } from "../../db/database.js";
import type { Instant } from "../../kernel/clock.js";
import type { IdSource } from "../../kernel/ids.js";
import { PLATFORM_REALM, type Secrets } from "../../kernel/secrets.js";
import {
  countEmptied,
  type Emptied,
  emptyCallsOfCaller,
  emptyCallsOfVisitor,
  emptyInterceptsOfCaller,
  emptyPresentations,
  type Erasure,
  forgetNumbersOf,
  forgetVisitor,
  insertErasure,
  listOpenErasures,
  type OpenErasure,
  shredSubjects,
} from "./erasures.store.js";

/** Rows of one transaction: what holds locks on calls must be short. */
const BATCH = 500;
/** Nothing of before an erasure comes in later: spools are replayed within hours, carriers' callbacks within days. */
const LATE_DAYS_MAX = 40;
/** Erasures looked at again in one turn of the chore. */
const REPEATED_MAX = 1_000;

export interface EraseDeps {
  readonly db: Database;
  readonly ids: IdSource;
  readonly secrets: Secrets;
}

export type Subject =
  | { readonly kind: "caller"; readonly number: string }
  | { readonly kind: "visitor"; readonly visitorId: string };

/** @returns the tombstone, with what was emptied. A crash half-way leaves one that is taken up by repeatErasures. */
export async function erasePerson(
  deps: EraseDeps,
  input: { accountId: string; subject: Subject; actor: string; reason: string | null },
): Promise<Erasure> {
  const { accountId, subject, actor, reason } = input;
  const text = subject.kind === "caller" ? subject.number : subject.visitorId;
  const id = deps.ids.next("ers");
  const leaveTombstone = (db: Queryable): Promise<OpenErasure> =>
    insertErasure(db, {
      ...{ id, accountId, kind: subject.kind, actor, reason },
      subjectHash: deps.secrets.hash(accountId, text),
      subjectEnc: deps.secrets.seal(text),
    });
  if (subject.kind === "caller") return carryOut(deps, await leaveTombstone(deps.db));
  // The numbers' rows before the time that everything else is emptied up to: a renewal would carry on what they say of the visitor to the time after it.
  const erasure = await deps.db.transaction(async (tx) => {
    await forgetNumbersOf(tx, { accountId, visitorId: text, pseudonym: pseudonymOf(id), until: null });
    return leaveTombstone(tx);
  });
  return carryOut(deps, erasure);
}

/** Erases what has come in since, goes on with what was cut off, and forgets whom old erasures were of. @returns how many found something */
export async function repeatErasures(deps: EraseDeps): Promise<number> {
  let found = 0;
  let after = "";
  for (let done = 0; done < REPEATED_MAX; ) {
    const erasures = await listOpenErasures(deps.db, { after, limit: 100 });
    for (const erasure of erasures) {
      const { calls, presentations, intercepts } = await carryOut(deps, erasure);
      const before = erasure.calls + erasure.presentations + erasure.intercepts;
      if (calls + presentations + intercepts > before) found++;
    }
    done += erasures.length;
    const last = erasures.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  await shredSubjects(deps.db, LATE_DAYS_MAX);
  return found;
}

async function carryOut(deps: EraseDeps, erasure: OpenErasure): Promise<Erasure> {
  const text = deps.secrets.open(erasure.subjectEnc);
  const turn = erasure.kind === "caller" ? eraseCallsOf(deps, erasure, text) : eraseVisitor(deps, erasure, text);
  let current: Erasure = erasure;
  for await (const emptied of turn) current = await countEmptied(deps.db, erasure.id, emptied, false);
  // Told of while it was erased.
  const deliveries = await emptyDeliveries(deps.db, erasure.callIds, erasure.at);
  return countEmptied(deps.db, current.id, { ...NOTHING, deliveries }, true);
}

const NOTHING: Emptied = { calls: 0, presentations: 0, intercepts: 0, deliveries: 0, callIds: [] };

/** One element a transaction. */
async function* eraseCallsOf(
  { db, secrets }: EraseDeps,
  { accountId, at, subjectHash }: OpenErasure,
  number: string,
): AsyncGenerator<Emptied> {
  const subject = subjectOf(accountId, at);
  const platformHash = secrets.hash(PLATFORM_REALM, number);
  for (let isMore = true; isMore; ) {
    const emptied = await db.transaction(async (tx) => {
      const calls = await emptyCallsOfCaller(tx, { ...subject, hash: subjectHash });
      const intercepts = await emptyInterceptsOfCaller(tx, { ...subject, hash: platformHash });
      const callIds = [...calls, ...intercepts];
      const deliveries = await emptyDeliveries(tx, callIds, at);
      isMore = calls.length === BATCH || intercepts.length === BATCH;
      return { ...NOTHING, calls: calls.length, intercepts: intercepts.length, deliveries, callIds };
    });
    if (emptied.calls + emptied.intercepts > 0) yield emptied;
  }
}

async function* eraseVisitor(
  { db }: EraseDeps,
  { id, accountId, at, completedAt }: OpenErasure,
  visitorId: string,
): AsyncGenerator<Emptied> {
  const subject = { ...subjectOf(accountId, at), visitorId, pseudonym: pseudonymOf(id) };
  // Once more, for a page that was being answered meanwhile. Nothing that comes in later is written to a number's row.
  if (completedAt === null) await db.transaction((tx) => forgetNumbersOf(tx, subject));
  for (let isMore = true; isMore; ) {
    const emptied = await db.transaction(async (tx) => {
      const calls = await emptyCallsOfVisitor(tx, subject);
      const presentations = await emptyPresentations(tx, subject);
      const deliveries = await emptyDeliveries(tx, calls, at);
      isMore = calls.length >= BATCH || presentations === BATCH;
      return { ...NOTHING, calls: calls.length, presentations, deliveries, callIds: calls };
    });
    if (emptied.calls + emptied.presentations > 0) yield emptied;
  }
  await db.transaction((tx) => forgetVisitor(tx, subject));
}

function pseudonymOf(erasureId: string): string {
  return `erased_${erasureId}`;
}

function subjectOf(accountId: string, until: Instant) {
  return { accountId, until, limit: BATCH };
}
