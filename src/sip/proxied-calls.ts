/**
 * What is heard of calls that go on without us (trunk mode `proxy`): the edge or drachtio-server tells it in `cdr:` frames, which carry no more than
 * a SIP message, so they are paired by Call-ID and the caller's tag. Owned by sip-service.ts; proxy-call.ts watches one call each.
 */
import type { SipMessage, SipRequest, Srf } from "./drachtio-types.js";
import { parseNameAddr } from "./edge/name-addr.js";
import { splitList } from "./edge/sip-message.js";
import { parseVia } from "./edge/via.js";
import { type Release, releaseOf } from "./join-legs.js";

export type ProxyNews =
  /** The INVITE left for a target. */
  | { readonly kind: "attempt"; readonly uri: string; readonly branch: string }
  /** The caller was given this final answer: nobody took the call, or the caller gave up (487). */
  | { readonly kind: "refused"; readonly status: number }
  /** A BYE, or the server's own end. */
  | { readonly kind: "released"; readonly release: Release };

export interface ProxiedCalls {
  /** Asks for cdr frames; only where a trunk needs them, because they come for every call. Idempotent. */
  hear(srf: Srf): void;
  /** @returns how to stop, or null when there are as many proxied calls as there may be */
  watch(invite: SipRequest, onNews: (news: ProxyNews) => void): (() => void) | null;
}

/** As many calls as the edge holds (its MAX_DIALOGS); an entry here is a few hundred bytes. */
export const PROXIED_CALLS_MAX = 50_000;

export function createProxiedCalls(max = PROXIED_CALLS_MAX): ProxiedCalls {
  const watchers = new Map<string, (news: ProxyNews) => void>();
  const heard = new WeakSet<Srf>();
  const onAttempt = (source: string, message: SipMessage & { readonly uri?: string }): void => {
    // What came in is our own INVITE; what went out names a target.
    if (source !== "application") return;
    watchers.get(keyOf(message, "From"))?.({ kind: "attempt", uri: message.uri ?? "", branch: branchOf(message) });
  };
  const onStop = (source: string, reason: string, message: SipMessage & { readonly status?: number }): void => {
    const byCaller = watchers.get(keyOf(message, "From"));
    if (reason === "call-rejected" || reason === "call-canceled") {
      // What came in is one target's answer; what went out is the caller's.
      if (source !== "application") return;
      return byCaller?.({ kind: "refused", status: reason === "call-canceled" ? 487 : (message.status ?? 503) });
    }
    const watcher = byCaller ?? watchers.get(keyOf(message, "To"));
    const by = byCaller === undefined ? "callee" : "caller";
    const release: Release =
      reason === "normal-release" ? releaseOf(by, message) : { releasedBy: "system", cause: reason };
    watcher?.({ kind: "released", release });
  };
  return {
    hear(srf) {
      if (heard.has(srf)) return;
      heard.add(srf);
      srf.on("cdr:attempt", (source: string, _time: string, message: SipMessage) => onAttempt(source, message));
      srf.on("cdr:stop", (source: string, _time: string, reason: string, message: SipMessage) =>
        onStop(source, reason, message),
      );
    },
    watch(invite, onNews) {
      if (watchers.size >= max) return null;
      const key = keyOf(invite, "From");
      watchers.set(key, onNews);
      return () => {
        if (watchers.get(key) === onNews) watchers.delete(key);
      };
    },
  };
}

/** The branch of whoever sent the message last: an INVITE that went out and the answers to it share it (RFC 3261 §17.1.3). */
export function branchOf(message: SipMessage): string {
  const [top = ""] = splitList(message.get("Via") ?? "");
  return parseVia(top)?.params.get("branch") ?? "";
}

/** The tag of a From or To header; null where it has none. */
function tagOf(message: SipMessage, header: "From" | "To"): string | null {
  return parseNameAddr(message.get(header) ?? "")?.params.get("tag") ?? null;
}

function keyOf(message: SipMessage, taggedBy: "From" | "To"): string {
  return `${message.get("Call-ID")?.trim() ?? ""}|${tagOf(message, taggedBy) ?? ""}`;
}
