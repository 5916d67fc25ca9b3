/**
 * Calls that the edge relays as a record-routing proxy (RFC 3261 §16): kept from the INVITE to the answer to BYE, so that requests inside them find
 * their way with no app involved, and only requests that belong to one are ever relayed: the edge is no open relay.
 */
import { MAX_FORKS } from "./limits.js";
import type { SourceFilter } from "./source-filter.js";
import type { Flow } from "./transport.js";

export interface ProxiedCall {
  readonly callId: string;
  readonly callerTag: string;
  /** Tags of everybody who rang or answered, oldest first. */
  readonly calleeTags: Set<string>;
  readonly startedAtMs: number;
  /** Where the caller was heard from, and the called side that answered (null before). */
  callerFlow: Flow;
  calleeFlow: Flow | null;
  isAnswered: boolean;
  /** Somebody has sent BYE. */
  isHungUp: boolean;
  /** Addresses this call keeps admitted → what ends that. */
  readonly held: Map<string, () => void>;
}

export interface ProxiedCalls {
  readonly size: number;
  add(call: ProxiedCall): void;
  /** Idempotent; the addresses are let go of. */
  remove(call: ProxiedCall): void;
  /** @param toTag null finds nothing: a request outside a dialog belongs to no call */
  match(callId: string, fromTag: string | null, toTag: string | null): ProxiedCall | null;
  all(): Iterable<ProxiedCall>;
}

export function createProxiedCalls(): ProxiedCalls {
  const byKey = new Map<string, ProxiedCall>();
  const key = (callId: string, callerTag: string): string => `${callId}|${callerTag}`;
  const find = (callId: string, callerTag: string, calleeTag: string): ProxiedCall | null => {
    const call = byKey.get(key(callId, callerTag));
    return call?.calleeTags.has(calleeTag) === true ? call : null;
  };
  return {
    get size() {
      return byKey.size;
    },
    add: (call) => void byKey.set(key(call.callId, call.callerTag), call),
    remove(call) {
      const at = key(call.callId, call.callerTag);
      if (byKey.get(at) === call) byKey.delete(at);
      for (const release of call.held.values()) release();
      call.held.clear();
    },
    match(callId, fromTag, toTag) {
      if (toTag === null) return null;
      return find(callId, fromTag ?? "", toTag) ?? find(callId, toTag, fromTag ?? "");
    },
    all: () => byKey.values(),
  };
}

/** Another phone rang or answered; more than any real fork has are not remembered. */
export function rememberCallee(call: ProxiedCall, tag: string | null): void {
  if (tag !== null && call.calleeTags.size < MAX_FORKS) call.calleeTags.add(tag);
}

/** Admits packets from this address while the call lasts: a called phone need not be inside any trunk's CIDRs. */
export function admit(ctx: { readonly sources: SourceFilter }, call: ProxiedCall, flow: Flow): void {
  const { address } = flow.peer;
  if (!call.held.has(address)) call.held.set(address, ctx.sources.hold(address));
}
