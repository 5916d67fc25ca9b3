import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mayHoldPrototypeKeys, takePrototypeKeys } from "../../src/http/prototype-keys.js";

/** Assigns as a careless merge does, to whatever depth. */
function merge(target: Record<string, unknown>, source: object): void {
  for (const [name, value] of Object.entries(source)) {
    const held = target[name];
    if (typeof value !== "object" || value === null) target[name] = value;
    else if ((typeof held === "object" && held !== null) || typeof held === "function") {
      merge(held as Record<string, unknown>, value as object);
    } else merge((target[name] = {}), value as object);
  }
}

describe("takePrototypeKeys", () => {
  it("takes them out at any depth and names their places; a constructor without a prototype is a field like others", () => {
    const body: unknown = JSON.parse(
      '{"a":1,"__proto__":{"x":1},"b":[{"__proto__":2,"constructor":"c"}],"constructor":{"prototype":{}}}',
    );
    expect(takePrototypeKeys(body).toSorted()).toEqual(["__proto__", "b.0.__proto__", "constructor"]);
    expect(JSON.stringify(body)).toBe('{"a":1,"b":[{"constructor":"c"}]}');
    for (const plain of [null, 1, "__proto__", []]) expect(takePrototypeKeys(plain)).toEqual([]);
  });

  it("leaves nothing by which a careless merge reaches a prototype, however it is written and wherever it stands", () => {
    const key = fc.constantFrom("__proto__", "constructor", "prototype", "polluted", "a");
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.constant(1),
        fc.array(tie("tree"), { maxLength: 2 }),
        fc.array(fc.tuple(key, tie("tree")), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.boolean(), (value, isEscaped) => {
        const written = JSON.stringify(value);
        const text = isEscaped ? written.replaceAll("_", "\\u005f") : written;
        const body: unknown = JSON.parse(text);
        if (mayHoldPrototypeKeys(text)) takePrototypeKeys(body);
        // With a constructor of its own: what is merged into the real one stays for later runs.
        const target: Record<string, unknown> = { constructor: class {} };
        const { prototype } = target["constructor"] as { prototype: object };
        if (typeof body === "object" && body !== null) merge(target, body);
        expect(Object.getPrototypeOf(target)).toBe(Object.prototype);
        for (const name of ["polluted", "a"]) expect([name in {}, name in prototype]).toEqual([false, false]);
      }),
    );
  });
});
