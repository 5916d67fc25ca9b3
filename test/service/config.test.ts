/** Variables that need more than a look: the TLS addresses of SIP_LISTEN and what is said when something is missing, the carriers' addresses. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../../src/config.js";

const SIP_LISTEN = "udp/127.0.0.1:5060,tls/[::1]:5061";

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ringmatch-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe("a tls address in SIP_LISTEN", () => {
  it("comes with the texts of both files", async () => {
    const folder = await folderWith({ "cert.pem": "a certificate", "key.pem": "a key" });
    const config = loadConfig({
      SIP_LISTEN,
      SIP_TLS_CERT_FILE: join(folder, "cert.pem"),
      SIP_TLS_KEY_FILE: join(folder, "key.pem"),
    });
    expect(config.sipListen).toEqual([
      { transport: "udp", host: "127.0.0.1", port: 5060 },
      { transport: "tls", host: "::1", port: 5061 },
    ]);
    expect(config.sipTls).toEqual({
      cert: "a certificate",
      key: "a key",
      certFile: join(folder, "cert.pem"),
      keyFile: join(folder, "key.pem"),
    });
  });

  it("names every file that is missing, unset or not", async () => {
    const folder = await folderWith({});
    expect(() => loadConfig({ SIP_LISTEN, SIP_TLS_KEY_FILE: join(folder, "key.pem") })).toThrow(
      /SIP_TLS_CERT_FILE is required with a tls\/ address in SIP_LISTEN.*SIP_TLS_KEY_FILE cannot be read: ENOENT/,
    );
  });

  it("is what alone asks for them", () => {
    expect(loadConfig({ SIP_LISTEN: "udp/127.0.0.1:5060", SIP_TLS_KEY_FILE: "/nowhere" }).sipTls).toBeNull();
  });
});

describe("DRAIN_S", () => {
  it("is ten seconds, as many as it says, or refused", () => {
    expect(loadConfig({}).drainMs).toBe(10_000);
    expect(loadConfig({ DRAIN_S: "0" }).drainMs).toBe(0);
    expect(loadConfig({ DRAIN_S: "600" }).drainMs).toBe(600_000);
    for (const wrong of ["-1", "1.5", "10m", "14401"])
      expect(() => loadConfig({ DRAIN_S: wrong })).toThrow(/DRAIN_S must be a whole number of seconds/);
  });
});

describe("WEBHOOK_ALLOW_CIDRS", () => {
  it("lets nothing private through unless networks are listed", () => {
    expect(loadConfig({}).webhookAllowCidrs).toEqual([]);
    expect(loadConfig({ WEBHOOK_ALLOW_CIDRS: "10.1.0.0/16, ::1/128" }).webhookAllowCidrs).toEqual([
      "10.1.0.0/16",
      "::1/128",
    ]);
    expect(() => loadConfig({ WEBHOOK_ALLOW_CIDRS: "10.1.0.0" })).toThrow(
      /WEBHOOK_ALLOW_CIDRS must be a list of networks/,
    );
  });
});

describe("the networks' addresses", () => {
  it("are their own, or others without a slash at the end", () => {
    expect(loadConfig({}).networkUrls).toEqual({
      ga4: "https://www.google-analytics.com",
      googleAds: "https://datamanager.googleapis.com",
      googleOauth: "https://oauth2.googleapis.com",
      meta: "https://graph.facebook.com",
    });
    expect(loadConfig({ META_URL: "http://127.0.0.1:9/meta/" }).networkUrls.meta).toBe("http://127.0.0.1:9/meta");
    expect(() => loadConfig({ GA4_URL: "https://example.com/?key=1" })).toThrow(/GA4_URL must be an http\(s\) URL/);
  });
});

describe("TELNYX_API_URL", () => {
  it("is Telnyx's own, another address, or refused", () => {
    expect(loadConfig({}).telnyxApiUrl).toBe("https://api.telnyx.com");
    expect(loadConfig({ TELNYX_API_URL: "http://127.0.0.1:9" }).telnyxApiUrl).toBe("http://127.0.0.1:9");
    expect(() => loadConfig({ TELNYX_API_URL: "ftp://telnyx" })).toThrow(
      /TELNYX_API_URL must be an http\(s\):\/\/ URL/,
    );
  });
});
