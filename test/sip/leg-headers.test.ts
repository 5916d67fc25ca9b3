import { expect, it } from "vitest";
import { type BusinessView, legHeaders } from "../../src/sip/leg-headers.js";
import type { Caller } from "../../src/sip/caller-identity.js";
import type { E164 } from "../../src/telephony/e164.js";

const caller: Caller = { kind: "number", number: "+14155550123" as E164 };
const business: BusinessView = {
  callerId: "caller",
  passIds: false,
  promoNumber: "+18885550100",
  callId: "call_1",
  presentationId: "prs_1",
};

const show = (who: Caller, changes: Partial<BusinessView> = {}) =>
  legHeaders({ caller: who, hops: 1, business: { ...business, ...changes } });

const shown = (user: string) => ({ From: `<sip:${user}@localhost>`, Contact: `<sip:${user}@localhost>` });
const nobody = { From: '"Anonymous" <sip:anonymous@anonymous.invalid>', Contact: "<sip:anonymous@localhost>" };
const hops = { "X-Ringmatch-Hops": "2" };

it.each<[string, Caller, Partial<BusinessView>, Record<string, string>]>([
  ["the caller's number", caller, {}, shown("+14155550123")],
  [
    "the promo number, when the business wants to see its line",
    caller,
    { callerId: "promo_number" },
    shown("+18885550100"),
  ],
  ["nobody, when the caller withholds the number", { kind: "withheld" }, {}, { ...nobody, Privacy: "id" }],
  ["nobody, without asking for more privacy, when there is no number", { kind: "unknown" }, {}, nobody],
  [
    "the promo number of a caller who withholds the own",
    { kind: "withheld" },
    { callerId: "promo_number" },
    shown("+18885550100"),
  ],
])("a business sees %s", (_name, who, changes, expected) => {
  expect(show(who, changes)).toEqual({ ...expected, ...hops });
});

it("gets our ids only when it asked for them, and no presentation when there is none", () => {
  const ids = { "X-Ringmatch-Call-ID": "call_1", "X-Ringmatch-Promo-Number": "+18885550100" };
  expect(show(caller, { passIds: true })).toEqual({
    ...shown("+14155550123"),
    ...ids,
    "X-Ringmatch-Presentation-ID": "prs_1",
    ...hops,
  });
  expect(show(caller, { passIds: true, presentationId: null })).toEqual({ ...shown("+14155550123"), ...ids, ...hops });
});

it("an announcement gets neither ids nor a choice", () => {
  expect(legHeaders({ caller, hops: 0, business: null })).toEqual({
    ...shown("+14155550123"),
    "X-Ringmatch-Hops": "1",
  });
});
