/**
 * Simulated traffic against a running service, over the doors that everybody uses: visitors open the landing page, come back, and some of them call,
 * over SIP or through the signed webhooks of any carrier. Called by `npm run demo`.
 */
import type { Random } from "../kernel/random.js";
import { DEMO_BUSINESS_NUMBER } from "./demo-account.js";
import type { SipPhone } from "./sip-phone.js";
import { type CarrierLine, chanceOf, WebhookCaller } from "./webhook-caller.js";

export interface TrafficTarget {
  readonly httpUrl: string;
  /** What carriers sign: PUBLIC_BASE_URL, else httpUrl. */
  readonly publicUrl: string;
  /** host:port */
  readonly sip: string;
  readonly tagKey: string;
  /** One at least; the account has their credentials. */
  readonly carriers: readonly CarrierLine[];
}

export interface Tally {
  visitors: number;
  presented: number;
  renewed: number;
  overflow: number;
  original: number;
  /** By "sip" or the carrier's name. */
  readonly calls: Map<string, number>;
  answered: number;
  failed: number;
}

const emptyTally = (): Tally => ({
  visitors: 0,
  presented: 0,
  renewed: 0,
  overflow: 0,
  original: 0,
  calls: new Map(),
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
const BY_WEBHOOK_SHARE = 0.5;
const VERIFIED_SHARE = 0.5;
const NAMED_SHARE = 0.3;
const WITHHELD_SHARE = 0.05;
const TALK_MS_MAX = 3_000;
const RING_MS_MAX = 10_000;
/** A browser remembers its visitor; this page remembers the latest so many. */
const REMEMBERED_MAX = 50;

export class Traffic {
  readonly tally = emptyTally();
  private readonly visitors: string[] = [];

  private readonly webhooks: WebhookCaller;

  /** @param input `now`: UTC ms */
  constructor(
    private readonly input: { target: TrafficTarget; phone: Pick<SipPhone, "call">; random: Random; now: () => number },
  ) {
    this.webhooks = new WebhookCaller({ ...input.target, random: input.random, now: input.now });
  }

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
    this.tally.calls.set("sip", (this.tally.calls.get("sip") ?? 0) + 1);
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

  /** By any of the carriers, each with its own habits. */
  private async callByWebhook(promoNumber: string): Promise<boolean> {
    const { target } = this.input;
    const line = target.carriers[Math.floor(this.chance() * target.carriers.length)];
    if (line === undefined) return false;
    const { calls } = this.tally;
    calls.set(line.voice.carrier, (calls.get(line.voice.carrier) ?? 0) + 1);
    return this.webhooks.call(line, {
      to: promoNumber,
      from: this.chance() < WITHHELD_SHARE ? null : this.someCaller(),
      isVerified: this.chance() < VERIFIED_SHARE,
      callerName: this.chance() < NAMED_SHARE ? "DEMO CALLER" : null,
    });
  }

  /** 555-01XX: fictional, and only a hundred of them, so that callers repeat. */
  private someCaller(): string {
    return `+1415555${String(100 + Math.floor(this.chance() * 100)).padStart(4, "0")}`;
  }

  private chance(): number {
    return chanceOf(this.input.random);
  }
}
