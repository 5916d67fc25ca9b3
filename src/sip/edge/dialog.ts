/**
 * A dialog (RFC 3261 §12): what both sides agreed on, how a request inside it is built, and where it goes. Pure but for the counters it keeps
 * in its own fields; the call logic and the development phone use it.
 */
import { type Header, header, listValues, type SipMessage, type SipRequest } from "./sip-message.js";
import { MAX_ROUTES } from "./limits.js";
import type { CheckedRequest, CheckedResponse } from "./message-check.js";
import { type NameAddr, parseNameAddr } from "./name-addr.js";
import { parseSipUri, type SipUri } from "./sip-uri.js";

/** RFC 3261 §12.1: the state every user agent keeps. */
export interface DialogFacts {
  readonly callId: string;
  readonly localTag: string;
  /** Of an early dialog we began, the tag of whoever rang last. */
  remoteTag: string;
  /** From or To value, as this side and the other are called in our requests, without tag. */
  readonly localParty: string;
  readonly remoteParty: string;
  localSeq: number;
  /** CSeq of the last request from the other side; null before the first. */
  remoteSeq: number | null;
  /** Route header values in the order of travel. */
  routeSet: readonly string[];
  /** Contact URI of the other side. */
  remoteTarget: string;
}

/** As the called side, from the INVITE; `localTag` is the one our answers carry. */
export function uasDialogFacts(request: CheckedRequest, localTag: string, firstSeq: number): DialogFacts {
  return {
    callId: request.callId,
    localTag,
    remoteTag: request.fromTag ?? "",
    localParty: withoutTag(request.to),
    remoteParty: withoutTag(request.from),
    localSeq: firstSeq,
    remoteSeq: request.cseq.number,
    routeSet: recordRoute(request.message),
    remoteTarget: contactUri(request.message) ?? request.from.uri,
  };
}

/** As the calling side, from an answer with a To tag; `requestUri` is the INVITE's, for an answer without a usable Contact. */
export function uacDialogFacts(response: CheckedResponse, requestUri: string): DialogFacts {
  const { routeSet, remoteTarget } = uacRoute(response, requestUri);
  return {
    callId: response.callId,
    localTag: response.fromTag ?? "",
    remoteTag: response.toTag ?? "",
    localParty: withoutTag(response.from),
    remoteParty: withoutTag(response.to),
    localSeq: response.cseq.number,
    remoteSeq: null,
    routeSet,
    remoteTarget,
  };
}

/** Route set and target as the answer gives them (§12.1.2): a 2xx computes them anew. */
export function uacRoute(
  response: CheckedResponse,
  requestUri: string,
): Pick<DialogFacts, "routeSet" | "remoteTarget"> {
  return {
    routeSet: recordRoute(response.message).reverse(),
    remoteTarget: contactUri(response.message) ?? requestUri,
  };
}

/** The first Contact's URI when it is a sip: URI that a request can be sent to. */
export function contactUri(message: SipMessage): string | null {
  const first = listValues(message.headers, "contact")[0];
  const uri = first === undefined ? null : (parseNameAddr(first)?.uri ?? null);
  return uri !== null && parseSipUri(uri) !== null ? uri : null;
}

/** A request that names where its sender is from now on was accepted (§12.2.2). */
export function refreshTarget(dialog: DialogFacts | null, request: SipMessage): void {
  const contact = contactUri(request);
  if (contact !== null && dialog !== null) dialog.remoteTarget = contact;
}

/** A request inside the dialog but for its Via (§12.2.1.1); the CSeq number is for the caller to count. */
export function dialogRequest(
  dialog: DialogFacts,
  parts: {
    readonly method: string;
    readonly seq: number;
    readonly headers?: readonly Header[];
    readonly body?: string;
  },
): SipRequest {
  const path = requestPath(dialog);
  return {
    kind: "request",
    method: parts.method,
    uri: path.requestUri,
    headers: [
      header("Max-Forwards", "70"),
      ...path.routes.map((route) => header("Route", route)),
      header("From", `${dialog.localParty};tag=${dialog.localTag}`),
      header("To", dialog.remoteTag === "" ? dialog.remoteParty : `${dialog.remoteParty};tag=${dialog.remoteTag}`),
      header("Call-ID", dialog.callId),
      header("CSeq", `${parts.seq} ${parts.method}`),
      ...(parts.headers ?? []),
    ],
    body: parts.body ?? "",
  };
}

/** Where a request of this dialog is sent: the first route, else the remote target. Null when that is no sip: URI. */
export function dialogNextHop(dialog: DialogFacts): SipUri | null {
  const first = dialog.routeSet[0];
  return parseSipUri(first === undefined ? dialog.remoteTarget : (parseNameAddr(first)?.uri ?? ""));
}

interface RequestPath {
  readonly requestUri: string;
  readonly routes: readonly string[];
}

/** Loose routing, or for a first route without `lr` the strict routing of RFC 2543 peers. */
function requestPath(dialog: DialogFacts): RequestPath {
  const [first, ...rest] = dialog.routeSet;
  if (first === undefined) return { requestUri: dialog.remoteTarget, routes: [] };
  const firstUri = parseNameAddr(first)?.uri ?? "";
  if (parseSipUri(firstUri)?.params.has("lr") !== false)
    return { requestUri: dialog.remoteTarget, routes: dialog.routeSet };
  return { requestUri: firstUri, routes: [...rest, `<${dialog.remoteTarget}>`] };
}

function recordRoute(message: SipMessage): string[] {
  return listValues(message.headers, "record-route")
    .filter((route) => parseSipUri(parseNameAddr(route)?.uri ?? "") !== null)
    .slice(0, MAX_ROUTES);
}

/** Its text with every parameter but `tag`. A bare URI gets brackets, so that appending a tag cannot change it. */
export function withoutTag(party: NameAddr): string {
  let text = `${party.display === "" ? "" : `${party.display} `}<${party.uri}>`;
  for (const [name, param] of party.params) {
    if (name !== "tag") text += param === null ? `;${name}` : `;${name}=${param}`;
  }
  return text;
}
