/** The public routes of the tag on the wire. What a page's address carries beside our own parameters (a cache buster, say) is nobody's mistake. */
import { z } from "zod";

/** Longer ones are no keys of ours. */
export const TAG_KEY_PATTERN = /^tag_[0-9A-Za-z_-]{1,96}$/;

export const tagQuery = z.looseObject({
  key: z.string().optional().meta({ description: "The account's tag_key" }),
  revision: z.string().optional().meta({
    description:
      "draft: what the account is still writing, for trying it on a page of one's own; else the live revision",
  }),
});

export const tagConfigOut = z.object({
  key: z.string(),
  revision: z.int().meta({ description: "0: the draft" }),
  paused: z.boolean(),
  numbers: z.array(z.string()),
  slots_only: z.boolean(),
  discover: z.boolean(),
  sources: z.array(z.object({ destination: z.string(), number: z.string(), touch: z.record(z.string(), z.string()) })),
  consent: z.enum(["assumed", "required"]),
  visitor_days: z.int(),
  custom_data: z.array(z.object({ name: z.string(), from: z.string(), key: z.string() })),
});

export const fileParams = z.strictObject({ file: z.string() });

export const tagFilesOut = z.object({
  data: z.array(
    z.object({
      version: z.string(),
      url: z.string(),
      integrity: z.string().meta({ description: "For the script element's attribute of that name" }),
    }),
  ),
});
