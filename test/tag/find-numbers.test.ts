import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeNumberBook } from "../../tag/src/page/find-numbers.js";
import { digitsOf, readNumber, splitNumber } from "../../tag/src/page/phone-number.js";
import { formatNumber, putNumber } from "../../tag/src/page/put-number.js";

const FROM = "+18005550100";
const TO = "+18885550142";

function bookOf(...numbers: readonly string[]) {
  const { add, find } = makeNumberBook();
  numbers.forEach(add);
  return find;
}

function swap(text: string, from = FROM, to = TO): string {
  let out = "";
  let at = 0;
  for (const place of bookOf(from)(text, "")) {
    out += text.slice(at, place[1]) + putNumber(text, place, to, false);
    at = place[3];
  }
  return out + text.slice(at);
}

describe("a number in a text", () => {
  test.each([
    ["(800) 555-0100", "(888) 555-0142"],
    ["+1.800.555.0100", "+1.888.555.0142"],
    ["1-800-555-0100", "1-888-555-0142"],
    ["001 800 555 0100", "001 888 555 0142"],
    ["(+1) 800-555-0100", "(+1) 888-555-0142"],
    ["10001 800-555-0100", "10001 888-555-0142"],
    ["2021 800-555-0100", "2021 888-555-0142"],
    ["24/7 800-555-0100", "24/7 888-555-0142"],
    ["800-555-0100 / 800-555-0100", "888-555-0142 / 888-555-0142"],
    ["Fax:800-555-0100.", "Fax:888-555-0142."],
    ["8005550100x12, 800-555-0100 ext. 5", "8885550142x12, 888-555-0142 ext. 5"],
    ["[800] 555-0100", "[800] 555-0100"],
  ])("%s → %s", (text, expected) => expect(swap(text)).toBe(expected));

  test.each([
    "48005550100",
    "80055501001",
    "4-800-555-0100",
    "800-555-0100-1",
    "800.555.0100.7",
    "#8005550100",
    "$8005550100",
    "id=8005550100",
    "A8005550100",
    "8005550100abc",
    "8005550100@x.example",
    "8,005,550,100",
    "+44 800 555 0100",
    "0800 555 0100",
    "800-555-010",
  ])("%s is part of something else", (text) => expect(swap(text)).toBe(text));

  test("vanity letters become digits, surplus ones go, addresses stay", () => {
    const vanity = "+18003569377";
    expect(swap("1-800-FLOWERS", vanity)).toBe("1-888-5550142");
    expect(swap("800flowersnow!", vanity)).toBe("8885550142!");
    expect(swap("1-800-FLOWERS.com www.1800flowers", vanity)).toBe("1-800-FLOWERS.com www.1800flowers");
  });

  test("other countries: internationally, with trunk prefix, both", () => {
    const texts = ["+44 20 7946 0018", "+44 (0)20 7946 0018", "020 7946 0018", "0044 20 7946 0018", "+39 20 7946 0018"];
    expect(texts.map((text) => swap(text, "+442079460018", "+442079460999"))).toEqual([
      "+44 20 7946 0999",
      "+44 (0)20 7946 0999",
      "020 7946 0999",
      "0044 20 7946 0999",
      "+39 20 7946 0018",
    ]);
  });

  test("a number of another length or country is written in one piece, with as many nodes as before", () => {
    expect(swap("call 020 7946 0018!", "+442079460018", "+44207946099")).toBe("call +44207946099!");
    expect(swap("(\x00800\0) 555-0100", FROM, "+442079460018")).toBe("(\x00+442079460018\0");
  });

  test("one number of many, by one look-up: ten thousand in the book cost no more than one", () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `+1212${String(5_550_000 + i)}`);
    const find = bookOf(...many);
    expect(find("212-555-0007 212-555-9999 212-556-0000", "").map(([number]) => number)).toEqual([
      "+12125550007",
      "+12125559999",
    ]);
  });

  test("numbers of more area codes than a pattern names are found by any of them, and no others", () => {
    const many = Array.from({ length: 100 }, (_, i) => `+1${201 + 7 * i}5550100`);
    const find = bookOf(...many);
    expect(find("(201) 555-0100, 894.555.0100; 202-555-0100 or 1-800-FLOWERS", "").map(([number]) => number)).toEqual([
      "+12015550100",
      "+18945550100",
    ]);
  });

  test("any number of a slot's country is found, never letters", () => {
    expect(bookOf(FROM)("call 310-555-0199", FROM).map(([number]) => number)).toEqual(["+13105550199"]);
    expect(bookOf(FROM)("300 dollars", FROM)).toEqual([]);
  });
});

const DIGIT = fc.constantFrom(..."0123456789");
const number = fc
  .tuple(
    fc.constantFrom(..."23456789"),
    fc.array(DIGIT, { minLength: 2, maxLength: 2 }),
    fc.constantFrom(..."23456789"),
    fc.array(DIGIT, { minLength: 6, maxLength: 6 }),
  )
  .map(([a, bc, d, rest]) => `+1${a}${bc.join("")}${d}${rest.join("")}`);
const between = fc.constantFrom(
  "",
  "-",
  ".",
  " ",
  "\u00a0",
  ") ",
  "\u2011",
  "\u2013",
  "\u2009",
  "\u200e",
  "\u00ad",
  " - ",
  "/",
  "\0",
);
const prefix = fc.constantFrom("", "+1", "+1 ", "1-", "001 ", "(+1) ", "(", "+1 (");
const words = fc.constantFrom("", "Call ", "Tel.: ", "call us, ", "ZIP 10001 ", "\u0627\u062a\u0635\u0644 ");

test("any punctuation is kept, and the swap undone is the text", () => {
  fc.assert(
    fc.property(
      number,
      number,
      prefix,
      between,
      between,
      words,
      words,
      (from, to, country, one, two, before, after) => {
        const n = from.slice(2);
        const text = `${before}${country}${n.slice(0, 3)}${one}${n.slice(3, 6)}${two}${n.slice(6)}${after && ` ${after}`}`;
        const swapped = swap(text, from, to);
        expect(swapped.replace(/\d/g, "#")).toBe(text.replace(/\d/g, "#"));
        expect(digitsOf(swapped.slice(before.length, swapped.length - (after ? after.length + 1 : 0)))).toContain(
          to.slice(2),
        );
        expect(swap(swapped, to, from)).toBe(text);
      },
    ),
  );
});

test("digits beside a number make it another", () => {
  fc.assert(
    fc.property(number, DIGIT, fc.boolean(), fc.constantFrom("", "-", "."), (from, digit, isBefore, joint) => {
      // A 1 before it is the country code.
      fc.pre(!(isBefore && (digit === "1" || digit === "0")));
      const n = from.slice(2);
      expect(bookOf(from)(isBefore ? `${digit}${joint}${n}` : `${n}${joint}${digit}`, "")).toEqual([]);
    }),
  );
});

test("texts without the number are never touched, however long", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
      expect(swap(text)).toBe(text);
    }),
  );
  const started = performance.now();
  expect(swap(`8 0 0${" ".repeat(50_000)}5`.repeat(4))).toContain("8 0 0");
  expect(swap("8".repeat(50_000))).toHaveLength(50_000);
  expect(performance.now() - started).toBeLessThan(2000);
});

test("numbers are taken apart, read and written", () => {
  expect(
    ["+18005550100", "+442079460018", "+35312345678", "+74951234567"].map((e164) => splitNumber(e164).slice(1, 3)),
  ).toEqual([
    ["1", "8005550100"],
    ["44", "2079460018"],
    ["353", "12345678"],
    ["7", "4951234567"],
  ]);
  expect(
    ["tel:800-555-0100", "18005550100", "+44 20 7946 0018", "5550100", "1-800-FLOWERS", ""].map((text) =>
      readNumber(text.replace("tel:", "")),
    ),
  ).toEqual(["+18005550100", "+18005550100", "+442079460018", "", "+18003569377", ""]);
  expect([formatNumber("+18885550142"), formatNumber("+442079460018")]).toEqual(["(888) 555-0142", "+442079460018"]);
});
