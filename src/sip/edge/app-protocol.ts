/**
 * The messages of the drachtio wire protocol as drachtio-srf 5.0.29 writes and reads them: a leader of `|`-separated tokens, then for SIP the
 * message itself after one line end. Pure; app-connection.ts reads with it, everything that tells an app something writes with it.
 */
import { formatHost } from "./sip-uri.js";
import type { Flow } from "./transport.js";

export type AppCommand =
  | { readonly kind: "authenticate"; readonly msgId: string; readonly secret: string; readonly tags: readonly string[] }
  | { readonly kind: "route"; readonly msgId: string; readonly verb: string }
  | { readonly kind: "remove_route"; readonly msgId: string; readonly verb: string }
  | { readonly kind: "ping"; readonly msgId: string }
  | SipCommand
  | ProxyCommand
  | { readonly kind: "unknown"; readonly msgId: string };

/** A SIP message the app wants sent. */
export interface SipCommand {
  readonly kind: "sip";
  readonly msgId: string;
  /** Empty for a new request. */
  readonly txn: string;
  readonly dialogId: string;
  /** Next hop, when the app named one (srf `opts.proxy`). */
  readonly routeUrl: string | null;
  readonly text: string;
}

/** An INVITE of the network that the app wants relayed by the edge alone. */
export interface ProxyCommand {
  readonly kind: "proxy";
  readonly msgId: string;
  readonly txn: string;
  /** Record-Route: what follows in the call passes here too. */
  readonly remainInDialog: boolean;
  /** Each final response is shown to the app, not only the end. */
  readonly fullResponse: boolean;
  readonly followRedirects: boolean;
  readonly simultaneous: boolean;
  /** Until the first 1xx and until the final answer of a target, ms; null where the app set none. */
  readonly provisionalMs: number | null;
  readonly finalMs: number | null;
  readonly targets: readonly string[];
  /** A request line that does not matter and the headers to add. */
  readonly text: string;
}

export function parseAppFrame(payload: string): AppCommand {
  const end = payload.indexOf("\r\n");
  const leader = end === -1 ? payload : payload.slice(0, end);
  const [msgId = "", type = "", ...rest] = leader.split("|");
  switch (type) {
    case "authenticate":
      // The secret may hold a `|`, tags cannot (srf checks them).
      return { kind: type, msgId, secret: rest.slice(0, Math.max(1, rest.length - 1)).join("|"), tags: tagsOf(rest) };
    case "route":
    case "remove_route":
      return { kind: type, msgId, verb: (rest[0] ?? "").toLowerCase() };
    case "ping":
      return { kind: type, msgId };
    case "sip":
      return {
        kind: type,
        msgId,
        txn: rest[0] ?? "",
        dialogId: rest[1] ?? "",
        routeUrl: rest[2] === undefined || rest[2] === "" ? null : rest[2],
        text: end === -1 ? "" : payload.slice(end + 2),
      };
    case "proxy":
      return proxyCommand(msgId, rest, end === -1 ? "" : payload.slice(end + 2));
    default:
      return { kind: "unknown", msgId };
  }
}

function proxyCommand(msgId: string, words: readonly string[], text: string): ProxyCommand {
  const [txn = "", remain, full, follow, forking, provisional = "", final = "", ...targets] = words;
  return {
    kind: "proxy",
    msgId,
    txn,
    remainInDialog: remain === "remainInDialog",
    fullResponse: full === "fullResponse",
    followRedirects: follow === "followRedirects",
    simultaneous: forking === "simultaneous",
    provisionalMs: durationMs(provisional),
    finalMs: durationMs(final),
    targets: targets.filter((target) => target !== ""),
    text,
  };
}

/** `2s`, `1500ms`, `2` (seconds); null for none or nonsense. */
function durationMs(text: string): number | null {
  const match = /^(\d{1,7})(ms|s)?$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * (match[2] === "ms" ? 1 : 1000);
}

function tagsOf(rest: readonly string[]): string[] {
  const last = rest.length > 1 ? rest[rest.length - 1] : "";
  return (last ?? "").split(",").filter((tag) => tag !== "");
}

/** Everything a frame says about one SIP message beside the message. */
export interface FrameFacts {
  /** UUID of this frame. */
  readonly id: string;
  /** `HH:MM:SS.uuuuuu`, UTC. */
  readonly time: string;
  readonly txn: string;
  readonly dialogId: string;
  readonly flow: Flow;
  readonly message: string;
}

/** A request that begins something: no dialog id, and the address it came to. */
export function newRequestFrame(facts: FrameFacts): string {
  const { flow } = facts;
  const leader = `${networkLeader(facts, "network")}|${facts.txn}||${flow.localHost}|${flow.transport.port}|`;
  return `${leader}\r\n${facts.message}`;
}

/** A request inside a dialog, a CANCEL, or a response. */
export function dialogFrame(facts: FrameFacts): string {
  return `${networkLeader(facts, "network")}|${facts.txn}|${facts.dialogId}|\r\n${facts.message}`;
}

/** A BYE that the edge sent by itself: srf ends the dialog with the text of its Reason. */
export function unsolicitedFrame(facts: Omit<FrameFacts, "txn">): string {
  return `${networkLeader(facts, "application")}|unsolicited|${facts.dialogId}|\r\n${facts.message}`;
}

/** Echo of a request as sent; srf takes the TXN from it. */
export function requestSentFrame(msgId: string, facts: Omit<FrameFacts, "dialogId">): string {
  const { flow } = facts;
  const own = `${flow.transport.kind}|${flow.localHost}|${flow.transport.port}`;
  return `${facts.id}|response|${msgId}|OK|application|${facts.message.length}|${own}|${facts.time}|${facts.txn}|Msg sent:|\r\n${facts.message}`;
}

/** Echo of a response as sent; srf takes the dialog id of a called side from it, and its tag and Contact from the message. */
export function responseSentFrame(msgId: string, facts: FrameFacts): string {
  const { flow } = facts;
  const peer = `${flow.transport.kind}|${flow.peer.address}|${flow.peer.port}`;
  const place = `${peer}|${facts.time}|${facts.txn}|${facts.dialogId}||Msg sent:|`;
  return `${facts.id}|response|${msgId}|OK|application|${facts.message.length}|${place}\r\n${facts.message}`;
}

/** A final response to a relayed INVITE; srf keeps listening while the last word is `continue`. */
export function proxyResponseFrame(msgId: string, facts: Omit<FrameFacts, "txn" | "dialogId">): string {
  const { flow, message } = facts;
  const peer = `${flow.transport.kind}|${flow.peer.address}|${flow.peer.port}`;
  const leader = `${facts.id}|response|${msgId}|OK|network|${message.length}|${peer}|${facts.time}|||continue`;
  return `${leader}\r\n${message}`;
}

/** The plain answers: `OK`, `OK|pong`, `OK|hostports|version|local hostports`. */
export function okFrame(id: string, msgId: string, ...parts: readonly string[]): string {
  return [id, "response", msgId, "OK", ...parts].join("|");
}

/** `NO` before anything was tried, `NOK` when trying failed. */
export function failedFrame(id: string, msgId: string, kind: "NO" | "NOK", reason: string): string {
  return [id, "response", msgId, kind, reason].join("|");
}

/** `udp/192.0.2.1:5060` */
export function hostPort(transport: string, host: string, port: number): string {
  return `${transport}/${formatHost(host)}:${port}`;
}

const DAY_MS = 86_400_000;

/** @param at ms since the epoch */
export function frameTime(at: number): string {
  const ms = Math.floor(at) % DAY_MS;
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1_000) % 60]
    .map(two)
    .join(":");
  return `${clock}.${String(ms % 1_000).padStart(3, "0")}000`;
}

function networkLeader(facts: Omit<FrameFacts, "txn">, source: "network" | "application"): string {
  const { flow } = facts;
  const peer = `${flow.transport.kind}|${flow.peer.address}|${flow.peer.port}`;
  return `${facts.id}|sip|${source}|${facts.message.length}|${peer}|${facts.time}`;
}
