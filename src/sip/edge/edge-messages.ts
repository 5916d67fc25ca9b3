/** What the service and the edge's thread say to one another: the types alone. */
import type { ErrorCode } from "../../kernel/errors.js";
import type { Log, LogFields } from "../../kernel/log.js";
import type { SipEdgeOptions } from "./sip-edge.js";
import type { TlsCertificate } from "./tls-context.js";
import type { SipListen } from "./transport.js";

/** All of an edge's options that can cross to a thread; its clock and randomness are the system's. */
export type EdgePlan = Omit<SipEdgeOptions, "clock" | "random" | "log">;

export interface EdgePlaces {
  /** With the real ports. */
  readonly sip: readonly SipListen[];
  readonly admin: { readonly host: string; readonly port: number };
}

export type EdgeCounters = Readonly<Record<string, number>>;

export type EdgeCommand =
  | { readonly kind: "start" }
  | { readonly kind: "allow_sources"; readonly cidrs: readonly string[] }
  | { readonly kind: "use_certificate"; readonly certificate: TlsCertificate }
  | { readonly kind: "drain" }
  | { readonly kind: "counters" }
  | { readonly kind: "stop" };

export type EdgeAnswer = EdgePlaces | EdgeCounters | undefined | void;

export interface LogNotice {
  readonly kind: "log";
  readonly level: keyof Log;
  readonly event: string;
  readonly fields: LogFields;
}

export type EdgeNotice =
  | { readonly kind: "done"; readonly id: number; readonly answer: EdgeAnswer }
  | { readonly kind: "failed"; readonly id: number; readonly code: ErrorCode; readonly message: string }
  | LogNotice;
