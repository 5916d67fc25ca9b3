import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CUSTOM_DATA_MODELS,
  CUSTOM_FIELDS_MAX,
  customDataOf,
  UNIQUE_VALUES_MAX,
} from "../../src/attribution/judging/custom-data.js";
import { PRIOR_MODEL } from "../../src/attribution/judging/delay-model.js";
import { judge, type JudgeInput } from "../../src/attribution/judging/judge-call.js";
import { landingOf, type Visit } from "../../src/attribution/judging/visit.js";

const SITE = "https://shop.test";

function visit(url: string, changes: Partial<Visit> & { referrer?: string; landing?: object } = {}): Visit {
  const { referrer, landing, ...rest } = changes;
  const context = {
    url: `${SITE}${url}`,
    ...(referrer === undefined ? {} : { referrer }),
    ...(landing === undefined ? {} : { landing }),
  };
  return { presentationId: "prs_1", touch: {}, customData: {}, context, ...rest };
}

describe("the landing page of a call", () => {
  const ad = { utm_source: "google", gclid: "1" };
  const search = "https://www.google.com/";
  it.each([
    ["of one page view", [visit("/a", { referrer: search })], "/a", search],
    ["before pages of the same visit", [visit("/a", { touch: ad }), visit("/b", { touch: ad })], "/a", null],
    [
      "where a new touch came, not the older one",
      [visit("/a"), visit("/ad", { touch: ad }), visit("/b", { touch: ad, referrer: `${SITE}/ad` })],
      "/ad",
      null,
    ],
    [
      "where the visitor came back from another site with the same touch",
      [visit("/a", { touch: ad, referrer: search }), visit("/b", { touch: ad, referrer: "https://news.test/x" })],
      "/b",
      "https://news.test/x",
    ],
    [
      "of the matched presentation alone",
      [visit("/old", { presentationId: "prs_0", referrer: search }), visit("/new"), visit("/next")],
      "/new",
      null,
    ],
    [
      "that the tag remembers, though the log knows another page",
      [visit("/a"), visit("/b", { referrer: `${SITE}/a`, landing: { url: `${SITE}/ad`, referrer: search } })],
      "/ad",
      search,
    ],
    [
      "that the tag remembers, come to from the site itself",
      [visit("/b", { landing: { url: `${SITE}/ad`, referrer: `${SITE}/` } })],
      "/ad",
      null,
    ],
    [
      "with www or without it, the site itself refers nobody",
      [visit("/a", { referrer: "https://www.shop.test/" })],
      "/a",
      null,
    ],
  ])("%s", (_, visits, page, referrer) => {
    expect(landingOf(visits)).toEqual({ landingPage: `${SITE}${page}`, referrer });
  });

  it("is unknown without a log", () => {
    expect(landingOf([])).toEqual({ landingPage: null, referrer: null });
  });
});

describe("custom data of a record", () => {
  const presented = [
    { plan: "free", id: 7 },
    { plan: "pro", page: "a" },
    { plan: "free", page: "b" },
  ];
  it("is the last value of each field unless the account says first or unique", () => {
    expect(customDataOf(presented, { page: "first", plan: "unique" })).toEqual({
      id: 7,
      page: "a",
      plan: ["free", "pro"],
    });
    expect(customDataOf(presented, {})).toEqual({ id: 7, page: "b", plan: "free" });
  });

  it("keeps the fields of the latest presentation, then of earlier ones, by name", () => {
    const numbered = (from: number, prefix: string) =>
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${prefix}${String(from + i).padStart(2, "0")}`, i]));
    const fields = Object.keys(customDataOf([numbered(0, "old"), numbered(0, "new")], {}));
    expect(fields).toHaveLength(CUSTOM_FIELDS_MAX);
    expect(fields.filter((field) => field.startsWith("new"))).toHaveLength(20);
    expect(fields).toContain("old04");
    expect(fields).not.toContain("old05");
  });

  it("for any history: at most 25 fields, each value one that was given, unique values without repetition", () => {
    const value = fc.oneof(fc.string({ maxLength: 3 }), fc.integer({ min: 0, max: 50 }), fc.boolean());
    const field = fc.oneof(fc.string({ minLength: 1, maxLength: 2 }), fc.constantFrom("__proto__", "constructor"));
    const data = fc.dictionary(field, value, { maxKeys: 30 });
    const models = fc.dictionary(field, fc.constantFrom(...CUSTOM_DATA_MODELS));
    fc.assert(
      fc.property(fc.array(data, { maxLength: 40 }), models, (history, chosen) => {
        const result = customDataOf(history, chosen);
        expect(Object.keys(result).length).toBeLessThanOrEqual(CUSTOM_FIELDS_MAX);
        for (const [name, got] of Object.entries(result)) {
          const given = history.flatMap((one) => (Object.hasOwn(one, name) ? [one[name]] : []));
          const model = Object.hasOwn(chosen, name) ? chosen[name] : "last";
          if (model !== "unique") expect(got).toBe(given[model === "first" ? 0 : given.length - 1]);
          else expect(got).toEqual([...new Set(given)].slice(0, UNIQUE_VALUES_MAX));
        }
      }),
    );
  });
});

describe("a judgement", () => {
  const matched: JudgeInput = {
    call: {
      outcome: "matched",
      presentationId: "prs_1",
      touch: { gclid: "1" },
      customData: { a: 1 },
      receivedAt: 60_000,
    },
    candidates: [{ seq: 1, presentationId: "prs_1", visitorId: "A", presentedAt: 0, retainedUntil: 259_200_000 }],
    visits: [
      visit("/a", { presentationId: "prs_0", touch: { utm_source: "tv" } }),
      visit("/b", { touch: { gclid: "1" } }),
    ],
    model: { ...PRIOR_MODEL, id: 7 },
    customDataModels: {},
  };

  it("tells first and last touch apart, and names the model of its confidence", () => {
    const judged = judge(matched);
    expect(judged).toMatchObject({
      firstTouch: { utm_source: "tv" },
      landingPage: `${SITE}/b`,
      source: "google",
      medium: "cpc",
      campaign: null,
      channel: "paid_search",
      customData: {},
      delayModelId: 7,
    });
    expect(judged.confidence).toBeGreaterThan(0.95);
  });

  it("without a log keeps what the match saw, and has no confidence and no model", () => {
    const judged = judge({ ...matched, candidates: [], visits: [] });
    expect(judged).toMatchObject({
      ...{ confidence: null, delayModelId: null, firstTouch: null, landingPage: null, consent: null },
      ...{ customData: { a: 1 }, channel: "paid_search" },
    });
  });

  it.each(["overflow", "expired", "never_presented", "unattributable", "quarantined"] as const)(
    "%s says nothing of where the caller came from",
    (outcome) => {
      const call = { ...matched.call, outcome, presentationId: null, touch: null, customData: null };
      const judged = judge({ ...matched, call, visits: [] });
      expect(Object.values(judged).every((value) => value === null)).toBe(true);
    },
  );
});
