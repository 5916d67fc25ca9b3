/**
 * The caller's leg, answered. A caller may send ACK and the next request (a re-INVITE for hold, BYE) so fast that drachtio-srf reads them together with
 * the word that our 200 went out, and would deal with them by itself before anybody who awaits the dialog can listen; so they wait in the dialog until
 * join-legs.ts lets them in. Used wherever a call is answered.
 */
import type { Dialog, SipRequest, SipResponse, Srf } from "./drachtio-types.js";

/** @throws what drachtio-srf says when the 200 cannot be sent: a SipError of status 487 or the server's words, when the caller has given up */
export function answerCallerLeg(
  srf: Srf,
  input: { readonly invite: SipRequest; readonly response: SipResponse; readonly sdp: string },
): Promise<Dialog> {
  const { invite, response, sdp } = input;
  return new Promise((resolve, reject) => {
    srf.createUAS(invite, response, { localSdp: sdp }, (error, dialog) => {
      if (dialog === undefined) return reject(error);
      dialog.queueRequests = true;
      resolve(dialog);
    });
  });
}
