/**
 * SIP's white space inside a line is SP and HT, nothing else. String.trim would also take 0xA0, which in our one-character-per-byte text is the second
 * byte of many UTF-8 letters ("à" is C3 A0), and so cut names in half.
 */

export function trimSpace(text: string): string {
  return trimSpaceStart(trimSpaceEnd(text));
}

export function trimSpaceStart(text: string): string {
  let at = 0;
  while (at < text.length && isSpace(text.charCodeAt(at))) at += 1;
  return at === 0 ? text : text.slice(at);
}

export function trimSpaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

/** The rest of the text from there, trimmed: one cut instead of three. */
export function trimmedFrom(text: string, from: number): string {
  let at = from;
  let end = text.length;
  while (at < end && isSpace(text.charCodeAt(at))) at += 1;
  while (end > at && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(at, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
