/** An account's browser tag on the wire: its revisions, its draft, and what stands in the page. */
import { z } from "zod";
import { CUSTOM_DATA_ORIGINS, LATEST_FILE, type TagSettings } from "../../account/tag-settings.js";
import { REVISION_MAX, type Tag, type TagDraft, type TagRevision } from "../../account/tags.store.js";
import { CUSTOM_FIELDS_MAX } from "../../attribution/judging/custom-data.js";
import { toIso } from "../../kernel/clock.js";
import type { TagFileFacts } from "../tag/tag-files.js";
import { FIELD_NAME_CHARS_MAX } from "./presentation.js";
import { accountQuery, e164In, e164Out, idOut, instantOut, pageQuery } from "./scalars.js";

/** Names of cookies, parameters and data layer keys are short; each page carries them all. */
const KEY_CHARS_MAX = 100;
/** As many as an account may exclude by hand; whoever wants more untouched marks slots (`slots_only`). */
const NOT_REPLACED_MAX = 1_000;
const VERSION_CHARS_MAX = 64;

const customDataField = z.strictObject({
  name: z.string().min(1).max(FIELD_NAME_CHARS_MAX).meta({ description: "Of the field in the call record" }),
  from: z.enum(CUSTOM_DATA_ORIGINS),
  key: z.string().min(1).max(KEY_CHARS_MAX).meta({ description: "The parameter, cookie, item or data layer key" }),
});

export const tagSettingsIn = z.strictObject({
  slots_only: z
    .boolean()
    .default(false)
    .meta({ description: "Only elements with data-ringmatch-number; text and links stay as they are" }),
  numbers_not_to_replace: z
    .array(e164In)
    .max(NOT_REPLACED_MAX)
    .transform((numbers) => [...new Set(numbers)])
    .default([])
    .meta({ description: "Tracked destinations that pages keep" }),
  custom_data: z
    .array(customDataField)
    .max(CUSTOM_FIELDS_MAX)
    .refine((fields) => new Set(fields.map(({ name }) => name)).size === fields.length, "must not fill a field twice")
    .default([])
    .meta({ description: "Sent with each presentation" }),
  file: z
    .string()
    .min(1)
    .max(VERSION_CHARS_MAX)
    .default(LATEST_FILE)
    .meta({ description: "latest, or a version of GET /tag/files: whose code /tag.js runs" }),
});

export const tagQueryIn = z.strictObject(accountQuery);
export const revisionsQuery = z.strictObject({ ...accountQuery, ...pageQuery });
export const revertIn = z.strictObject({
  revision: z.int().min(1).max(REVISION_MAX).optional().meta({ description: "Default: the one before the live one" }),
});

const settingsOut = z.object({
  slots_only: z.boolean(),
  numbers_not_to_replace: z.array(e164Out),
  custom_data: z.array(customDataField),
  file: z.string(),
});

export const revisionOut = z.object({
  revision: z.int(),
  settings: settingsOut,
  made_by: z.enum(["account", "live", "revert"]).meta({
    description: "account: with the account. live: from a draft. revert: with the settings of an earlier revision",
  }),
  reverted_to: z.int().nullable().meta({ description: "The revision whose settings it took" }),
  at: instantOut,
  actor: z.string(),
});

const snippetOut = z.string().meta({ description: "The line for the page" });

export const tagOut = z.object({
  account_id: idOut,
  tag_key: z.string().meta({ description: "Public: it stands in the page's source" }),
  paused: z.boolean(),
  live: revisionOut,
  draft: z
    .object({
      settings: settingsOut,
      at: instantOut,
      actor: z.string(),
      snippet: z.string().meta({ description: "For a page of one's own: the draft as if it were live, from no cache" }),
    })
    .nullable(),
  snippet: snippetOut,
  file: z
    .object({ version: z.string(), url: z.string(), integrity: z.string(), snippet: snippetOut })
    .meta({ description: "The immutable file of the live revision, for pages that pin it by its integrity" }),
});

export function settingsOf(body: z.output<typeof tagSettingsIn>): TagSettings {
  return {
    slotsOnly: body.slots_only,
    numbersNotToReplace: body.numbers_not_to_replace,
    customData: body.custom_data,
    file: body.file,
  };
}

export function showRevision(revision: TagRevision): z.output<typeof revisionOut> {
  return {
    revision: revision.revision,
    settings: showSettings(revision.settings),
    made_by: revision.madeBy,
    reverted_to: revision.revertedTo,
    at: toIso(revision.at),
    actor: revision.actor,
  };
}

/** @param baseUrl where pages reach the service, without a slash at the end */
export function showTag(tag: Tag, file: TagFileFacts, baseUrl: string): z.output<typeof tagOut> {
  const loader = `${baseUrl}/tag.js?key=${tag.tagKey}`;
  const pinned = `integrity="${file.integrity}" crossorigin="anonymous" data-key="${tag.tagKey}"`;
  return {
    account_id: tag.accountId,
    tag_key: tag.tagKey,
    paused: tag.isPaused,
    live: showRevision(tag.live),
    draft: tag.draft === null ? null : showDraft(tag.draft, loader),
    snippet: `<script async src="${loader}"></script>`,
    file: { ...file, snippet: `<script async src="${file.url}" ${pinned}></script>` },
  };
}

function showDraft({ settings, at, actor }: TagDraft, loader: string) {
  const snippet = `<script async src="${loader}&amp;revision=draft"></script>`;
  return { settings: showSettings(settings), at: toIso(at), actor, snippet };
}

function showSettings(settings: TagSettings): z.output<typeof settingsOut> {
  return {
    slots_only: settings.slotsOnly,
    numbers_not_to_replace: [...settings.numbersNotToReplace],
    custom_data: settings.customData.map((field) => ({ ...field })),
    file: settings.file,
  };
}
