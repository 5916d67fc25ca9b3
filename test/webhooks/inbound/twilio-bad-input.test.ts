import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { parseForm, peekFormField } from "../../../src/webhooks/inbound/reading/form-body.js";
import { freshDatabase } from "../../support/database.js";
import { makeWorld } from "../../support/world.js";
import { incomingCall, type Params } from "../support/twilio-stand-in.js";
import { PLATFORM_TOKEN, PUBLIC_URL, putTwilio, startWebhooks, storedRows } from "../support/webhook-service.js";

const { db } = await freshDatabase();
await putTwilio(db);
const service = await startWebhooks(db);
afterAll(() => service.stop());
const number = (await makeWorld(db, 1)).numbers[0] as string;

const VOICE = "/webhooks/twilio/voice";
const FORM = "application/x-www-form-urlencoded";

/** Sends these bytes; signed over `params` when given. */
async function send(
  body: string | Buffer | URLSearchParams | null,
  options: { type?: string; path?: string; params?: Params | Record<string, unknown> } = {},
): Promise<{ status: number; code: unknown }> {
  const { type = FORM, path = VOICE, params } = options;
  const signature = params === undefined ? "x" : getExpectedTwilioSignature(PLATFORM_TOKEN, PUBLIC_URL + path, params);
  const headers = { "x-twilio-signature": signature, ...(type === "" ? {} : { "content-type": type }) };
  const response = await fetch(service.server + path, { method: "POST", body, headers });
  const text = await response.text();
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  return { status: response.status, code: isProblem ? (JSON.parse(text) as { code: unknown }).code : null };
}

const signedForm = (params: Params, path = VOICE) => send(new URLSearchParams(params), { params, path, type: FORM });

describe("what cannot be taken", () => {
  let before = 0;
  beforeEach(async () => {
    before = await storedRows(db);
  });
  afterEach(async () => {
    expect(await storedRows(db)).toBe(before);
  });

  it("a body over 64 kB is 413", async () => {
    const params = incomingCall(number, { FromCity: "x".repeat(64 * 1024) });
    expect(await signedForm(params)).toEqual({ status: 413, code: "too_large" });
  });

  it("a body that is no form is 415", async () => {
    for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x", "*/*"]) {
      expect(await send('{"To":"+18885550100"}', { type })).toEqual({ status: 415, code: "unsupported_media_type" });
    }
  });

  it("bytes that are no UTF-8 are 400, plain and percent-encoded", async () => {
    const bytes = Buffer.concat([Buffer.from(`To=${encodeURIComponent(number)}&FromCity=`), Buffer.from([0xff, 0xfe])]);
    for (const body of [bytes, "To=%2B18885550100&FromCity=%FF%FE", "To=%FF", "To=%", "%zz=1"]) {
      expect(await send(body)).toEqual({ status: 400, code: "unreadable_body" });
    }
  });

  it("an empty body, and one without To, is 403 unsigned and 422 signed by the platform", async () => {
    const { To: _, ...rest } = incomingCall(number);
    const bodies: Params[] = [{}, rest, { ...rest, To: "" }];
    for (const params of bodies) {
      expect(await send(new URLSearchParams(params))).toEqual({ status: 403, code: "bad_signature" });
      expect(await signedForm(params)).toEqual({ status: 422, code: "invalid_value" });
    }
    expect((await send(null, { type: "" })).status).toBe(403);
  });

  it("a missing, endless or unprintable CallSid is 422", async () => {
    for (const CallSid of ["", "x".repeat(257), "CA\u0000", "CA 1", "CÄ"]) {
      for (const path of [VOICE, "/webhooks/twilio/dial?attempt=0", "/webhooks/twilio/status"]) {
        const params = incomingCall(number, { CallSid, DialCallStatus: "busy" });
        expect(await signedForm(params, path)).toEqual({ status: 422, code: "invalid_value" });
      }
    }
  });

  it("a field that comes twice where one is meant is 422", async () => {
    for (const field of ["CallSid", "To", "From"]) {
      const params = incomingCall(number);
      const body = new URLSearchParams(params);
      body.append(field, "+18885559999");
      const repeated = { ...params, [field]: [params[field], "+18885559999"] };
      expect(await send(body, { params: repeated })).toEqual({ status: 422, code: "invalid_value" });
    }
  });

  it("a dial callback without a result, and a status callback without a status, is 422", async () => {
    const call = incomingCall(number, { CallStatus: "" });
    for (const DialCallStatus of ["", "exploded"]) {
      const sent = await signedForm({ ...call, DialCallStatus }, "/webhooks/twilio/dial?attempt=0");
      expect(sent).toEqual({ status: 422, code: "invalid_value" });
    }
    expect(await signedForm(call, "/webhooks/twilio/status")).toEqual({ status: 422, code: "invalid_value" });
  });
});

it("other methods and other carriers do not exist", async () => {
  expect((await fetch(service.server + VOICE)).status).toBe(404);
  expect((await send("To=1", { path: "/webhooks/nobody/voice" })).status).toBe(404);
  expect((await send("To=1", { path: "/webhooks/twilio/other" })).status).toBe(404);
});

it("signed nonsense is answered, never with a 500", async () => {
  const value = fc.oneof(
    fc.constantFrom("", number, "completed", "no-answer", "busy", "-1", "1e9", "999999", "\u0000", "💥", "__proto__"),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const key = fc.constantFrom(
    ...["CallSid", "To", "From", "CallStatus", "DialCallStatus", "DialCallDuration", "CallDuration", "ParentCallSid"],
    ...["Timestamp", "StirVerstat", "SequenceNumber", "DialSipResponseCode", "__proto__", "constructor", "toString"],
  );
  const query = fc.record({ attempt: value, called: value, destination: value });
  const path = fc.tuple(fc.constantFrom("voice", "dial", "status"), query).map(([kind, fields]) => {
    return `/webhooks/twilio/${kind}?${new URLSearchParams(fields).toString()}`;
  });
  const fields = fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name });
  await fc.assert(
    fc.asyncProperty(path, fields, async (target, pairs) => {
      const params = Object.assign(Object.create(null), {}) as Record<string, string>;
      for (const [name, text] of pairs) params[name] = text;
      const sent = await send(new URLSearchParams(pairs), { params, path: target });
      expect([200, 422]).toContain(sent.status);
    }),
    { numRuns: 300 },
  );
});

describe("form bodies", () => {
  it("read what URLSearchParams writes, whatever is in it", () => {
    const text = fc.string({ unit: "binary", maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const params = parseForm(Buffer.from(new URLSearchParams(pairs).toString()));
        for (const [name] of pairs) {
          const values = pairs.filter(([other]) => other === name).map(([, value]) => value);
          expect(params[name]).toEqual(values.length === 1 ? values[0] : values);
        }
        expect(Object.keys(params).length).toBe(new Set(pairs.map(([name]) => name)).size);
      }),
    );
  });

  it("are peeked into without reading other fields", () => {
    expect(peekFormField(Buffer.from("From=%FF&To=%2B1888&To=2"), "To")).toBe("+1888");
    expect(peekFormField(Buffer.from("XTo=1&To"), "To")).toBe(null);
    expect(peekFormField(Buffer.from("To="), "To")).toBe(null);
    expect(peekFormField(Buffer.alloc(0), "To")).toBe(null);
  });
});
