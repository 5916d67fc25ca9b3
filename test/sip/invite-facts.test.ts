import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Trunk } from "../../src/account/trunks.store.js";
import { HOPS_HEADER, HOPS_MAX, readInvite } from "../../src/sip/invite-facts.js";

const trunk: Trunk = {
  name: "carrier",
  sourceCidrs: ["192.0.2.0/24"],
  transport: "udp",
  defaultCountry: "US",
  maxCps: null,
  maxCalls: null,
  outboundUri: null,
  mode: "b2bua",
  trustIdentity: true,
};

const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=t1';

const BASE = {
  "Call-ID": "abc@host",
  From: '"A" <sip:+14155550123@host>;tag=t1',
  To: "<sip:+18885550100@us>",
  Contact: "<sip:a@host:5070>",
};

function read(uri: string, headers: Record<string, string> = {}, on: Partial<Trunk> = {}) {
  const all: Record<string, string> = { ...BASE, ...headers };
  const facts = readInvite({ uri, get: (name) => all[name] }, { trunk: { ...trunk, ...on }, node: "n1" });
  return facts.kind === "call" ? facts.call : facts;
}

describe("the called number", () => {
  it.each([
    ["sip:+18885550100@us", {}, "+18885550100"],
    ["sip:18885550100@us:5060;transport=udp", {}, "+18885550100"],
    ["sip:8885550100@us", {}, "+18885550100"],
    ["sip:+1-888-555-0100@us", {}, "+18885550100"],
    ["sip:+18885550100;npdi;rn=+1@us", {}, "+18885550100"],
    ["tel:+18885550100;phone-context=x", {}, "+18885550100"],
    ["sip:%2B18885550100@us", {}, "+18885550100"],
    ["sip:trunk@us", { "P-Called-Party-ID": "<sip:+18885550101@us>" }, "+18885550101"],
    ["sip:us", { To: "<sip:+18885550102@us>" }, "+18885550102"],
    ["sip:bob@us", { To: "<sip:bob@us>" }, "bob"],
    ["sip:18885550100:secret@us", {}, "+18885550100"],
    ["sip:18885550100;verstat=No-TN-Validation@us;user=phone", {}, "+18885550100"],
    ["sips:+18885550100@[2001:db8::1]:5061;user=phone", {}, "+18885550100"],
    ["SIP:+18885550100@us;user=ip", {}, "+18885550100"],
    ["sip:%2b1%20888%20555-0100@us", {}, "+18885550100"],
    ["sip:8885550100;phone-context=+1@us;user=phone", {}, "+18885550100"],
    ["sip:8885550100;phone-context=%2B1@us;user=phone", {}, "+18885550100"],
    ["sip:5550100;phone-context=+1888@us;user=phone", {}, "+18885550100"],
    ["sip:18885550100;phone-context=+1@us", {}, "+18885550100"],
    ["sip:+18885550100;phone-context=+44@us", {}, "+18885550100"],
    ["sip:8885550100;phone-context=us.example.com@us", {}, "+18885550100"],
    ["tel:888-555-0100;phone-context=+1", {}, "+18885550100"],
    ["tel:2079460018;phone-context=+44", {}, "+442079460018"],
    ["TEL:+1(888)555.0100", {}, "+18885550100"],
    ["sip:+18885550100;rn=+12125550000;npdi@us", {}, "+18885550100"],
    ["sip:011442079460018@us", {}, "+442079460018"],
    ["sip:00442079460018@us", {}, "+442079460018"],
    ["sip:0018885550100@us", {}, "+18885550100"],
    ["sip:1800FLOWERS@us", { To: "<sip:1800FLOWERS@us>" }, "1800FLOWERS"],
    ["sip:1800FLOWERS@us", { To: "<sip:+18885550102@us>" }, "+18885550102"],
    ["sip:911@us", { To: "<sip:911@us>" }, "911"],
    ["sip:5550100@us", { To: "<sip:5550100@us>" }, "5550100"],
    ["sip:us", { To: "<tel:+18885550102>;tag=x" }, "+18885550102"],
    ["sip:us", { To: '"<sip:+18885550103@evil>" <sip:+18885550102@us>' }, "+18885550102"],
    ["sip:us", { To: "sip:+18885550102@us;tag=x" }, "+18885550102"],
    [
      "sip:us",
      { "P-Called-Party-ID": "<sip:bob@us>, <tel:+18885550101>", To: "<sip:+18885550102@us>" },
      "+18885550101",
    ],
    ["sip:us", { "P-Called-Party-ID": '"broken', To: "<sip:+18885550102@us>" }, "+18885550102"],
    [
      "sip:+18885550100@us",
      { "P-Called-Party-ID": "<sip:+18885550101@us>", To: "<sip:+18885550102@us>" },
      "+18885550100",
    ],
    ["urn:service:sos", { To: "<urn:service:sos>" }, "urn:service:sos"],
    ["sip:%zz@us", { To: "x" }, "%zz"],
  ])("%s %j is %s", (uri, headers, expected) => {
    expect(read(uri, headers)).toMatchObject({ promoNumber: expected });
  });

  it.each([
    ["GB", "02079460018", "+442079460018"],
    ["GB", "0018885550100", "+18885550100"],
    ["GB", "18885550100", "18885550100"],
    ["AU", "001118885550100", "+18885550100"],
    ["AU", "0018885550100", "+18885550100"],
    ["JP", "01018885550100", "+18885550100"],
    ["JP", "0018885550100", "+18885550100"],
    ["DE", "03012345678", "+493012345678"],
    ["US", "0018885550100", "+18885550100"],
    ["US", "+442079460018", "+442079460018"],
  ])("is read in the trunk's country: %s %s is %s", (defaultCountry, user, expected) => {
    const To = `<sip:${user}@here>`;
    expect(read(`sip:${user}@here`, { To }, { defaultCountry })).toMatchObject({ promoNumber: expected });
  });
});

describe("the caller", () => {
  it.each([
    ["From", {}, "+14155550123"],
    ["P-Asserted-Identity first", { "P-Asserted-Identity": "<sip:+14155550199@host>" }, "+14155550199"],
    ["a tel identity", { "P-Asserted-Identity": "<tel:+14155550199>" }, "+14155550199"],
    [
      "the first identity that is a number",
      { "P-Asserted-Identity": "<sip:bob@h>,<tel:+14155550199>" },
      "+14155550199",
    ],
    [
      "two identities in one field",
      { "P-Asserted-Identity": "<sip:+14155550199@h>, <tel:+14155550198>" },
      "+14155550199",
    ],
    ["From, when the identity cannot be read", { "P-Asserted-Identity": '"x <sip:+14155550199@h>' }, "+14155550123"],
    ["From, when the identity is no number", { "P-Asserted-Identity": "<sip:bob@h>" }, "+14155550123"],
    ["never the display name", { From: '"<sip:+14155550199@h>" <sip:+14155550123@h>;tag=t1' }, "+14155550123"],
    ["anonymous From with an identity", { From: ANONYMOUS, "P-Asserted-Identity": "<sip:+14155550199@host>" }, null],
    ["anonymous at another host", { From: "<sip:Anonymous@carrier.example>;tag=t1" }, null],
    ["From that spells anonymous", { From: "<sip:+266696687@carrier.example>;tag=t1" }, null],
    ["an anonymous identity", { "P-Asserted-Identity": "<sip:anonymous@anonymous.invalid>" }, null],
    ["Privacy: user", { Privacy: "user" }, null],
    ["Privacy: header", { Privacy: "Header;critical" }, null],
    ["Privacy: id, without identity", { Privacy: " id " }, null],
    ["Privacy in two fields", { Privacy: "none,id" }, null],
    ["Privacy: none", { Privacy: "none" }, "+14155550123"],
    ["Privacy: session", { Privacy: "session;critical" }, "+14155550123"],
    ["Privacy that means nothing", { Privacy: "idle, username" }, "+14155550123"],
    ["anonymous From", { From: '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=t1' }, null],
    ["Privacy: id", { Privacy: "id", "P-Asserted-Identity": "<sip:+14155550199@host>" }, null],
    ["no number", { From: "<sip:alice@host>;tag=t1" }, null],
  ])("%s", (_name, headers, expected) => {
    expect(read("sip:+18885550100@us", headers)).toMatchObject({ caller: expected });
  });

  it("is believed to be what P-Asserted-Identity says only on trunks that are trusted with it", () => {
    const forged = { "P-Asserted-Identity": "<sip:+14155550199@host;verstat=TN-Validation-Passed-A>" };
    expect(read("sip:+18885550100@us", forged)).toMatchObject({
      caller: "+14155550199",
      verstat: "TN-Validation-Passed-A",
    });
    expect(read("sip:+18885550100@us", forged, { trustIdentity: false })).toMatchObject({
      caller: "+14155550123",
      verstat: null,
    });
  });
});

describe("verstat", () => {
  const passed = "TN-Validation-Passed-A";
  const from = (party: string) => ({ From: `${party};tag=t1` });
  const asserted = (party: string) => ({ "P-Asserted-Identity": party });

  it.each([
    ["in the user part of From", from(`<sip:+14155550123;verstat=${passed}@h;user=phone>`), passed],
    ["after the host of From", from(`<sip:+14155550123@h;user=phone;verstat=${passed}>`), passed],
    ["as header parameter of From", from(`<sip:+14155550123@h>;verstat=${passed}`), passed],
    ["quoted, as header parameter", from(`<sip:+14155550123@h>;verstat="${passed}"`), passed],
    ["in the user part of an asserted SIP URI", asserted(`<sip:+14155550199;verstat=${passed}@h;user=phone>`), passed],
    ["after the host of an asserted SIP URI", asserted(`<sip:+14155550199@h;verstat=${passed}>`), passed],
    ["as header parameter of an asserted identity", asserted(`<sip:+14155550199@h>;verstat=${passed}`), passed],
    ["of an asserted tel URI", asserted(`<tel:+14155550199;verstat=${passed}>`), passed],
    [
      "on the second form of the same number",
      asserted(`<sip:+14155550199@h>,<tel:+14155550199;verstat=${passed}>`),
      passed,
    ],
    [
      "in From, of the same number as asserted",
      { ...from(`<sip:+14155550199;verstat=${passed}@h>`), ...asserted("<tel:+14155550199>") },
      passed,
    ],
    ["of a withheld number", { ...asserted(`<tel:+14155550199;verstat=${passed}>`), Privacy: "id" }, passed],
    [
      "in From, of another number than the asserted one",
      { ...from(`<sip:+14155550123;verstat=${passed}@h>`), ...asserted("<tel:+14155550199>") },
      null,
    ],
    ["in a display name, where a caller can write it", from(`"x;verstat=${passed}" <sip:+14155550123@h>`), null],
    ["that is no token", from('<sip:+14155550123@h>;verstat="a b"'), null],
    ["that is empty", asserted("<sip:+14155550199;verstat=@h>"), null],
    ["nowhere", {}, null],
  ])("%s", (_name, headers, expected) => {
    expect(read("sip:+18885550100@us", headers)).toMatchObject({ verstat: expected });
    expect(read("sip:+18885550100@us", headers, { trustIdentity: false })).toMatchObject({ verstat: null });
  });
});

describe("the number that forwarded the call", () => {
  const diverted = (value: string) => ({ Diversion: value });
  const history = (...entries: string[]) => ({ "History-Info": entries.join(",") });

  it.each([
    ["of Diversion", diverted('"Desk" <sip:+12125550100@pbx>;reason=unconditional;counter=1'), "+12125550100"],
    [
      "the newest of several",
      diverted("<sip:+12125550101@pbx>;reason=no-answer, <sip:+12125550100@pbx>"),
      "+12125550101",
    ],
    ["in the trunk's country", diverted("<tel:2125550100>;reason=deflection"), "+12125550100"],
    ["the next, where the newest is no number", diverted("<sip:bob@pbx>,<sip:+12125550100@pbx>"), "+12125550100"],
    ["the next, where the newest cannot be read", diverted("<sip:+1 2>,<sip:+12125550100@pbx>"), "+12125550100"],
    ["that withholds its name only", diverted("<sip:+12125550100@pbx>;privacy=name"), "+12125550100"],
    ["that withholds itself", diverted("<sip:+12125550101@pbx>;privacy=full,<sip:+12125550100@pbx>"), null],
    ["that withholds its URI", diverted('<sip:+12125550101@pbx>;privacy="uri"'), null],
    ["that is anonymous", diverted("<sip:anonymous@anonymous.invalid>,<sip:+12125550100@pbx>"), null],
    ["that spells anonymous", diverted("<sip:+266696687@carrier>,<sip:+12125550100@pbx>"), null],
    ["of nonsense", diverted(';;<<>>,,"%zz'), null],
    ["of an empty field", diverted(""), null],
    [
      "of Diversion before History-Info",
      { ...diverted("<sip:bob@pbx>"), ...history("<sip:+12125550100@h>;index=1", "<sip:+1@h>;index=1.1") },
      null,
    ],
    [
      "the History-Info entry before the last",
      history(
        "<sip:+12125550100@h>;index=1",
        "<sip:+12125550101@h>;index=1.1",
        "<sip:+18885550100;cause=302@us>;index=1.1.1",
      ),
      "+12125550101",
    ],
    [
      "by index, not by place",
      history("<sip:+18885550100@us>;index=1.10", "<sip:+12125550101@h>;index=1.9", "<sip:+12125550100@h>;index=1"),
      "+12125550101",
    ],
    [
      "with a reason in its URI",
      history("<sip:+12125550100@h?Reason=SIP%3Bcause%3D302>;index=1", "<sip:+18885550100@us>;index=1.1"),
      "+12125550100",
    ],
    ["where nobody forwarded", history("<sip:+18885550100@us>;index=1"), null],
    [
      "where a carrier moved the call on within itself",
      history("<sip:+18885550100@a>;index=1", "<sip:+18885550100@us>;index=1.1"),
      null,
    ],
    [
      "whose entry withholds itself",
      history("<sip:+12125550100@h?Privacy=history>;index=1", "<sip:+18885550100@us>;index=1.1"),
      null,
    ],
    [
      "whose entries are withheld",
      { ...history("<sip:+12125550100@h>;index=1", "<sip:+18885550100@us>;index=1.1"), Privacy: "history" },
      null,
    ],
    ["of entries without index", history("<sip:+12125550100@h>", "<sip:+18885550100@us>;index=x"), null],
    ["that was not named", {}, null],
  ])("%s", (_name, headers, expected) => {
    expect(read("sip:+18885550100@us", headers)).toMatchObject({ diversion: expected });
    expect(read("sip:+18885550100@us", headers, { trustIdentity: false })).toMatchObject({ diversion: null });
  });
});

it("nothing in a header is an error", () => {
  const names = ["To", "P-Called-Party-ID", "P-Asserted-Identity", "Privacy", "Diversion", "History-Info", HOPS_HEADER];
  const pieces = [
    "<",
    ">",
    '"',
    ";",
    ",",
    "=",
    "%",
    "@",
    ":",
    "sip:",
    "tel:",
    "+1888",
    "index=1.1",
    "verstat=",
    "\\",
    " ",
  ];
  const text = fc
    .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 5 })), { maxLength: 20 })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.dictionary(fc.constantFrom(...names), text), (uri, headers) => {
      const facts = read(uri, headers);
      if ("kind" in facts) return;
      expect(facts.promoNumber.length).toBeLessThanOrEqual(64);
      for (const number of [facts.caller, facts.diversion]) if (number !== null) expect(number).toMatch(/^\+\d{7,15}$/);
    }),
    { numRuns: 2_000 },
  );
});

describe("an INVITE", () => {
  it("is the same call by trunk, Call-ID and From tag", () => {
    expect(read("sip:+18885550100@us")).toMatchObject({
      ingressKey: "sip:carrier:abc@host:t1",
      ingressCallId: "abc@host",
    });
  });

  it.each([
    [{ "Call-ID": "" }],
    [{ Contact: "" }],
    [{ Contact: "*" }],
    [{ From: "<sip:+14155550123@host>" }],
    [{ From: "<sip:a@h;tag=inside>" }],
  ])("without identity (%j) is malformed", (headers) => {
    expect(read("sip:+18885550100@us", headers)).toMatchObject({ kind: "malformed" });
  });

  it("that keeps coming back to us is a loop", () => {
    expect(read("sip:+18885550100@us", { [HOPS_HEADER]: String(HOPS_MAX) })).toMatchObject({ kind: "loop" });
    expect(read("sip:+18885550100@us", { [HOPS_HEADER]: "junk" })).toMatchObject({ promoNumber: "+18885550100" });
  });
});
