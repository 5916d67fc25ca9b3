/**
 * Keys by which a copy of a parsed body could change a prototype: `__proto__` anywhere, and a `constructor` that holds `prototype`. JSON.parse makes plain
 * fields of them, which harm nobody until somebody assigns them: so they are taken out before anything looks at a body. No field of ours has such a name.
 */

/** Text without any of these has no such key, escaped or not; nearly all bodies are told so by one search. */
const SUSPECT = /__proto__|"constructor"|\\u/;

export function mayHoldPrototypeKeys(text: string): boolean {
  return SUSPECT.test(text);
}

/** Changes the value. A loop, not recursion: a client decides how deep its body is. @returns paths of what was taken out */
export function takePrototypeKeys(value: unknown): string[] {
  const taken: string[] = [];
  const left: { path: string; value: unknown }[] = [{ path: "", value }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { path, value: here } = next;
    if (typeof here !== "object" || here === null) continue;
    for (const [name, inner] of Object.entries(here)) {
      const at = path === "" ? name : `${path}.${name}`;
      if (name === "__proto__" || (name === "constructor" && holdsPrototype(inner))) {
        Reflect.deleteProperty(here, name);
        taken.push(at);
      } else left.push({ path: at, value: inner });
    }
  }
  return taken;
}

function holdsPrototype(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "prototype");
}
