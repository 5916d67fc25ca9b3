/**
 * The demonstration of the first start, over the same doors that everybody uses: a visitor is presented a number over HTTP, a SIP phone calls it, the
 * business answers, and the record is read back with its explanation.
 */
import { bearer } from "../kernel/bearer.js";
import { AppError } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import { DEMO_BUSINESS_NUMBER } from "./demo-account.js";
import type { SipPhone } from "./sip-phone.js";

export interface DemonstrationInput {
  readonly httpUrl: string;
  /** `udp/127.0.0.1:5060` */
  readonly sipAddress: string;
  readonly adminKey: string;
  readonly tagKey: string;
  readonly caller: SipPhone;
  readonly log: Log;
}

export interface Demonstration {
  readonly record: Record<string, unknown>;
  readonly explanation: Record<string, unknown>;
}

const CALLER_NUMBER = "+14155550123";
const RING_MS_MAX = 10_000;
/** Long enough to be seen as a talk in the record. */
const TALK_MS = 1_000;
const RECORD_MS_MAX = 10_000;
const POLL_MS = 50;

/** @throws AppError("internal") saying which step failed */
export async function demonstrate(input: DemonstrationInput): Promise<Demonstration> {
  const promoNumber = await present(input);
  await call(input, promoNumber);
  const record = await completedRecord(input, promoNumber);
  const explanation = await getJson(input, `/v1/calls/${String(record["id"])}/explanation`);
  return { record, explanation };
}

async function present({ httpUrl, tagKey }: DemonstrationInput): Promise<string> {
  const response = await fetch(`${httpUrl}/v1/presentations`, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "Mozilla/5.0 (demonstration)" },
    body: JSON.stringify({
      tag_key: tagKey,
      numbers: [DEMO_BUSINESS_NUMBER],
      page: {
        url: "https://demo.example/plumbing?utm_source=google&utm_medium=cpc&utm_campaign=spring",
        referrer: "https://www.google.com/",
      },
    }),
  });
  const answer = (await response.json()) as { presentations?: { promo_number: string | null; outcome: string }[] };
  const promoNumber = answer.presentations?.[0]?.promo_number;
  if (!promoNumber) throw failed("present", JSON.stringify(answer));
  return promoNumber;
}

async function call({ sipAddress, caller }: DemonstrationInput, promoNumber: string): Promise<void> {
  const address = sipAddress.slice(sipAddress.indexOf("/") + 1);
  const result = await caller.call({
    targetUri: `sip:${promoNumber}@${address}`,
    fromUser: CALLER_NUMBER,
    ringTimeoutMs: RING_MS_MAX,
  });
  if (result.kind !== "answered") throw failed("call", JSON.stringify(result));
  await new Promise((resolve) => setTimeout(resolve, TALK_MS));
  await result.call.hangUp();
}

async function completedRecord(input: DemonstrationInput, promoNumber: string): Promise<Record<string, unknown>> {
  let last: unknown = null;
  for (let waitedMs = 0; waitedMs < RECORD_MS_MAX; waitedMs += POLL_MS) {
    const page = await getJson(input, `/v1/calls?promo_number=${encodeURIComponent(promoNumber)}&limit=1`);
    const [record] = page["data"] as Record<string, unknown>[];
    if (record?.["status"] === "completed") return record;
    last = record ?? null;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw failed("record", JSON.stringify(last));
}

async function getJson({ httpUrl, adminKey }: DemonstrationInput, path: string): Promise<Record<string, unknown>> {
  const response = await fetch(httpUrl + path, { headers: { authorization: bearer(adminKey) } });
  if (!response.ok) throw failed("read", `${path} answered ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}

function failed(step: string, detail: string): AppError {
  return new AppError("internal", `The demonstration call failed at "${step}": ${detail}`);
}
