/**
 * The tag of each account: which revision is live, whether it is paused, its draft, and every revision there was. Revisions are added, never changed (the
 * database refuses it); whoever changes a tag holds its row, so that of two at once each makes a revision of its own or finds nothing left to do.
 */
import { sql, type Database, type Queryable } from "../db/database.js";
import type { Instant } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { readTagSettings, type TagSettings } from "./tag-settings.js";

export interface TagRevision {
  /** Counted from 1. */
  readonly revision: number;
  readonly settings: TagSettings;
  /** account: with the account itself. live: from a draft. revert: with the settings of an earlier one. */
  readonly madeBy: "account" | "live" | "revert";
  /** The revision whose settings it took; null but for `revert`. */
  readonly revertedTo: number | null;
  readonly at: Instant;
  readonly actor: string;
}

export interface TagDraft {
  readonly settings: TagSettings;
  readonly at: Instant;
  readonly actor: string;
}

export interface Tag {
  readonly accountId: string;
  readonly tagKey: string;
  readonly isPaused: boolean;
  readonly live: TagRevision;
  readonly draft: TagDraft | null;
}

/** What pages are told of it. */
export interface LiveTag {
  readonly revision: number;
  readonly isPaused: boolean;
  readonly settings: TagSettings;
}

const REVISION = `r.revision, r.settings, r.made_by as "madeBy", r.reverted_to as "revertedTo", r.at, r.actor`;

const SELECT_LIVE = sql(
  "tag_select_live",
  `select t.revision, t.paused as "isPaused", r.settings from tag t
   join tag_revision r on r.account_id = t.account_id and r.revision = t.revision where t.account_id = $1`,
);
const SELECT_ONE = sql(
  "tag_select_one",
  `select t.account_id as "accountId", a.tag_key as "tagKey", t.paused as "isPaused", t.draft, t.draft_at as "draftAt", t.draft_actor as "draftActor", ${REVISION}
   from tag t join account a on a.id = t.account_id join tag_revision r on r.account_id = t.account_id and r.revision = t.revision
   where t.account_id = $1`,
);
const SELECT_DRAFT = sql("tag_select_draft", `select draft from tag where account_id = $1`);
const SELECT_PAGE = sql(
  "tag_select_revisions",
  `select ${REVISION} from tag_revision r where r.account_id = $1 and r.revision < $2 order by r.revision desc limit $3`,
);
const SELECT_SETTINGS = sql(
  "tag_select_settings",
  `select settings from tag_revision where account_id = $1 and revision = $2`,
);
const LOCK = sql("tag_lock", `select revision, draft from tag where account_id = $1 for update`);
const INSERT_REVISION = sql(
  "tag_insert_revision",
  `insert into tag_revision (account_id, revision, settings, made_by, reverted_to, actor) values ($1, $2, $3, $4, $5, $6)`,
);
const SET_LIVE = sql("tag_set_live", `update tag set revision = $2 where account_id = $1`);
const SET_DRAFT = sql(
  "tag_set_draft",
  `update tag set draft = $2, draft_at = case when $2::jsonb is null then null else now() end, draft_actor = $3 where account_id = $1 returning account_id`,
);
const SET_PAUSED = sql(
  "tag_set_paused",
  `update tag set paused = $2 where account_id = $1 and paused <> $2 returning account_id`,
);

type RevisionRow = Omit<TagRevision, "settings"> & { settings: Partial<TagSettings> };
type DraftColumns = { draft: Partial<TagSettings> | null; draftAt: Instant | null; draftActor: string | null };
type TagRow = RevisionRow & DraftColumns & Pick<Tag, "accountId" | "tagKey" | "isPaused">;

/** @throws AppError("not_found") when there is no such account */
export async function getTag(db: Queryable, accountId: string): Promise<Tag> {
  const [row] = await db.query<TagRow>(SELECT_ONE, [accountId]);
  if (row === undefined) throw noAccount();
  const { tagKey, isPaused, draft, draftAt, draftActor, ...live } = row;
  return {
    accountId: row.accountId,
    tagKey,
    isPaused,
    live: revisionOf(live),
    draft: draft === null ? null : { settings: readTagSettings(draft), at: draftAt ?? 0, actor: draftActor ?? "" },
  };
}

/** @throws AppError("not_found") when there is no such account */
export async function findLiveTag(db: Queryable, accountId: string): Promise<LiveTag> {
  const [row] = await db.query<Omit<LiveTag, "settings"> & { settings: Partial<TagSettings> }>(SELECT_LIVE, [
    accountId,
  ]);
  if (row === undefined) throw noAccount();
  return { ...row, settings: readTagSettings(row.settings) };
}

/** @returns null when there is none */
export async function findTagDraft(db: Queryable, accountId: string): Promise<TagSettings | null> {
  const [row] = await db.query<{ draft: Partial<TagSettings> | null }>(SELECT_DRAFT, [accountId]);
  return row?.draft ? readTagSettings(row.draft) : null;
}

/** Newest first. @param page.before only earlier ones than this revision; null: from the newest */
export async function listTagRevisions(
  db: Queryable,
  page: { accountId: string; before: number | null; limit: number },
): Promise<TagRevision[]> {
  const rows = await db.query<RevisionRow>(SELECT_PAGE, [page.accountId, page.before ?? REVISION_MAX, page.limit]);
  return rows.map(revisionOf);
}

/** What PostgreSQL's integers hold. */
export const REVISION_MAX = 2_147_483_647;

/** Replaces the draft there was. @param settings null: no draft. @throws AppError("not_found") when there is no such account */
export async function putTagDraft(
  db: Queryable,
  input: { accountId: string; settings: TagSettings | null; actor: string },
): Promise<void> {
  const { accountId, settings, actor } = input;
  const values = settings === null ? [accountId, null, null] : [accountId, JSON.stringify(settings), actor];
  if ((await db.query(SET_DRAFT, values)).length === 0) throw noAccount();
}

/** The draft becomes the next revision. @throws AppError("conflict") without a draft */
export async function makeDraftLive(
  db: Pick<Database, "transaction">,
  input: { accountId: string; actor: string },
): Promise<void> {
  const { accountId, actor } = input;
  await db.transaction(async (tx) => {
    const { revision, draft } = await lockTag(tx, accountId);
    if (draft === null) throw new AppError("conflict", "There is no draft; PUT /v1/tag/draft makes one.");
    await addRevision(tx, { accountId, revision: revision + 1, settings: draft, revertedTo: null, actor });
    await tx.query(SET_DRAFT, [accountId, null, null]);
  });
}

/**
 * A new revision with the settings of an earlier one; a draft stays as it is.
 * @param input.to null: the one before the live one. @throws AppError("conflict") when nothing was before; AppError("not_found") for an unknown revision
 */
export async function revertTag(
  db: Pick<Database, "transaction">,
  input: { accountId: string; to: number | null; actor: string },
): Promise<void> {
  const { accountId, actor } = input;
  await db.transaction(async (tx) => {
    const { revision } = await lockTag(tx, accountId);
    const to = input.to ?? revision - 1;
    if (to < 1) throw new AppError("conflict", "The live revision is the first; there is none before it.");
    const [row] = await tx.query<{ settings: Partial<TagSettings> }>(SELECT_SETTINGS, [accountId, to]);
    if (row === undefined) throw new AppError("not_found", `The tag has no revision ${to}.`);
    await addRevision(tx, { accountId, revision: revision + 1, settings: row.settings, revertedTo: to, actor });
  });
}

/** @returns whether that changed anything */
export async function pauseTag(db: Queryable, input: { accountId: string; isPaused: boolean }): Promise<boolean> {
  return (await db.query(SET_PAUSED, [input.accountId, input.isPaused])).length > 0;
}

async function lockTag(
  tx: Queryable,
  accountId: string,
): Promise<{ revision: number; draft: Partial<TagSettings> | null }> {
  const [row] = await tx.query<{ revision: number; draft: Partial<TagSettings> | null }>(LOCK, [accountId]);
  if (row === undefined) throw noAccount();
  return row;
}

async function addRevision(
  tx: Queryable,
  input: Pick<RevisionRow, "revision" | "settings" | "revertedTo" | "actor"> & { accountId: string },
): Promise<void> {
  const { accountId, revision, settings, revertedTo, actor } = input;
  const madeBy: TagRevision["madeBy"] = revertedTo === null ? "live" : "revert";
  const values = [accountId, revision, JSON.stringify(settings), madeBy, revertedTo, actor];
  await tx.query(INSERT_REVISION, values);
  await tx.query(SET_LIVE, [accountId, revision]);
}

function revisionOf({ revision, settings, madeBy, revertedTo, at, actor }: RevisionRow): TagRevision {
  return { revision, settings: readTagSettings(settings), madeBy, revertedTo, at, actor };
}

function noAccount(): AppError {
  return new AppError("not_found", "There is no such account.");
}
