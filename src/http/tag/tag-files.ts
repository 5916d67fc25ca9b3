/**
 * The immutable files of the tag: this build's own, and all that were published before, which pages may have pinned and the database keeps. Called by the
 * routes that deliver them and by the tag's cache, for accounts that stay with a version.
 */
import { findTagFile, findTagFileOfVersion, type TagFileName } from "../../account/tag-files.store.js";
import { TAG_FILE_NAME_PATTERN, type TagFile } from "../../account/tag-file.js";
import { LATEST_FILE } from "../../account/tag-settings.js";
import type { Queryable } from "../../db/database.js";
import { Rendition } from "./rendition.js";

/** Files in memory beside the own one: as many versions as live pages pin at a time. About 30 kB each with its encodings. */
const OLD_FILES_MAX = 20;

export class TagFiles {
  private readonly own: Rendition;
  private readonly old = new Map<string, Rendition>();

  constructor(
    private readonly db: Queryable,
    readonly latest: TagFile,
  ) {
    this.own = new Rendition(latest.content);
  }

  /** @returns null for a file that was never published here. @throws AppError("database_unavailable") for one that is not in memory */
  async find(name: string): Promise<Rendition | null> {
    if (name === this.latest.name) return this.own;
    const known = this.old.get(name);
    if (known !== undefined) return known;
    if (!TAG_FILE_NAME_PATTERN.test(name)) return null;
    const file = await findTagFile(this.db, name);
    if (file === null) return null;
    if (this.old.size >= OLD_FILES_MAX) this.old.delete(this.old.keys().next().value as string);
    const rendition = new Rendition(file.content);
    this.old.set(name, rendition);
    return rendition;
  }

  /** The file of a tag's settings; the latest when its version was never published here. */
  async ofSetting(file: string): Promise<TagFile> {
    return file === LATEST_FILE ? this.latest : ((await findTagFileOfVersion(this.db, file)) ?? this.latest);
  }
}

export interface TagFileFacts {
  readonly version: string;
  readonly url: string;
  readonly integrity: string;
}

export function factsOf(file: TagFileName, baseUrl: string): TagFileFacts {
  return { version: file.version, url: `${baseUrl}/tag/${file.name}.js`, integrity: file.integrity };
}
