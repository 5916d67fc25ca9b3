import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvLine } from "../../src/http/csv.js";

describe("csvLine", () => {
  it("quotes what needs it", () => {
    expect(csvLine(["a", 'say "hi"', "x,y", "two\nlines", null, 1.5, -2, " padded"])).toBe(
      'a,"say ""hi""","x,y","two\nlines",,1.5,-2," padded"\r\n',
    );
  });

  it.each(["=1+1", "+14155550123", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "|cmd", "%0A", "＝1"])("defuses %j", (cell) => {
    expect(csvLine([cell])).toMatch(/^"?'/);
  });

  it.each(["x;=1", "x\t+1", "x\n-2", "x\r\n@SUM(A1)", 'x;"=1', "x;＝1"])(
    "defuses %j, which begins another cell where spreadsheets divide by semicolons or tabs",
    (cell) => {
      const read = csvLine(["a", cell]).split(/[;\t\r\n]/);
      expect(read.filter((part) => /^"*[=+\-@＝]/.test(part))).toEqual([]);
    },
  );

  it("takes no longer for what looks like it than its length", () => {
    const began = performance.now();
    expect(csvLine([`;${'"'.repeat(200_000)}x`])).toHaveLength(400_006);
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it("is read back as what was written, but for the apostrophe", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 2, maxLength: 6 }), (cells) => {
        expect(readCsv(csvLine(cells))).toEqual(
          cells.map((cell) => {
            const rest = cell.replace(/([;\t\r\n]"*)(?=[=+\-@＝＋－＠])/g, "$1'");
            return /^[=+\-@\t\r\n|%＝＋－＠]/.test(cell) ? `'${rest}` : rest;
          }),
        );
      }),
    );
  });
});

/** One line by RFC 4180. */
function readCsv(line: string): string[] {
  const cells: string[] = [];
  const pattern = /(?:"((?:[^"]|"")*)"|([^",]*))(,|\r\n$)/y;
  for (let at = 0; at < line.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const [, quoted, plain] = pattern.exec(line) ?? [];
    cells.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
  }
  return cells;
}
