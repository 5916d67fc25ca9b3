/**
 * What an ad network is told of a call: its own click id, when, and what it was worth. Called by the upload files (http/contract/conversion-files.ts);
 * deliveries to the networks' APIs say the same. Pure.
 *
 * The click ids are those that the networks add to the landing page's address: gclid, gbraid and wbraid (Google Ads, "ClickConversion"), msclkid
 * (Microsoft Advertising, "OfflineConversion"), fbclid (Meta), ttclid (TikTok), li_fat_id (LinkedIn).
 */

export const AD_NETWORKS = ["google_ads", "microsoft_ads", "meta", "tiktok", "linkedin"] as const;
export type AdNetwork = (typeof AD_NETWORKS)[number];

/** In the order in which they are preferred: Google takes one click id a conversion. */
export const CLICK_IDS: Readonly<Record<AdNetwork, readonly string[]>> = {
  google_ads: ["gclid", "gbraid", "wbraid"],
  microsoft_ads: ["msclkid"],
  meta: ["fbclid"],
  tiktok: ["ttclid"],
  linkedin: ["li_fat_id"],
};

/** A call as its newest record has it. */
export interface ConvertibleCall {
  readonly callId: string;
  /** ms since the epoch. */
  readonly receivedAt: number;
  readonly outcome: string;
  readonly status: string;
  readonly talkMs: number | null;
  readonly touch: Readonly<Record<string, unknown>> | null;
  /** null: nobody said. */
  readonly conversion: boolean | null;
  /** In the account's currency; null: nobody said. */
  readonly revenue: number | null;
  /** ISO 4217. */
  readonly currency: string | null;
}

export interface AdConversion {
  readonly callId: string;
  readonly clickId: string;
  /** Which of the network's click ids it is. */
  readonly clickIdKind: string;
  readonly at: number;
  readonly value: number | null;
  /** null with a null value. */
  readonly currency: string | null;
}

/**
 * @param minTalkS calls of which nobody said whether they converted count when they were completed after this much talk; null: they never count
 * @returns null: nothing is told of this call
 */
export function adConversionOf(
  call: ConvertibleCall,
  input: { network: AdNetwork; minTalkS: number | null },
): AdConversion | null {
  if (!isConversion(call, input.minTalkS)) return null;
  for (const kind of CLICK_IDS[input.network]) {
    const clickId = call.touch?.[kind];
    if (typeof clickId !== "string" || clickId === "") continue;
    const value = call.revenue;
    const currency = value === null ? null : call.currency;
    return { callId: call.callId, clickId, clickIdKind: kind, at: call.receivedAt, value, currency };
  }
  return null;
}

/** Whether there is anything to tell of it, to whatever network. @see adConversionOf */
export function isConversion(
  call: Omit<ConvertibleCall, "callId" | "touch" | "receivedAt" | "currency">,
  minTalkS: number | null,
): boolean {
  const { outcome, conversion, revenue, status, talkMs } = call;
  if (outcome !== "matched") return false;
  if (conversion !== null) return conversion;
  if (revenue !== null) return revenue > 0;
  return minTalkS !== null && status === "completed" && talkMs !== null && talkMs >= minTalkS * 1000;
}
