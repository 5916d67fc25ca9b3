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
    ["sip:%zz@us", { To: "x" }, "%zz"],
  ])("%s %j is %s", (uri, headers, expected) => {
    expect(read(uri, headers)).toMatchObject({ promoNumber: expected });
  });

  it("is read in the trunk's country", () => {
    expect(read("sip:02079460018@uk", {}, { defaultCountry: "GB" })).toMatchObject({ promoNumber: "+442079460018" });
  });
});

describe("the caller", () => {
  it.each([
    ["From", {}, "+14155550123"],
    ["P-Asserted-Identity first", { "P-Asserted-Identity": "<sip:+14155550199@host>" }, "+14155550199"],
    ["a tel identity", { "P-Asserted-Identity": "<tel:+14155550199>" }, "+14155550199"],
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
