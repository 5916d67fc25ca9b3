/**
 * `cdr:attempt`, `cdr:start` and `cdr:stop`: what becomes of every call, to one of the apps that routed the verb. They carry no durations; the app
 * pairs them by Call-ID. drachtio-server sends no stop for a CANCEL that is quicker than the app; here every attempt has its end.
 */
import { frameTime } from "./app-protocol.js";
import type { EdgeContext } from "./edge-context.js";

/** Who sent the message: `network` it came in, `application` it went out. */
export type CdrSource = "network" | "application";
export type CdrRole = "uac" | "uas" | "proxy-uac" | "proxy-uas";
export type CdrReason =
  | "call-rejected"
  | "call-canceled"
  | "normal-release"
  | "session-expired"
  | "system-initiated-termination";

/** @param text makes the message; asked for only when an app listens */
export function cdrAttempt(ctx: EdgeContext, source: CdrSource, text: () => string): void {
  tell(ctx, "cdr:attempt", [source], text);
}

export function cdrStart(ctx: EdgeContext, source: CdrSource, role: CdrRole, text: () => string): void {
  tell(ctx, "cdr:start", [source, role], text);
}

export function cdrStop(ctx: EdgeContext, source: CdrSource, reason: CdrReason, text: () => string): void {
  tell(ctx, "cdr:stop", [source, reason], text);
}

function tell(ctx: EdgeContext, verb: string, words: readonly [CdrSource, string?], text: () => string): void {
  const app = ctx.apps.choose(verb);
  if (app === null) return;
  const [source, ...rest] = words;
  const leader = [ctx.random.uuid(), verb, source, frameTime(ctx.clock.now()), ...rest].join("|");
  app.send(`${leader}\r\n${text()}`);
}
