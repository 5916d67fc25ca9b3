import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CsvRecord, readCsv } from "../../src/cli/csv-records.js";
import { numbersCommand } from "../../src/cli/numbers-import.js";
import { freshDatabase, rows } from "../support/database.js";
import { putTwilio } from "../support/shop.js";

const { db, url } = await freshDatabase();
const credentialId = await putTwilio(db);
const directory = mkdtempSync(join(tmpdir(), "ringmatch-csv-"));
afterAll(() => rmSync(directory, { recursive: true }));

let out: string[] = [];
let err: string[] = [];
beforeEach(() => {
  out = [];
  err = [];
  vi.stubEnv("DATABASE_URL", url);
  vi.stubEnv("SECRETS_KEY", "a secret for tests only");
  vi.spyOn(console, "log").mockImplementation((line: string) => void out.push(line));
  vi.spyOn(console, "error").mockImplementation((line: string) => void err.push(line));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function file(text: string | Buffer): string {
  const path = join(directory, "numbers.csv");
  writeFileSync(path, text);
  return path;
}

const stateOf = async (e164: string) =>
  (await rows(db, "select state, carrier, credential_id from promo_number where e164 = $1", [e164]))[0];

describe("ringmatch numbers import", () => {
  it("reads one number a line, as people write them", async () => {
    await numbersCommand.run([file("(888) 520-0001\n+18885200002\n\n1-888-520-0003")]);
    expect(out).toEqual(["3 added, 0 known already, 0 not readable."]);
    expect(await stateOf("+18885200001")).toEqual({ state: "available", carrier: null, credential_id: null });
  });

  it("reads named columns in any order: quotes, byte order mark, CRLF, semicolons", async () => {
    const text = `\ufeffstate;"number";carrier;credential_id\r\nporting;"+18885200011";twilio;\r\n;+18885200012;;"${credentialId}"\r\n`;
    await numbersCommand.run([file(text)]);
    expect(out).toEqual(["2 added, 0 known already, 0 not readable."]);
    expect(await stateOf("+18885200011")).toEqual({ state: "porting", carrier: "twilio", credential_id: null });
    expect(await stateOf("+18885200012")).toEqual({
      state: "available",
      carrier: "twilio",
      credential_id: credentialId,
    });
  });

  it("passes over a header of somebody else's", async () => {
    await numbersCommand.run([file('Phone,"Friendly, name"\n+18885200021,"Front ""desk"""\n'), "--carrier", "telnyx"]);
    expect(await stateOf("+18885200021")).toMatchObject({ carrier: "telnyx" });
  });

  it("names the columns that it passes over", async () => {
    await numbersCommand.run([file("number,Credential,comment\n+18885200025,crd_1,x")]);
    expect(err).toEqual(["Columns passed over: credential, comment."]);
    expect(await stateOf("+18885200025")).toMatchObject({ credential_id: null });
  });

  it("lists wrong lines by their number, and they cost the others nothing", async () => {
    const text = [
      "number,carrier,credential_id,state",
      "+18885200031,,,",
      "hello,,,",
      "+18885200032,Twilio Inc.,,",
      "+18885200033,,crd_nothing,",
      `+18885200034,telnyx,${credentialId},`,
      "+18885200035,,,assigned",
      "+18885200031,,,",
    ].join("\n");
    await numbersCommand.run([file(text)]);
    expect(out).toEqual(["1 added, 0 known already, 5 not readable."]);
    expect(err).toEqual([
      "  line 3: hello is no phone number",
      '  line 4: carrier "Twilio Inc." must be lower-case letters, digits, - and _',
      "  line 5: +18885200033 credential_id names no carrier credential",
      "  line 6: +18885200034 credential_id is one of twilio, not of telnyx",
      '  line 7: state "assigned" is none of available, porting',
    ]);
    expect(process.exitCode).toBe(1);
  });

  it.each([
    ["number,number\n+18885200041,", /"number" is there twice/],
    ['number\n"+18885200042\n+18885200043', /Line 2 has a quote that is never closed/],
    ['number\n+1888"5200044', /Line 2 has a quote inside/],
    ['number\n"+18885200045"x', /Line 2 has text after a closing quote/],
  ])("refuses a file that cannot be trusted: %j", async (text, message) => {
    await expect(numbersCommand.run([file(text)])).rejects.toThrow(message);
    expect(await rows(db, "select 1 from promo_number where e164 like '+1888520004%'")).toEqual([]);
  });

  it("says which file is missing", async () => {
    await expect(numbersCommand.run([join(directory, "nowhere.csv")])).rejects.toThrow(/cannot be read/);
    await expect(numbersCommand.run([])).rejects.toThrow(/Name the file/);
  });

  it("takes 100,000 lines, and as many again that are known", async () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `"+1844${2_000_000 + i}",twilio,,available`);
    const path = file(`number,carrier,credential_id,state\r\n${lines.join("\r\n")}\r\n`);
    await numbersCommand.run([path]);
    await numbersCommand.run([path]);
    expect(out).toEqual([
      "100000 added, 0 known already, 0 not readable.",
      "0 added, 100000 known already, 0 not readable.",
    ]);
    expect(await rows(db, "select count(*)::int as count from promo_number where npa = '844'")).toEqual([
      { count: 100_000 },
    ]);
  });
});

describe("readCsv", () => {
  const read = async (...chunks: string[]): Promise<CsvRecord[]> => {
    const records: CsvRecord[] = [];
    for await (const record of readCsv(streamOf(chunks))) records.push(record);
    return records;
  };

  it("reads back whatever was quoted, however it is cut into chunks", async () => {
    const cell = fc.string({ maxLength: 12 }).map((text) => text.replace(/[\r\u0000]/g, "").trim());
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(table, fc.nat(), fc.boolean(), async (cells, cut, isCrlf) => {
        const quoted = cells.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(","));
        const text = quoted.join(isCrlf ? "\r\n" : "\n");
        const at = cut % (text.length + 1);
        const records = await read(text.slice(0, at), text.slice(at));
        expect(records.map((record) => record.cells)).toEqual(cells.filter((row) => row.some((one) => one !== "")));
      }),
    );
  });

  it("counts lines, also inside quotes", async () => {
    const records = await read('a,b\n"two\nlines",c\n\nlast,d');
    expect(records.map(({ line }) => line)).toEqual([1, 2, 5]);
  });

  it("ends with a record that is too long to be one", async () => {
    await expect(read(`"${"x".repeat(70_000)}`)).rejects.toThrow(/Line 1 is longer than any record/);
  });
});

async function* streamOf(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}
