import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

interface Found {
  readonly name: string;
  readonly place: string;
  readonly text: string;
}

/** Every `sql("name", …)` and every `{ name: "…", text: … }` of the source. */
function queriesIn(file: string): Found[] {
  const source = ts.createSourceFile(file, readFileSync(join(SRC, file), "utf8"), ts.ScriptTarget.ES2023, true);
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    const add = (name: ts.Expression | undefined, text: ts.Expression | undefined): void => {
      if (name !== undefined && ts.isStringLiteralLike(name))
        found.push({ name: name.text, place: `${file}:${line}`, text: text?.getText() ?? "" });
    };
    if (ts.isCallExpression(node) && node.expression.getText() === "sql") add(node.arguments[0], node.arguments[1]);
    if (ts.isObjectLiteralExpression(node)) {
      const value = (key: string): ts.Expression | undefined =>
        node.properties.filter(ts.isPropertyAssignment).find((p) => p.name.getText() === key)?.initializer;
      if (value("text") !== undefined) add(value("name"), value("text"));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

const queries = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap(queriesIn);

describe("named queries", () => {
  it("are found", () => expect(queries.length).toBeGreaterThan(50));

  it("have a name that no other query has: PostgreSQL keeps one statement a name and connection", () => {
    const places = new Map<string, string[]>();
    for (const { name, place } of queries) places.set(name, [...(places.get(name) ?? []), place]);
    expect([...places].filter(([, where]) => where.length > 1)).toEqual([]);
  });

  it("have names in snake case that fit into PostgreSQL's 63 bytes", () => {
    expect(queries.filter(({ name }) => !/^[a-z][a-z0-9_]{2,62}$/.test(name))).toEqual([]);
  });

  it("never list columns by a star, except of what the query itself selected", () => {
    const starred = queries.filter(({ text }) =>
      /select\s+\*\s+from\s+(account|api_key|call|destination|pool|presentation|promo_number|trunk|visitor)\b/.test(
        text,
      ),
    );
    expect(starred).toEqual([]);
  });
});
