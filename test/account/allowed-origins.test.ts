import { describe, expect, it } from "vitest";
import { isOriginAllowed, normalizeOrigin } from "../../src/account/allowed-origins.js";

describe("an origin is kept as browsers write it", () => {
  it.each([
    ["https://www.example.com", "https://www.example.com"],
    [" HTTPS://WWW.Example.COM/ ", "https://www.example.com"],
    ["https://www.example.com:443", "https://www.example.com"],
    ["http://localhost:3000", "http://localhost:3000"],
    ["http://example.com:80", "http://example.com"],
    ["https://bücher.example", "https://xn--bcher-kva.example"],
    ["http://[::1]:8080", "http://[::1]:8080"],
    ["https://*.Example.com", "https://*.example.com"],
    ["https://*.example.com:8443", "https://*.example.com:8443"],
    ["https://*.example.com:443/", "https://*.example.com"],
  ])("%s", (text, origin) => {
    expect(normalizeOrigin(text)).toBe(origin);
  });

  it.each([
    "",
    "null",
    "*",
    "www.example.com",
    "ftp://example.com",
    "https://",
    "https://example.com/shop",
    "https://example.com?x",
    "https://user@example.com",
    "https://*",
    "https://*.com",
    "https://*.127.0.0.1",
    "https://*.[::1]",
    "https://*.*.example.com",
    "https://shop*.example.com",
    "https://a.*.example.com",
    "https://example.com:99999",
    "https://exa mple.com",
    "javascript:alert(1)",
  ])("not %s", (text) => {
    expect(normalizeOrigin(text)).toBeNull();
  });
});

describe("a page's origin is allowed", () => {
  const allowed = [
    "https://www.example.com",
    "https://*.example.org",
    "http://localhost:3000",
    "https://*.example.net:8443",
  ];
  it.each([
    "https://www.example.com",
    "https://WWW.example.com",
    "https://a.example.org",
    "https://a.b.example.org",
    "http://localhost:3000",
    "https://x.example.net:8443",
  ])("%s", (origin) => {
    expect(isOriginAllowed(origin, allowed)).toBe(true);
  });

  it.each([
    "null",
    "",
    "https://example.com",
    "http://www.example.com",
    "https://www.example.com:8443",
    "https://www.example.com.evil.example",
    "https://example.org",
    "https://.example.org",
    "https://notexample.org",
    "http://a.example.org",
    "https://a.example.org:444",
    "http://localhost:3001",
    "https://x.example.net",
  ])("not %s", (origin) => {
    expect(isOriginAllowed(origin, allowed)).toBe(false);
  });

  it("any, while none are listed", () => {
    expect(isOriginAllowed("null", [])).toBe(true);
  });
});
