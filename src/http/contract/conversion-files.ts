/**
 * The files that ad networks take by hand for conversions that happened off their pages, told by click id.
 *
 * Google Ads, "Import conversions from ad clicks" (support.google.com/google-ads/answer/7014069): a line `Parameters:TimeZone=`, then the columns below;
 * rows are told by gclid. That the file takes no gbraid or wbraid (the API does) is from general knowledge, and so is Microsoft's file having the same form
 * under its own click id's name; its fields are those of its bulk service's "Offline Conversion". Meta's, TikTok's and LinkedIn's files match by e-mail,
 * phone or name and have no column for a click id (LinkedIn: linkedin.com/help/lms/answer/a530615): for them there is no file.
 */
import { z } from "zod";
import type { AdConversion } from "../../attribution/exports/ad-conversions.js";
import { csvLine } from "../csv.js";
import { accountQuery, instantIn } from "./scalars.js";

/** Networks that take a file. */
export const UPLOAD_NETWORKS = ["google_ads", "microsoft_ads"] as const;
export type UploadNetwork = (typeof UPLOAD_NETWORKS)[number];

/** A day of talk. */
const MIN_TALK_S_MAX = 86_400;

export const conversionQuery = z.strictObject({
  ...accountQuery,
  for: z.enum(UPLOAD_NETWORKS),
  conversion_name: z.string().trim().min(1).max(100).default("Phone call").meta({
    description: "The name of the conversion action at the network, as it is there",
  }),
  from: instantIn.optional(),
  to: instantIn.optional().meta({ description: "Exclusive" }),
  min_talk_s: z.coerce.number().int().min(0).max(MIN_TALK_S_MAX).optional().meta({
    description:
      "Calls of which nobody said whether they converted count when they were completed after this much talk; without it they do not",
  }),
});

/** What the file knows rows by. */
export const UPLOAD_CLICK_IDS: Readonly<Record<UploadNetwork, string>> = {
  google_ads: "gclid",
  microsoft_ads: "msclkid",
};

const CLICK_ID_COLUMNS: Readonly<Record<UploadNetwork, string>> = {
  google_ads: "Google Click ID",
  microsoft_ads: "Microsoft Click ID",
};

/** Every time in the file is UTC. */
const PARAMETERS = "Parameters:TimeZone=+0000";

export function conversionHead(network: UploadNetwork): string {
  const columns = [
    CLICK_ID_COLUMNS[network],
    "Conversion Name",
    "Conversion Time",
    "Conversion Value",
    "Conversion Currency",
  ];
  return csvLine([PARAMETERS, ...columns.slice(1).map(() => null)]) + csvLine(columns);
}

/** An unknown value stays empty: the network then takes the conversion action's own. */
export function conversionLine(name: string, { clickId, at, value, currency }: AdConversion): string {
  return csvLine([clickId, name, conversionTime(at), value, currency]);
}

/** `2026-11-23 17:42:00`; the zone is the file's. */
function conversionTime(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace("T", " ");
}
