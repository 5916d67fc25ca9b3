/**
 * Ends of calls that the edge relays without us, as its `cdr:stop` frames tell them, by Call-ID and the caller's tag. Fed by sip-service.ts, asked by
 * proxy-call.ts. With several services on one drachtio-server a frame may reach another one: then the call's own limits close its record.
 */
import type { ReleasedBy } from "../telephony/call-event.js";
import type { SipMessage } from "./drachtio-types.js";

export interface ProxyEnd {
  readonly releasedBy: ReleasedBy | null;
  readonly cause: string;
}

interface Watched {
  readonly callerTag: string;
  readonly tell: (end: ProxyEnd) => void;
}

export class ProxiedCalls {
  /** By Call-ID and the caller's tag; no more than the edge has calls (each is a live call of the service). */
  private readonly watched = new Map<string, Watched>();

  /** From before the call is handed to the edge until `forget`. */
  watch(invite: SipMessage): { readonly over: Promise<ProxyEnd>; readonly forget: () => void } {
    const callerTag = tagOf(invite.get("From"));
    const key = keyOf(invite, callerTag);
    let tell: (end: ProxyEnd) => void = () => undefined;
    const over = new Promise<ProxyEnd>((resolve) => {
      tell = resolve;
    });
    this.watched.set(key, { callerTag, tell });
    return { over, forget: () => void this.watched.delete(key) };
  }

  /**
   * A `cdr:stop`: of an answered call it carries the BYE, whose From is whoever hung up; of a failed attempt, which proxyRequest tells us too, an answer.
   * @param reason `normal-release`, `session-expired`, `call-rejected` …
   */
  stopped(reason: string, message: SipMessage): void {
    if (reason === "call-rejected" || reason === "call-canceled") return;
    const fromTag = tagOf(message.get("From"));
    const watched =
      this.watched.get(keyOf(message, fromTag)) ?? this.watched.get(keyOf(message, tagOf(message.get("To"))));
    if (watched === undefined) return;
    if (reason !== "normal-release") return watched.tell({ releasedBy: "system", cause: reason });
    watched.tell({ releasedBy: fromTag === watched.callerTag ? "caller" : "callee", cause: "normal_clearing" });
  }
}

function keyOf(message: SipMessage, callerTag: string): string {
  return `${message.get("Call-ID") ?? ""};${callerTag}`;
}

function tagOf(party: string | undefined): string {
  return /;\s*tag\s*=\s*([^;\s>]+)\s*(?:;|$)/i.exec(party ?? "")?.[1] ?? "";
}
