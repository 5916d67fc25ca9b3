/**
 * The calls that are up or ringing. Keyed by the drachtio dialog id, `<Call-ID>;from-tag=<From tag of the first INVITE>`, which is the same on
 * every frame about the dialog. Counted and bounded by whoever adds (limits.ts MAX_DIALOGS).
 */
import type { Dialog } from "./call-state.js";

export interface DialogTable {
  readonly byId: ReadonlyMap<string, Dialog>;
  add(dialog: Dialog): void;
  remove(dialog: Dialog): void;
  /** The dialog an arriving request belongs to (§12.2.2), if any. */
  match(callId: string, fromTag: string, toTag: string): Dialog | null;
  byCallId(callId: string): Dialog | null;
}

export function dialogId(callId: string, fromTag: string): string {
  return `${callId};from-tag=${fromTag}`;
}

export function createDialogTable(): DialogTable {
  const byId = new Map<string, Dialog>();
  const byCall = new Map<string, Dialog>();
  return {
    byId,
    add(dialog) {
      byId.set(dialog.id, dialog);
      byCall.set(dialog.callId, dialog);
    },
    remove(dialog) {
      if (byId.get(dialog.id) === dialog) byId.delete(dialog.id);
      if (byCall.get(dialog.callId) === dialog) byCall.delete(dialog.callId);
    },
    match(callId, fromTag, toTag) {
      const called = byId.get(dialogId(callId, fromTag));
      if (called?.role === "uas" && called.localTag === toTag) return called;
      const calling = byId.get(dialogId(callId, toTag));
      // While it rings, a forked call may hear from any branch; the answer decides which one stays.
      if (calling?.role === "uac" && (calling.remoteTag === fromTag || calling.state === "early")) return calling;
      return null;
    },
    byCallId: (callId) => byCall.get(callId) ?? null,
  };
}
