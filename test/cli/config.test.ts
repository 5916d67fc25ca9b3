import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";

const dir = mkdtempSync(join(tmpdir(), "ringmatch-config-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const KEY = "0123456789abcdef";
const PRODUCTION = { DATABASE_URL: "postgres://u:p@db/ringmatch", SECRETS_KEY: KEY };

describe("the configuration", () => {
  it("works with nothing set: embedded, on loopback, all roles", () => {
    expect(loadConfig({ PATH: "/bin" })).toMatchObject({
      isEmbedded: true,
      httpListen: { host: "127.0.0.1", port: 8080 },
      sipListen: [
        { transport: "udp", host: "127.0.0.1", port: 5060 },
        { transport: "tcp", host: "127.0.0.1", port: 5060 },
      ],
      dataDir: ".ringmatch",
      roles: ["sip", "http", "jobs"],
      presentTrustedCidrs: ["127.0.0.0/8", "::1/128"],
      secretsKey: null,
      searchPath: "/bin",
    });
  });

  it("listens to everybody and trusts nobody with a DATABASE_URL", () => {
    expect(loadConfig(PRODUCTION)).toMatchObject({
      isEmbedded: false,
      httpListen: { host: "0.0.0.0", port: 8080 },
      presentTrustedCidrs: [],
    });
  });

  it("takes an empty variable for unset, and trims", () => {
    expect(loadConfig({ HTTP_LISTEN: "  ", DATABASE_URL: "", LOG_LEVEL: " warn " })).toMatchObject({
      isEmbedded: true,
      logLevel: "warn",
    });
  });

  it("reads secrets from files, and refuses both ways at once and files that are not there", () => {
    const file = join(dir, "key");
    writeFileSync(file, `${KEY}\n`);
    expect(loadConfig({ ...PRODUCTION, SECRETS_KEY: undefined, SECRETS_KEY_FILE: file }).secretsKey).toBe(KEY);
    expect(() => loadConfig({ ...PRODUCTION, SECRETS_KEY_FILE: file })).toThrowError(/SECRETS_KEY_FILE set either/);
    expect(() => loadConfig({ SECRETS_KEY_FILE: join(dir, "none") })).toThrowError(/SECRETS_KEY_FILE cannot be read/);
  });

  it.each([
    [{ HTTP_LISTEN: "[::1]:0" }, { httpListen: { host: "::1", port: 0 } }],
    [{ PUBLIC_BASE_URL: "https://calls.example/" }, { publicBaseUrl: "https://calls.example" }],
    [{ FALLBACK_BASE_URL: "https://static.example/r/" }, { fallbackBaseUrl: "https://static.example/r" }],
    [{ FALLBACK_BASE_URL: "http://static.example" }, { fallbackBaseUrl: "http://static.example" }],
    [{ FALLBACK_BASE_URL: " " }, { fallbackBaseUrl: null }],
    [{ ROLES: "http, jobs,http" }, { roles: ["http", "jobs"] }],
    [{ ADMIN_API_KEY: " schlüssel 密鑰 with 24 char " }, { adminApiKey: "schlüssel 密鑰 with 24 char" }],
    [{ ADMIN_API_KEY: "k".repeat(14_000) }, { adminApiKey: "k".repeat(14_000) }],
    [{ ROLES: "all" }, { roles: ["sip", "http", "jobs"] }],
    [
      { DRACHTIO_URL: "drachtio://:s@a:1, drachtio://:%25%40@[::1]" },
      {
        drachtioServers: [
          { host: "a", port: 1, secret: "s" },
          { host: "::1", port: 9022, secret: "%@" },
        ],
      },
    ],
    [{ INTERCEPT_URI: "sip:announce@media.example" }, { interceptUri: "sip:announce@media.example" }],
  ])("reads %j", (environment, expected) => {
    expect(loadConfig(environment)).toMatchObject(expected);
  });

  it.each([
    ["HTTP_LISTEN", "8080"],
    ["HTTP_LISTEN", "127.0.0.1:65536"],
    ["SIP_LISTEN", "sctp/127.0.0.1:5060"],
    ["SIP_LISTEN", ","],
    ["PUBLIC_BASE_URL", "https://calls.example/?a=1"],
    ["FALLBACK_BASE_URL", "ftp://static.example"],
    ["FALLBACK_BASE_URL", "https://static.example/#top"],
    ["DATABASE_URL", "mysql://db"],
    ["REDIS_URL", "redis://a,http://b"],
    ["REDIS_URL", ","],
    ["DRACHTIO_URL", " , "],
    ["DRACHTIO_URL", "host:9022"],
    ["DRACHTIO_URL", "drachtio://host:9022"],
    ["DRACHTIO_URL", "drachtio://:s@a,drachtio://:@b"],
    ["DRACHTIO_URL", "drachtio://:%zz@host"],
    ["DRACHTIO_URL", "drachtio://:cymru@host:9022"],
    ["DRACHTIO_URL", "drachtio://:c%79mru@host:9022"],
    ["ADMIN_API_KEY", "twenty three characters"],
    ["ADMIN_API_KEY", "🔑".repeat(23)],
    ["ADMIN_API_KEY", "a key that has a\ttab in it"],
    ["ADMIN_API_KEY", "a key of two lines\nof which one is this"],
    ["ADMIN_API_KEY", "ü".repeat(7_001)],
    ["LOG_LEVEL", "loud"],
    ["ROLES", "all,http"],
    ["ROLES", "cook"],
    ["SECRETS_KEY", "short"],
    ["INTERCEPT_URI", "announce@media.example"],
    ["PRESENT_TRUSTED_CIDRS", "10.0.0.0"],
  ])("refuses %s=%s in a sentence that names it", (name, value) => {
    expect(() => loadConfig({ ...PRODUCTION, [name]: value })).toThrowError(new RegExp(`: ${name} `));
  });

  it("wants SECRETS_KEY with a DATABASE_URL: what it encrypts outlives the process", () => {
    expect(() => loadConfig({ DATABASE_URL: "postgres://db/x" })).toThrowError(/SECRETS_KEY is required/);
  });
});
