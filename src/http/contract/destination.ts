/** Destinations on the wire. */
import { z } from "zod";
import { CALLER_IDS, DESTINATION_STATUSES, type Destination } from "../../account/destinations.store.js";
import { toIso } from "../../kernel/clock.js";
import { numberType } from "./number.js";
import { accountQuery, e164In, e164Out, idIn, idOut, instantOut, nameIn, pageQuery } from "./scalars.js";
import { failoverIn, sipUriIn } from "./sip-target.js";

/** As the database allows. A whisper keeps the caller waiting: 200 characters take about 12 s to say. */
const WHISPER_CHARS_MAX = 200;
const ANNOUNCEMENT_CHARS_MAX = 500;

/** Read out by the carrier's voice, inside its markup: no control characters, nor the two that no XML can hold. */
function spokenIn(charsMax: number) {
  return z
    .string()
    .trim()
    .min(1)
    .max(charsMax)
    .refine((text) => !/[\p{Cc}\uFFFE\uFFFF]/u.test(text), "must be one line of text to be spoken");
}

const settings = {
  name: nameIn.nullish(),
  sip_uri: sipUriIn.nullish(),
  failover: failoverIn.optional().meta({
    description: "E.164 numbers or SIP URIs, tried in order when the destination is busy or away",
  }),
  max_concurrent_calls: z.int().min(1).max(100_000).nullish(),
  ring_timeout_s: z.int().min(1).max(300).optional().meta({ description: "Per target; 30 when not given" }),
  caller_id: z.enum(CALLER_IDS).optional().meta({
    description:
      "What the business's phone shows on calls over SIP. caller: the caller's number as recorded, anonymous when there is none. promo_number: the number that was dialled, so that the business sees which line it is. Display names are never passed, but on a trunk in mode proxy, where From is the caller's own. caller when not given",
  }),
  pass_ids: z.boolean().optional().meta({
    description:
      "Calls over SIP: whether the business's INVITE carries X-Ringmatch-Call-ID, X-Ringmatch-Presentation-ID (matched calls) and X-Ringmatch-Promo-Number. false when not given",
  }),
  whisper: spokenIn(WHISPER_CHARS_MAX)
    .nullish()
    .meta({
      description:
        "Calls by carriers' webhooks: spoken to the business when it picks up, before it is connected, by carriers that can (docs/carriers.md). A change counts at once, for calls that ring already as well. null or not given: nothing is spoken",
      examples: ["Call from your spring campaign."],
    }),
  record_announcement: spokenIn(ANNOUNCEMENT_CHARS_MAX)
    .nullish()
    .meta({
      description:
        "Calls by carriers' webhooks are recorded, by carriers that can and kept there, only when callers have been told so: this text is spoken to the caller first, which answers the call. null or not given: no recording",
      examples: ["This call is recorded. If you do not agree, please hang up."],
    }),
  status: z.enum(DESTINATION_STATUSES).optional().meta({
    description:
      "tracked: visitors are presented promo numbers for it. discovered: seen on a page. ignored: pages keep it. tracked when not given",
  }),
};

export const newDestination = z.strictObject({ account_id: idIn.optional(), number: e164In, ...settings });

export const destinationChanges = z.strictObject(settings);

export const destinationQuery = z.strictObject({
  ...pageQuery,
  ...accountQuery,
  status: z.enum(DESTINATION_STATUSES).optional(),
});

export const destinationOut = z.object({
  id: idOut,
  account_id: idOut,
  number: e164Out,
  type: numberType,
  npa: z.string().nullable(),
  name: z.string().nullable(),
  sip_uri: z.string().nullable(),
  failover: z.array(z.string()),
  max_concurrent_calls: z.int().nullable(),
  ring_timeout_s: z.int(),
  caller_id: z.enum(CALLER_IDS),
  pass_ids: z.boolean(),
  whisper: z.string().nullable(),
  record_announcement: z.string().nullable(),
  status: z.enum(DESTINATION_STATUSES),
  created_at: instantOut,
  updated_at: instantOut,
});

export function showDestination(destination: Destination): z.output<typeof destinationOut> {
  return {
    id: destination.id,
    account_id: destination.accountId,
    number: destination.number,
    type: destination.numberType,
    npa: destination.npa,
    name: destination.name,
    sip_uri: destination.sipUri,
    failover: [...destination.failover],
    max_concurrent_calls: destination.maxConcurrentCalls,
    ring_timeout_s: destination.ringTimeoutS,
    caller_id: destination.callerId,
    pass_ids: destination.passIds,
    whisper: destination.whisper,
    record_announcement: destination.recordAnnouncement,
    status: destination.status,
    created_at: toIso(destination.createdAt),
    updated_at: toIso(destination.updatedAt),
  };
}
