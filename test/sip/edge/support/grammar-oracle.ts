/**
 * A second opinion on whether a datagram is a SIP request that may be answered 2xx, made of RFC 3261's rules one by one and of nothing of the edge's parser.
 * It knows necessary conditions only: what it lets pass may still be refused, what it names may never be accepted.
 */

/** @param text a datagram, latin1. @returns the rule that is broken, or null */
export function whyNoRequest(text: string): string | null {
  const message = text.replace(/^[\r\n]+/, "");
  const end = message.indexOf("\r\n\r\n");
  const head = end === -1 ? message : message.slice(0, end);
  const bodyLength = end === -1 ? 0 : message.length - end - 4;
  if (/(^|[^\r])\n|\r(?!\n|$)/.test(head)) return "a CR or LF stands alone (RFC 3261 §25.1)";
  if (/(^|[^\\])\0/.test(head)) return "there is a NUL outside of a quoted pair (§25.1)";

  const [first = "", ...lines] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const start = /^([\w.!%*+`'~-]+) ([^\s<>"]+) SIP\/2\.0$/i.exec(first);
  if (start === null) return "the request line is none (§7.1)";
  const [, method = "", uri = ""] = start;
  if (!/^(sips?|tel):./i.test(uri)) return "the scheme of the request URI is unknown (§8.2.2.1)";
  const fields = lines.filter((line) => line !== "");
  const strange = fields.find((line) => !/^[\w.!%*+`'~-]+[ \t]*:/.test(line));
  if (strange !== undefined) return `a line is no header field (§7.3.1): ${JSON.stringify(strange.slice(0, 80))}`;
  return whyNoFields(fields, { method, bodyLength });
}

function whyNoFields(fields: readonly string[], start: { method: string; bodyLength: number }): string | null {
  const values = (long: string, short = long): string[] =>
    fields
      .filter((line) => new RegExp(`^(${long}|${short})[ \\t]*:`, "i").test(line))
      .map((line) => line.slice(line.indexOf(":") + 1).trim());
  for (const [long, short] of ONCE) {
    const found = values(long, short).length;
    if (found !== 1) return `${long} is there ${found} times (§8.1.1)`;
  }
  const [via = ""] = values("via", "v");
  if (!/^SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*[\w.!%*+`'~-]+[ \t]+\S/i.test(via)) return "the top Via is none (§20.42)";
  const cseq = /^(\d+)[ \t]+(\S+)$/.exec(values("cseq")[0] ?? "");
  if (cseq === null || Number(cseq[1]) >= 2 ** 31) return "CSeq is no number below 2^31 and a method (§8.1.1.5)";
  if (cseq[2] !== start.method) return "CSeq names another method (§8.1.1.5)";
  for (const [long, short] of PARTIES) {
    const [party = ""] = values(long, short);
    if ((party.replace(/\\./g, "").match(/"/g)?.length ?? 0) % 2 === 1) return `a quote is open in ${long} (§25.1)`;
    if (!/[a-z][\w+.-]*:/i.test(party)) return `there is no URI in ${long} (§20.20)`;
  }
  const lengths = new Set(values("content-length", "l"));
  for (const length of lengths) if (!/^\d+$/.test(length)) return "Content-Length is no number (§20.14)";
  if (lengths.size > 1) return "two different Content-Lengths (§20.14)";
  const [length] = lengths;
  if (length !== undefined && Number(length) > start.bodyLength) return "Content-Length exceeds the datagram (§18.3)";
  const hops = values("max-forwards");
  if (hops.length > 1 || hops.some((one) => !/^\d+$/.test(one) || Number(one) > 255))
    return "Max-Forwards is none (§20.22)";
  if (start.method === "INVITE" && values("contact", "m").length === 0) return "an INVITE has no Contact (§8.1.1.8)";
  return null;
}

const PARTIES: readonly (readonly [string, string])[] = [
  ["from", "f"],
  ["to", "t"],
];
const ONCE: readonly (readonly [string, string])[] = [...PARTIES, ["call-id", "i"], ["cseq", "cseq"]];
