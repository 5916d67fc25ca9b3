/** The small parsers: URIs, name-addr, Via, parameters, header names, lists; and who is who by address. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headerName } from "../../../src/sip/edge/header-names.js";
import { parseNameAddr } from "../../../src/sip/edge/name-addr.js";
import { isBehindNat, isPrivateAddress } from "../../../src/sip/edge/nat.js";
import { header, splitList } from "../../../src/sip/edge/sip-message.js";
import { parseDatagram } from "../../../src/sip/edge/sip-parser.js";
import { parseSipUri } from "../../../src/sip/edge/sip-uri.js";
import { writeMessage } from "../../../src/sip/edge/sip-writer.js";
import { createSourceFilter, plainAddress } from "../../../src/sip/edge/source-filter.js";
import { formatVia, parseVia, responseAddress, stampVia } from "../../../src/sip/edge/via.js";
import { withoutTag } from "../../../src/sip/edge/dialog.js";
import { frameTime } from "../../../src/sip/edge/app-protocol.js";

describe("SIP URIs", () => {
  it.each([
    ["sip:+18005550100@example.com", { user: "+18005550100", host: "example.com", port: null }],
    ["SIPS:a@Example.COM:5061;transport=TLS", { scheme: "sips", host: "example.com", port: 5061 }],
    ["sip:user;par=u%40example.net@example.com", { user: "user;par=u%40example.net" }],
    ["sip:user:password@h", { user: "user:password" }],
    ["sip:[2001:db8::1]:5060", { user: null, host: "2001:db8::1", port: 5060 }],
    ["sip:under_score.example.com", { host: "under_score.example.com" }],
    ["sip:a@b?Route=x", { hasHeaders: true }],
  ])("%s", (text, expected) => {
    expect(parseSipUri(text)).toMatchObject(expected);
  });

  it.each([
    "",
    "sip:",
    "sip:@host",
    "sip:a@",
    "sip:a@b@c",
    "sip:a b@c",
    "sip:a@b:0",
    "sip:a@b:65536",
    "sip:a@b:x",
    "sip:a%4@b",
    "sip:<a@b>",
    "sip:a@b;x=1;x=2",
    "sip:a@[::1",
    "sip:a@-b",
    "tel:+1800",
    "http://a",
    "sip:a@b;;lr",
    "sip:a@b; lr",
    'sip:"a"@b',
  ])("not %j", (text) => {
    expect(parseSipUri(text)).toBeNull();
  });
});

describe("name-addr", () => {
  it.each([
    ['"A, \\"B\\"" <sip:a@b;x=1>;tag=t', '"A, \\"B\\""', "sip:a@b;x=1", "t"],
    ["sip:a@b;tag=t", "", "sip:a@b", "t"],
    ["M\u00c3\u00bcller & Co. <sip:a@b> ; tag = t", "M\u00c3\u00bcller & Co.", "sip:a@b", "t"],
    ["<tel:+1800;phone-context=x>", "", "tel:+1800;phone-context=x", undefined],
  ])("%s", (text, display, uri, tag) => {
    const party = parseNameAddr(text);
    expect([party?.display, party?.uri, party?.params.get("tag")]).toEqual([display, uri, tag]);
  });

  it.each([
    '"open <sip:a@b>',
    "Bell, A <sip:a@b>",
    "< sip:a@b>",
    "<sip:a@b",
    "sip:a@b?x=1",
    "sip:a@b, sip:c@d",
    "<sip:a@b>;;x",
    "<sip:a@b>;x=",
    '<sip:a@b>;x="',
    "<sip:a@b> x",
    "nothing",
    "",
  ])("not %j", (text) => {
    expect(parseNameAddr(text)).toBeNull();
  });

  const untagged = (text: string): string | null => {
    const party = parseNameAddr(text);
    return party === null ? null : withoutTag(party);
  };

  it("loses its tag and nothing else", () => {
    expect(untagged('"A" <sip:a@b>;x=1;tag=t;y')).toBe('"A" <sip:a@b>;x=1;y');
    expect(untagged("sip:a@b;tag=t")).toBe("<sip:a@b>");
  });
});

describe("Via", () => {
  it("reads every spelling of RFC 4475 wsinv", () => {
    expect(parseVia("SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8")).toMatchObject({
      transport: "TCP",
      host: "spindle.example.com",
      port: null,
    });
    expect(parseVia("SIP/2.0/udp 192.0.2.1 : 5070;rport")).toMatchObject({ transport: "UDP", port: 5070 });
    expect(parseVia("SIP/2.0/UDP [2001:db8::1]:5070;branch=x")).toMatchObject({ host: "2001:db8::1" });
  });

  it.each([
    "",
    "SIP/2.0/UDP",
    "SIP/2.0 host",
    "SIP/2.0/UDP a b",
    "SIP/2.0/UDP a;;x",
    "HTTP/2.0/UDP a",
    "SIP/2.0/UDP a:99999",
  ])("not %j", (text) => {
    expect(parseVia(text)).toBeNull();
  });

  it.each([
    ["UDP 192.0.2.1;branch=b", "UDP 192.0.2.1;branch=b", { address: "192.0.2.1", port: 5060 }],
    [
      "UDP 10.0.0.1:5070;branch=b",
      "UDP 10.0.0.1:5070;branch=b;received=192.0.2.1",
      { address: "192.0.2.1", port: 5070 },
    ],
    [
      "UDP host;rport;branch=b",
      "UDP host;rport=6000;branch=b;received=192.0.2.1",
      { address: "192.0.2.1", port: 6000 },
    ],
    [
      "UDP 192.0.2.1:5070;rport;received=203.0.113.1",
      "UDP 192.0.2.1:5070;rport=6000;received=192.0.2.1",
      { address: "192.0.2.1", port: 6000 },
    ],
    ["UDP 192.0.2.1;maddr=224.0.1.75", "UDP 192.0.2.1;maddr=224.0.1.75", { address: "192.0.2.1", port: 5060 }],
  ])("%s from 192.0.2.1:6000 is stamped and answered", (text, stamped, to) => {
    const via = parseVia(`SIP/2.0/${text}`);
    if (via === null) throw new Error("no Via");
    const result = stampVia(via, { address: "192.0.2.1", port: 6000 });
    expect(formatVia(result)).toBe(`SIP/2.0/${stamped}`);
    expect(responseAddress(result)).toEqual(to);
  });
});

describe("header names and lists", () => {
  it.each([
    ["v", "via", "Via"],
    ["CALL-ID", "call-id", "Call-ID"],
    ["x-foo", "x-foo", "X-Foo"],
    ["X-FoO", "x-foo", "X-FoO"],
    ["p-asserted-identity", "p-asserted-identity", "P-Asserted-Identity"],
    ["rack", "rack", "RAck"],
    ["o", "event", "Event"],
  ])("%s", (written, key, name) => {
    expect(headerName(written)).toEqual({ key, name });
  });

  it("splits at commas outside quotes and brackets", () => {
    expect(splitList('"a, \\", b" <sip:x,y@z>, <sip:b>,c')).toEqual(['"a, \\", b" <sip:x,y@z>', "<sip:b>", "c"]);
  });

  it("a written message is read back as it was", () => {
    const values = fc.string({
      unit: fc
        .integer({ min: 0x21, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(
        fc.array(values, { maxLength: 8 }),
        fc.string({ unit: "binary-ascii", maxLength: 100 }),
        (texts, body) => {
          const message = {
            kind: "request" as const,
            method: "INFO",
            uri: "sip:a@b",
            headers: texts.map((text, i) => header(`X-${i}`, text)),
            body,
          };
          const parsed = parseDatagram(writeMessage(message));
          expect(parsed).toMatchObject({ kind: "message", problem: null, message: { method: "INFO", body } });
          if (parsed.kind === "message")
            expect(parsed.message.headers.slice(0, texts.length).map((one) => one.value)).toEqual(texts);
        },
      ),
    );
  });

  it("never throws, whatever the datagram", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii", maxLength: 400 }), (text) => void parseDatagram(text)),
      { numRuns: 500 },
    );
  });

  it("is quick with hostile input: 64 KB of folds, spaces, quotes or commas in under 100 ms", () => {
    for (const piece of [" \t", "\r\n ", '"', "\\", ",", ";", "<", "a:", "\r\n", "SIP/2.0 "]) {
      const text = `INVITE sip:a@b SIP/2.0\r\nTo: ${piece.repeat(65_000 / piece.length)}`;
      const start = performance.now();
      const parsed = parseDatagram(text);
      if (parsed.kind === "message") for (const one of parsed.message.headers) parseNameAddr(one.value);
      parseVia(`SIP/2.0/UDP ${piece.repeat(8_000 / piece.length)}`);
      splitList(piece.repeat(8_000 / piece.length));
      expect(performance.now() - start).toBeLessThan(100);
    }
  });
});

describe("addresses", () => {
  it("are trusted by CIDR, IPv4 in either spelling and IPv6", () => {
    const filter = createSourceFilter();
    filter.allow(["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"]);
    for (const inside of ["192.0.2.255", "2001:db8:1::1", "198.51.100.7", plainAddress("::ffff:192.0.2.1")])
      expect(filter.verdict(inside)).toBe("trusted");
    for (const outside of ["192.0.3.0", "2001:db9::1", "198.51.100.8"])
      expect(filter.verdict(outside)).toBe("stranger");
    filter.allow(["0.0.0.0/0", "::/0"]);
    expect([filter.verdict("192.0.3.0"), filter.verdict("2001:db9::1")]).toEqual(["trusted", "trusted"]);
    expect(plainAddress("fe80::1%eth0")).toBe("fe80::1");
  });

  it("are peers as long as somebody holds them", () => {
    const filter = createSourceFilter();
    const releases = [filter.hold("192.0.2.1"), filter.hold("192.0.2.1")];
    releases[0]?.();
    expect(filter.verdict("192.0.2.1")).toBe("peer");
    releases[1]?.();
    expect(filter.verdict("192.0.2.1")).toBe("stranger");
  });

  it("behind a NAT are private ones heard from a public one; 172.32/11 is public", () => {
    expect(isBehindNat("10.1.2.3", "203.0.113.1")).toBe(true);
    expect(isBehindNat("203.0.113.2", "203.0.113.1")).toBe(false);
    expect(isBehindNat("10.1.2.3", "10.9.9.9")).toBe(false);
    expect(isBehindNat("pbx.example.com", "203.0.113.1")).toBe(false);
    expect(isPrivateAddress("172.31.0.1")).toBe(true);
    expect(isPrivateAddress("172.32.0.1")).toBe(false);
  });
});

it("frame times are UTC with microseconds", () => {
  expect(frameTime(Date.UTC(2026, 1, 3, 4, 5, 6, 78))).toBe("04:05:06.078000");
});
