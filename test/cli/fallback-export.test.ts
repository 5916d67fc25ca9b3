import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { putCredential } from "../../src/account/carrier-credentials.store.js";
import { updateDestination } from "../../src/account/destinations.store.js";
import { fallbackCommand } from "../../src/cli/fallback-export.js";
import { hearTwiml } from "../../src/dev/carrier-voices/twiml-family-voice.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { CARRIER_ADAPTERS } from "../../src/webhooks/inbound/carrier-adapters.js";
import { documentAdapter } from "../../src/webhooks/inbound/fallback-document.js";
import { freshDatabase, rows } from "../support/database.js";
import { ids, makeWorld, secrets } from "../support/world.js";

const { db, url } = await freshDatabase();
const top = mkdtempSync(join(tmpdir(), "ringmatch-fallback-"));
afterAll(() => rmSync(top, { recursive: true }));

let dir = "";
let out: string[] = [];
beforeEach(() => {
  dir = join(mkdtempSync(join(top, "export-")), "made", "by it");
  out = [];
  vi.stubEnv("DATABASE_URL", url);
  vi.stubEnv("SECRETS_KEY", "a secret for tests only");
  vi.spyOn(console, "log").mockImplementation((line: string) => void out.push(line));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const run = (...words: string[]) => fallbackCommand.run(["--dir", dir, ...words]);
const pathOf = (number: string, carrier = "twilio", ext = "xml") => join(dir, carrier, `${number.slice(1)}.${ext}`);
const dialledBy = (number: string): string => {
  const heard = hearTwiml(readFileSync(pathOf(number), "utf8"));
  return heard.kind === "dial" ? `${heard.target} ${heard.ringTimeoutS}` : heard.kind;
};

describe("ringmatch fallback export", () => {
  it("with no number routed touches nothing: it is more likely the wrong database", async () => {
    mkdirSync(join(dir, "twilio"), { recursive: true });
    writeFileSync(pathOf("+18885550100"), "kept");
    await expect(run()).rejects.toThrow(/No number is routed/);
    expect(readFileSync(pathOf("+18885550100"), "utf8")).toBe("kept");
  });

  it("writes a file for each routed number that rings its business, readable for a web server", async () => {
    const world = await makeWorld(db, 3, { overflow: "overflow_number" });
    await updateDestination(db, world.destination, { ringTimeoutS: 17, recordAnnouncement: "Recorded." });
    await run();
    expect(out).toEqual(["4 written, 0 unchanged, 0 removed."]);
    expect(readdirSync(join(dir, "twilio"))).toHaveLength(4);
    for (const number of world.numbers) {
      expect(dialledBy(number)).toBe("+18005550100 17");
      expect(statSync(pathOf(number)).mode & 0o044).toBe(0o044);
    }
  });

  it("again after changes: what changed is written anew, what is routed no more is removed, and nothing else is touched", async () => {
    const [one, other] = [await makeWorld(db, 1), await makeWorld(db, 1)];
    const [moved = "", gone = ""] = [one.numbers[0], other.numbers[0]];
    await run();
    const before = statSync(pathOf(moved)).ino;
    const foreign = [
      "twilio/index.html",
      "twilio/18885550100.xml.bak",
      "twilio/notes.xml",
      "twilio/123.xml",
      "twilio/.18885550100.xml.1.tmp",
      "18885550101.xml",
      "elsewhere/18885550102.xml",
    ];
    mkdirSync(join(dir, "elsewhere"));
    mkdirSync(join(dir, "twilio", "18885550103.xml"));
    for (const name of foreign) writeFileSync(join(dir, name), "foreign");
    const abandoned = join(dir, "twilio", ".18885550104.xml.77.tmp");
    writeFileSync(abandoned, "half");
    utimesSync(abandoned, new Date(0), new Date(0));
    out = [];
    await run();
    expect(out[0]).toMatch(/^0 written, \d+ unchanged, 0 removed\.$/);
    expect(statSync(pathOf(moved)).ino).toBe(before);

    await updateDestination(db, one.destination, { ringTimeoutS: 44 });
    const why = { reason: "test", actor: "test", accountId: null };
    await quarantineNumber({ db, schedule: other.schedule }, { e164: gone, ...why });
    out = [];
    await run();
    expect(out[0]).toMatch(/^1 written, \d+ unchanged, 1 removed\.$/);
    expect(dialledBy(moved)).toBe("+18005550100 44");
    expect(existsSync(pathOf(gone))).toBe(false);
    expect(existsSync(abandoned)).toBe(false);
    for (const name of foreign) expect([name, readFileSync(join(dir, name), "utf8")]).toEqual([name, "foreign"]);
    expect(existsSync(join(dir, "twilio", "18885550103.xml"))).toBe(true);
  });

  it("puts a number into its own carrier's folder, and with --carrier touches that one alone", async () => {
    const { numbers } = await makeWorld(db, 2);
    const [own = "", unknown = ""] = numbers;
    for (const carrier of ["signalwire", "plivo"] as const) {
      const isSpoken = documentAdapter(CARRIER_ADAPTERS, carrier) !== null;
      const credentialId = await putCredential(
        { db, ids, secrets },
        { carrier, accountId: null, secrets: { auth_tokens: ["t"] }, intercept: "reject" },
      );
      await rows(db, "update promo_number set credential_id = $2 where e164 = $1", [own, credentialId]);
      out = [];
      await run();
      expect(existsSync(pathOf(own, carrier))).toBe(isSpoken);
      expect(existsSync(pathOf(own))).toBe(false);
      expect(dialledBy(unknown)).toMatch(/^\+18005550100/);
      expect(out[1]).toBe(isSpoken ? undefined : "1 numbers are of carriers that take no documents.");
    }
    await rows(db, "update promo_number set credential_id = null, carrier = 'twilio' where e164 = $1", [own]);
    await run("--carrier", "twilio");
    expect(dialledBy(own)).toMatch(/^\+18005550100/);
    if (documentAdapter(CARRIER_ADAPTERS, "plivo") !== null) expect(existsSync(pathOf(own, "plivo"))).toBe(true);
  });

  it("says what it does not understand", async () => {
    await expect(fallbackCommand.run([])).rejects.toThrow(/--dir/);
    await expect(run("--carrier", "acme")).rejects.toThrow(/--carrier takes twilio/);
    const file = join(top, "file");
    writeFileSync(file, "");
    await expect(fallbackCommand.run(["--dir", file])).rejects.toThrow(/cannot be written/);
  });
});
