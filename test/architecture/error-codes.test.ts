import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ERROR_CATALOGUE } from "../../src/kernel/errors.js";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

/** Rows of the tables: | `code` | status | when | what to do | */
const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\S+) \| (.+) \| (.+) \|$/gm)].map(
  ([, code, status, when, what]) => ({
    code: code as string,
    status: status as string,
    when: when as string,
    what: what as string,
  }),
);

describe("docs/errors.md", () => {
  it("explains every code of the catalogue once, with its status, and no other", () => {
    const catalogue = Object.entries(ERROR_CATALOGUE).map(([code, [status]]) => [code, status]);
    const documented = rows.map(({ code, status }) => [
      code,
      status === "–" ? ERROR_CATALOGUE[code as keyof typeof ERROR_CATALOGUE]?.[0] : Number(status),
    ]);
    expect(documented.sort()).toEqual(catalogue.sort());
  });

  it("says when and what to do in whole words", () => {
    for (const { when, what } of rows) {
      expect(when.length).toBeGreaterThan(15);
      expect(what.length).toBeGreaterThan(15);
    }
  });
});
