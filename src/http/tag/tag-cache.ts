/**
 * What is delivered for each tag key, in memory: made when it is first asked for, and again after the directory heard of a change of its account. While the
 * database is away, or slow, what was delivered last is delivered again: a page that runs a former configuration is better off than one without.
 */
import { tagCall } from "../../account/tag-file.js";
import { findTagDraft } from "../../account/tags.store.js";
import type { TagSettings } from "../../account/tag-settings.js";
import type { Queryable } from "../../db/database.js";
import { messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { Directory, DirectoryAccount } from "../../pool/directory.js";
import { listTagSources } from "../../pool/tag-sources.store.js";
import { Rendition } from "./rendition.js";
import { jsonInScript, TAG_NUMBERS_MAX, TAG_SOURCES_MAX, tagConfigOf } from "./tag-config.js";
import type { TagFiles } from "./tag-files.js";

export interface DeliveredTag {
  /** `/tag.js` */
  readonly script: Rendition;
  /** `/tag/config` */
  readonly config: Rendition;
}

/** Tags in memory; the one made longest ago goes first. About 30 kB each, 300 kB for an account with all the numbers it may have. */
const TAGS_MAX = 1_000;
/** A page waits for its numbers behind this: later than that, the former answer is the better one. */
const FRESH_MS_MAX = 250;

interface Entry {
  readonly accountId: string;
  readonly generation: number;
  readonly tag: DeliveredTag;
}

export interface TagCacheDeps {
  readonly db: Queryable;
  readonly directory: Directory;
  readonly files: TagFiles;
  readonly log: Log;
}

export class TagCache {
  private readonly made = new Map<string, Entry>();
  private readonly making = new Map<string, { generation: number; tag: Promise<DeliveredTag | null> }>();

  constructor(private readonly deps: TagCacheDeps) {}

  /** @returns null for an unknown key. @throws AppError("database_unavailable") when nothing is in memory */
  async find(tagKey: string): Promise<DeliveredTag | null> {
    const known = this.made.get(tagKey);
    const { directory } = this.deps;
    const { generation } = directory;
    if (known !== undefined && directory.isCurrent(known.accountId, known.generation)) return known.tag;
    const fresh = this.makeOnce(tagKey, generation);
    return known === undefined ? fresh : orFormer(fresh, known.tag, this.deps.log);
  }

  /** As pages would have it if the draft were live. Never kept. @returns null for an unknown key, "none" when there is no draft */
  async draft(tagKey: string): Promise<DeliveredTag | "none" | null> {
    const known = await this.deps.directory.byTagKey(tagKey);
    if (known === null) return null;
    const settings = await findTagDraft(this.deps.db, known.account.id);
    return settings === null ? "none" : this.render({ tagKey, known, settings, revision: 0 });
  }

  private makeOnce(tagKey: string, generation: number): Promise<DeliveredTag | null> {
    const underWay = this.making.get(tagKey);
    // One that began before the change may have read what was before.
    if (underWay?.generation === generation) return underWay.tag;
    const tag = this.make(tagKey, generation).finally(() => {
      if (this.making.get(tagKey)?.tag === tag) this.making.delete(tagKey);
    });
    this.making.set(tagKey, { generation, tag });
    return tag;
  }

  private async make(tagKey: string, generation: number): Promise<DeliveredTag | null> {
    const known = await this.deps.directory.byTagKey(tagKey);
    if (known === null) {
      this.made.delete(tagKey);
      return null;
    }
    const tag = await this.render({ tagKey, known, ...known.tag });
    this.made.delete(tagKey);
    if (this.made.size >= TAGS_MAX) this.made.delete(this.made.keys().next().value as string);
    this.made.set(tagKey, { accountId: known.account.id, generation, tag });
    return tag;
  }

  private async render(input: {
    tagKey: string;
    known: DirectoryAccount;
    settings: TagSettings;
    revision: number;
  }): Promise<DeliveredTag> {
    const { db, files, log } = this.deps;
    const { known, settings } = input;
    const accountId = known.account.id;
    const file = await files.ofSetting(settings.file);
    const except = settings.numbersNotToReplace;
    const sources = await listTagSources(db, { accountId, except, limit: TAG_SOURCES_MAX });
    const { config, cut } = tagConfigOf({ ...input, sources });
    if (cut > 0) log.warn("tag.numbers_cut", { accountId, kept: TAG_NUMBERS_MAX, cut });
    return {
      script: new Rendition(tagCall(file.script, jsonInScript(config))),
      config: new Rendition(JSON.stringify(config)),
    };
  }
}

async function orFormer(
  fresh: Promise<DeliveredTag | null>,
  former: DeliveredTag,
  log: Log,
): Promise<DeliveredTag | null> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<DeliveredTag>((resolve) => {
    timer = setTimeout(() => resolve(former), FRESH_MS_MAX);
  });
  const orTold = fresh.catch((error: unknown) => {
    log.warn("tag.delivered_from_memory", { error: messageOf(error) });
    return former;
  });
  try {
    return await Promise.race([orTold, patience]);
  } finally {
    clearTimeout(timer);
  }
}
