/**
 * Simulated traffic against a running service, over the doors that everybody uses: visitors open the landing page, come back, and some of them call,
 * over SIP or through signed Twilio webhooks. Called by `npm run demo`.
 */
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import type { Random } from "../kernel/random.js";
import { DEMO_BUSINESS_NUMBER } from "./demo-account.js";
import type { SipPhone } from "./sip-phone.js";

export interface TrafficTarget {
  readonly httpUrl: string;
  /** What carriers sign: PUBLIC_BASE_URL, else httpUrl. */
  readonly publicUrl: string;
  /** host:port */
  readonly sip: string;
  readonly tagKey: string;
  readonly twilioToken: string;
}

export interface Tally {
  visitors: number;
  presented: number;
  renewed: number;
  overflow: number;
  original: number;
  sipCalls: number;
  webhookCalls: number;
  answered: number;
  failed: number;
}

export const emptyTally = (): Tally => ({
  visitors: 0,
  presented: 0,
  renewed: 0,
  overflow: 0,
  original: 0,
  sipCalls: 0,
  webhookCalls: 0,
  answered: 0,
  failed: 0,
});

const CAMPAIGNS = [
  "utm_source=google&utm_medium=cpc&utm_campaign=spring",
  "utm_source=bing&utm_medium=cpc",
  "utm_source=newsletter&utm_medium=email",
  "",
];
/** More than real pages see, so that something happens while one watches. */
const RETURNING_SHARE = 0.3;
const CALLING_SHARE = 0.4;
const BY_WEBHOOK_SHARE = 0.3;
const TALK_MS_MAX = 3_000;
const RING_MS_MAX = 10_000;
/** A browser remembers its visitor; this page remembers the latest so many. */
const REMEMBERED_MAX = 50;

export class Traffic {
  readonly tally = emptyTally();
  private readonly visitors: string[] = [];

  constructor(private readonly input: { target: TrafficTarget; phone: SipPhone; random: Random }) {}

  /** One visitor opens the page and perhaps calls. Never rejects: what failed is counted. */
  async visit(signal: AbortSignal): Promise<void> {
    try {
      const promoNumber = await this.openPage();
      if (promoNumber === null || this.chance() > CALLING_SHARE || signal.aborted) return;
      const answered =
        this.chance() < BY_WEBHOOK_SHARE
          ? await this.callByWebhook(promoNumber)
          : await this.callBySip(promoNumber, signal);
      if (answered) this.tally.answered++;
      else this.tally.failed++;
    } catch (error) {
      void error;
      this.tally.failed++;
    }
  }

  private async openPage(): Promise<string | null> {
    const { target } = this.input;
    const known =
      this.chance() < RETURNING_SHARE ? this.visitors[Math.floor(this.chance() * this.visitors.length)] : undefined;
    const response = await fetch(`${target.httpUrl}/v1/presentations`, {
      method: "POST",
      headers: { "content-type": "text/plain", "user-agent": "Mozilla/5.0 (demo traffic)" },
      body: JSON.stringify({
        tag_key: target.tagKey,
        ...(known === undefined ? {} : { visitor_id: known }),
        numbers: [DEMO_BUSINESS_NUMBER],
        page: {
          url: `https://demo.example/plumbing?${CAMPAIGNS[Math.floor(this.chance() * CAMPAIGNS.length)] ?? ""}`,
          visible: true,
        },
      }),
    });
    const answer = (await response.json()) as {
      visitor_id: string;
      presentations: { outcome: "presented" | "renewed" | "overflow" | "original"; promo_number: string | null }[];
    };
    this.tally.visitors++;
    const [presentation] = answer.presentations;
    if (presentation === undefined) return null;
    this.tally[presentation.outcome]++;
    if (presentation.outcome === "presented") this.visitors.push(answer.visitor_id);
    if (this.visitors.length > REMEMBERED_MAX) this.visitors.shift();
    return presentation.promo_number;
  }

  private async callBySip(promoNumber: string, signal: AbortSignal): Promise<boolean> {
    this.tally.sipCalls++;
    const { phone, target } = this.input;
    const result = await phone.call({
      targetUri: `sip:${promoNumber}@${target.sip}`,
      fromUser: this.someCaller(),
      ringTimeoutMs: RING_MS_MAX,
      signal,
    });
    if (result.kind !== "answered") return false;
    await new Promise((resolve) => setTimeout(resolve, this.chance() * TALK_MS_MAX));
    await result.call.hangUp();
    return true;
  }

  private async callByWebhook(promoNumber: string): Promise<boolean> {
    this.tally.webhookCalls++;
    const { random, target } = this.input;
    const call = {
      CallSid: `CA${random.bytes(16).toString("hex")}`,
      AccountSid: `AC${"0".repeat(32)}`,
      From: this.someCaller(),
      To: promoNumber,
      Direction: "inbound",
    };
    const twiml = await this.twilioPost(`${target.publicUrl}/webhooks/twilio/voice`, {
      ...call,
      CallStatus: "ringing",
    });
    const action = /action="([^"]+)"/.exec(twiml)?.[1]?.replaceAll("&amp;", "&");
    if (action === undefined) return false;
    const seconds = String(1 + Math.floor(this.chance() * 120));
    await this.twilioPost(action, {
      ...call,
      CallStatus: "in-progress",
      DialCallStatus: "completed",
      DialCallDuration: seconds,
    });
    await this.twilioPost(`${target.publicUrl}/webhooks/twilio/status`, {
      ...call,
      CallStatus: "completed",
      CallDuration: seconds,
    });
    return true;
  }

  private async twilioPost(signedUrl: string, params: Record<string, string>): Promise<string> {
    const { target } = this.input;
    const response = await fetch(target.httpUrl + signedUrl.slice(target.publicUrl.length), {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": getExpectedTwilioSignature(target.twilioToken, signedUrl, params),
      },
      body: new URLSearchParams(params).toString(),
    });
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
    return response.text();
  }

  /** 555-01XX: fictional, and only a hundred of them, so that callers repeat. */
  private someCaller(): string {
    return `+1415555${String(100 + Math.floor(this.chance() * 100)).padStart(4, "0")}`;
  }

  /** Uniform in [0, 1). */
  private chance(): number {
    return this.input.random.bytes(4).readUInt32BE() / 2 ** 32;
  }
}
