import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPrivateHost, parseSipTarget } from "../../src/http/contract/sip-target.js";

describe("parseSipTarget", () => {
  it.each([
    ["sip:pbx.example.com", "pbx.example.com"],
    ["sip:sales@pbx.example.com", "pbx.example.com"],
    ["SIPS:+14155550100@pbx.example.com:5061;transport=tls", "pbx.example.com"],
    ["sip:user:secret@192.0.2.1:5060", "192.0.2.1"],
    ["sip:a@[2001:db8::1]:5060;lr", "[2001:db8::1]"],
    ["sip:a%20b@example.com", "example.com"],
    ["sip:a@example.com.", "example.com."],
  ])("%s leads to %s", (text, host) => {
    expect(parseSipTarget(text)?.host).toBe(host);
  });

  it.each([
    "",
    "sip:",
    "sip:@example.com",
    "sip:a@",
    "http://example.com",
    "tel:+14155550100",
    "sip:a@exa mple.com",
    "sip:a@example.com\r\nVia: x",
    "sip:a@example.com\n",
    "sip:a@example.com?Route=x",
    "sip:a@example.com:0",
    "sip:a@example.com:99999",
    "sip:a@example..com",
    "sip:a@-example.com",
    "sip:a@300.1.1.1",
    "sip:a@[::1",
    "sip:a@[::zz]",
    "sip:a@example.com;maddr=",
    `sip:${"a".repeat(300)}@example.com`,
    "sip:a<b>@example.com",
    'sip:"a"@example.com',
  ])("%j is none", (text) => {
    expect(parseSipTarget(text)).toBeNull();
  });

  it("whatever is accepted holds nothing that ends a header line or a URI", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (user, rest) => {
        const text = `sip:${user}@example.com${rest}`;
        if (parseSipTarget(text) !== null) expect(text).not.toMatch(/[\s<>"\x00-\x1f\x7f]/);
      }),
    );
  });

  it("is quick about long nonsense", () => {
    const started = performance.now();
    for (const text of [`sip:${"a;".repeat(120)}`, `sip:a@${"a.".repeat(120)}!`, `sip:a@b.c${";a".repeat(120)}"`]) {
      expect(parseSipTarget(text)).toBeNull();
    }
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe("isPrivateHost", () => {
  it.each([
    "localhost",
    "LOCALHOST.",
    "redis",
    "db.internal",
    "printer.local",
    "a.localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]",
  ])("%s is private", (host) => {
    expect(isPrivateHost(host)).toBe(true);
  });

  it.each(["pbx.example.com", "198.41.0.4", "[2606:4700::1111]", "sip.telnyx.com.", "203.0.113.7", "[2001:db8::7]"])(
    "%s is public",
    (host) => {
      expect(isPrivateHost(host)).toBe(false);
    },
  );
});
