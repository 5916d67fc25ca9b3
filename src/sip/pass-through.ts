/**
 * What one leg of a call sends while it is up, passed to the other: media changes and INFO; transfers are refused (a REFER could send the caller
 * anywhere). Used by join-legs.ts.
 */
import { messageOf } from "../kernel/errors.js";
import type { Dialog, DialogRequest, SipMessage, SipRequest, SipResponse } from "./drachtio-types.js";
import { relayableStatus } from "./relayable-status.js";

/** @param to the other leg, as soon as it stands; null when it never will */
export function passThrough(from: Dialog, to: Promise<Dialog | null>): void {
  from.on("modify", (request: SipRequest, response: SipResponse) => void passOffer({ from, to, request, response }));
  from.on("update", (request: SipRequest, response: SipResponse) => {
    // Without an offer it refreshes the session or names another Contact (RFC 3311 §5.2), which is between us and its sender.
    if (request.body) void passOffer({ from, to, request, response });
    else response.send(200);
  });
  from.on("info", (request: SipRequest, response: SipResponse) => void passInfo(to, request, response));
  from.on("refer", (_request: SipRequest, response: SipResponse) => response.send(603));
}

/** Of a re-INVITE or an UPDATE; by re-INVITE, which every phone understands. One without an offer asks for one (RFC 3261 §14.1). */
async function passOffer(input: {
  from: Dialog;
  to: Promise<Dialog | null>;
  request: SipRequest;
  response: SipResponse;
}): Promise<void> {
  const { from, request, response } = input;
  try {
    const leg = await input.to;
    if (leg === null) return response.send(GONE);
    const { contact } = leg.local;
    const headers = { ...(contact === undefined ? {} : { Contact: contact }), ...typeOf(request) };
    const noAck = !request.body;
    const { answer, acknowledge } = await finalAnswer(leg, { method: "INVITE", body: request.body, noAck, headers });
    if (answer.status >= 300) return response.send(relayableStatus(answer.status));
    if (acknowledge !== null) answerOffer(from, acknowledge);
    response.send(200, { body: answer.body, headers: { "Content-Type": "application/sdp", ...typeOf(answer) } });
  } catch (error) {
    // The edge's own refresh of the session is under way: asked again in a moment, it will do (RFC 3261 §14.2).
    response.send(/in progress/.test(messageOf(error)) ? PENDING : NOT_ACCEPTABLE);
  }
}

/** The offer was in the 2xx of the other leg: its answer is in the ACK that is still to come (RFC 3261 §13.2.1). */
function answerOffer(from: Dialog, acknowledge: Acknowledge): void {
  const onAck = (ack: SipMessage): void => {
    from.off("destroy", onEnd);
    acknowledge(ack.body ? { body: ack.body, headers: typeOf(ack) } : {});
  };
  // Without an answer there is still an ACK, and then a BYE.
  const onEnd = (): void => acknowledge({});
  from.once("ack", onAck);
  from.once("destroy", onEnd);
}

async function passInfo(to: Promise<Dialog | null>, request: SipRequest, response: SipResponse): Promise<void> {
  try {
    const leg = await to;
    if (leg === null) return response.send(GONE);
    const { answer } = await finalAnswer(leg, { method: "INFO", body: request.body, headers: typeOf(request) });
    response.send(relayableStatus(answer.status));
  } catch (error) {
    void error;
    response.send(500);
  }
}

type Acknowledge = (options: { readonly body?: string; readonly headers?: Record<string, string> }) => void;

/**
 * Not by drachtio-srf's promises: `modify` waits for ever after a refused one, `request` takes a 100 for the answer.
 * @throws what the edge says when the request cannot be sent
 */
function finalAnswer(
  leg: Dialog,
  request: DialogRequest,
): Promise<{ readonly answer: SipResponse; readonly acknowledge: Acknowledge | null }> {
  return new Promise((resolve, reject) => {
    leg.request(request, (error, answer, acknowledge) => {
      if (answer === undefined) reject(error instanceof Error ? error : new Error(String(error)));
      else if (answer.status >= 200) resolve({ answer, acknowledge: acknowledge ?? null });
    });
  });
}

function typeOf(message: SipMessage): Record<string, string> {
  const type = message.body ? message.get("Content-Type") : undefined;
  return type === undefined ? {} : { "Content-Type": type };
}

/** The call has ended on its other leg. */
const GONE = 481;
const NOT_ACCEPTABLE = 488;
const PENDING = 491;
