/**
 * Text that outlives its message. A part that V8 cuts out of a string keeps the whole string, here a datagram or 64 KB read from an app, and text put
 * together keeps its parts; as key or field of a transaction that stays 32 s, that was 10 kB a call. incoming.ts, outgoing.ts and outbound-*.ts copy
 * here what they keep. A message that was sent needs no copy: sending joins it in place.
 */

/** Shorter parts are copies anyway (V8 makes no sliced and no joined string below 13 characters). */
const SHORT = 13;

/** The same text in memory of its own. @param text one character per byte */
export function keptText(text: string): string {
  return text.length < SHORT ? text : Buffer.from(text, "latin1").toString("latin1");
}
