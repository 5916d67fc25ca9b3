import { describe, expect, it } from "vitest";
import { outboundOf, targetUri } from "../../src/sip/target-uri.js";

const number = { kind: "number", number: "+18005550100" } as const;

describe("a call to a plain number leaves", () => {
  it.each([
    ["sip:gw.example.com", "udp", "sip:+18005550100@gw.example.com"],
    ["sip:gw.example.com:5070", "tcp", "sip:+18005550100@gw.example.com:5070;transport=tcp"],
    ["sip:[2001:db8::1]:5061", "tls", "sip:+18005550100@[2001:db8::1]:5061;transport=tls"],
    ["sip:gw.example.com;transport=udp", "tls", "sip:+18005550100@gw.example.com;transport=udp"],
    ["sip:gw.example.com;lr;Transport=tcp", "tls", "sip:+18005550100@gw.example.com;lr;Transport=tcp"],
    ["sips:gw.example.com", "tls", "sips:+18005550100@gw.example.com"],
    ["sips:gw.example.com", "tcp", "sips:+18005550100@gw.example.com"],
    ["sip:trunk1@gw.example.com", "udp", "sip:+18005550100@gw.example.com"],
  ] as const)("by %s of a %s trunk to %s", (outboundUri, transport, expected) => {
    expect(targetUri(number, outboundOf({ outboundUri, transport }))).toBe(expected);
  });

  it("nowhere without an outbound_uri", () => {
    expect(targetUri(number, outboundOf({ outboundUri: null, transport: "tls" }))).toBeNull();
  });
});

it("a SIP target is called as it is stored, whatever the trunk's transport", () => {
  const target = { kind: "sip", uri: "sip:desk@pbx.example.com" } as const;
  expect(targetUri(target, outboundOf({ outboundUri: "sip:gw", transport: "tls" }))).toBe(target.uri);
});
