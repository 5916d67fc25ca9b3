/** How a call ended, in Invoca's vocabulary (their "End of Call Reason" article). Pure. */
import type { CallRecord } from "../../attribution/call-record.js";

type Ended = Pick<CallRecord, "status" | "releasedBy" | "hangupCause" | "answeredAt">;

export function hangupCauseOf({ status, releasedBy, hangupCause }: Ended): string | null {
  switch (status) {
    case "ringing":
    case "in_progress":
      return null;
    case "completed":
      if (releasedBy === "callee") return "Destination: Hang-up";
      // What we end ourselves is what lasts too long.
      return releasedBy === "system" ? "Invoca: Max Call Duration" : "Caller: Hang-up";
    case "canceled":
      return "Caller: Hang-up";
    case "busy":
      return "Destination: Busy";
    case "no_answer":
      return "Destination: No Answer";
    case "failed":
      return NOT_IN_SERVICE.has(hangupCause ?? "")
        ? "Destination: Number Not in Service"
        : "Destination: Error (503 or Fast Busy)";
    case "intercepted":
      return "IVR: Hang-up";
  }
}

/** SIP's and our own words for a number that leads nowhere. */
const NOT_IN_SERVICE: ReadonlySet<string> = new Set(["404", "410", "484", "604", "unknown_number", "no_destination"]);

/** Invoca documents no list for `call_result_description_detail`: these words are ours. */
export function callResultOf({ status, answeredAt }: Ended): string {
  if (answeredAt !== null) return "Connected";
  switch (status) {
    case "busy":
      return "Busy";
    case "no_answer":
      return "No Answer";
    case "canceled":
      return "Caller Hang-up";
    case "intercepted":
      return "Not in Service";
    case "ringing":
    case "in_progress":
    case "completed":
    case "failed":
      return "Not Connected";
  }
}
