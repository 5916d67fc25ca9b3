/**
 * What an allocation request says of its visitor: campaign parameters and click ids become the touch, everything else custom data, by the names the client
 * uses (param1, site, search_keywords). Pure.
 */
import { isTouchParameter, TOUCH_VALUE_CHARS_MAX, touchOf } from "../../attribution/touch.js";
import { VISITOR_ID_PATTERN } from "../../kernel/ids.js";
import { CUSTOM_FIELDS_MAX } from "../../attribution/judging/custom-data.js";
import { safeTextOf } from "../safe-text.js";
import { storedUrl } from "../stored-visit.js";

/** Of our records; longer names are a mistake. */
const NAME_CHARS_MAX = 64;
/** Mean something to the API itself, not to the visitor's records. */
const RESERVED: ReadonlySet<string> = new Set([
  "ring_pool_key",
  "ringmatch_visitor_id",
  "landing_page",
  "referrer",
  "mobile_click_to_call",
  "oauth_token",
]);

export interface AllocationParams {
  readonly key: string;
  /** For clients that recognise their visitors; null: a new visitor, as in Invoca's API, which has no such parameter. */
  readonly visitorId: string | null;
  readonly landingPage: string | null;
  readonly touch: Readonly<Record<string, string>>;
  readonly customData: Readonly<Record<string, string>>;
  readonly context: Readonly<Record<string, unknown>>;
  /** Of the visitor, empty ones too. */
  readonly parameters: number;
}

/** @param query by name, decoded. @returns what is wrong, or the parameters */
export function readAllocationParams(query: Readonly<Record<string, string>>): AllocationParams | { refusal: string } {
  const given: Record<string, string> = {};
  const customData: Record<string, string> = {};
  let parameters = 0;
  for (const [name, raw] of Object.entries(query)) {
    if (!["ring_pool_key", "ringmatch_visitor_id", "oauth_token"].includes(name)) parameters++;
    if (RESERVED.has(name) || raw === "") continue;
    const text = safeTextOf(raw.slice(0, TOUCH_VALUE_CHARS_MAX));
    if (isTouchParameter(name)) given[name] = text;
    else if (name === "" || name.length > NAME_CHARS_MAX)
      return { refusal: `a parameter's name must have 1 to ${NAME_CHARS_MAX} characters` };
    else customData[safeTextOf(name)] = text;
  }
  if (Object.keys(customData).length > CUSTOM_FIELDS_MAX) {
    return { refusal: `at most ${CUSTOM_FIELDS_MAX} parameters are kept for a visitor` };
  }
  const landingPage = query["landing_page"] || null;
  const referrer = query["referrer"] || null;
  const visitorId = query["ringmatch_visitor_id"] ?? "";
  return {
    key: query["ring_pool_key"] ?? "",
    visitorId: VISITOR_ID_PATTERN.test(visitorId) ? visitorId : null,
    landingPage,
    touch: safeTouch(landingPage, given),
    customData,
    context: {
      ...(landingPage === null ? {} : { url: storedUrl(landingPage) }),
      ...(referrer === null ? {} : { referrer: storedUrl(referrer) }),
    },
    parameters,
  };
}

function safeTouch(landingPage: string | null, given: Record<string, string>): Record<string, string> {
  const touch = touchOf({ url: landingPage ?? "", given });
  return Object.fromEntries(Object.entries(touch).map(([name, value]) => [name, safeTextOf(value)]));
}
