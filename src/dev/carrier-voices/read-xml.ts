/** The little XML that our own answers to carriers are: elements, attributes and text. For the carriers' voices; no parser of anybody else's XML. */

/** The first element's text from < to >, with what it holds; null when there is none. */
export function elementOf(xml: string, name: string): string | null {
  return new RegExp(`<${name}(?=[\\s/>])(?:[^>]*/>|[^]*?</${name}>)`).exec(xml)?.[0] ?? null;
}

export function attributesOf(xml: string, name: string): Record<string, string> | null {
  const tag = new RegExp(`<${name}((?:\\s+[\\w:-]+="[^"]*")*)\\s*/?>`).exec(xml);
  if (tag === null) return null;
  const found: Record<string, string> = {};
  for (const [, key = "", value = ""] of (tag[1] ?? "").matchAll(/([\w:-]+)="([^"]*)"/g)) found[key] = unescaped(value);
  return found;
}

/** The text of the first element that has one. */
export function textOf(xml: string, name: string): string | null {
  const text = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml)?.[1];
  return text === undefined ? null : unescaped(text);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_entity, name: string) => ENTITIES[name] ?? "");
}
