/** What the pages read of the API's answers; /openapi.json documents the whole. Written out here because the schemas themselves are the server's code. */

export interface Account {
  readonly id: string;
  readonly name: string;
  readonly tag_key: string;
  readonly allowed_origins: readonly string[];
}

export interface Call {
  readonly id: string;
  readonly received_at: string;
  readonly promo_number: string;
  readonly caller: { readonly last4: string | null };
  readonly status: string;
  readonly destination_number: string | null;
  readonly talk_ms: number | null;
  readonly attribution: {
    readonly outcome: string;
    readonly confidence: number | null;
    readonly touch: Readonly<Record<string, unknown>> | null;
    readonly source: string | null;
    readonly campaign: string | null;
    readonly landing_page: string | null;
  };
}

export interface Candidate {
  readonly presentation_id: string;
  readonly visitor_id: string;
  readonly age_ms: number;
  readonly within_retention: boolean;
  readonly probability: number | null;
  readonly chosen: boolean;
}

export interface Explanation {
  readonly reason: string;
  readonly confidence: number | null;
  readonly candidates: readonly Candidate[];
  readonly runner_up: Candidate | null;
  readonly model: { readonly kind: "prior" | "measured"; readonly calls: number };
}

export interface Pool {
  readonly id: string;
  readonly account_id: string;
  readonly name: string;
  readonly kind: "automatic" | "campaign";
  readonly campaign: string | null;
  readonly destination_number: string;
  readonly size: number;
  readonly locked: number;
}

export interface PoolReportRow {
  readonly pool_id: string | null;
  readonly calls: number;
  readonly pool?: { readonly utilisation: number | null; readonly overflow_share: number | null } | null;
}

export interface SourceReportRow {
  readonly source: string | null;
  readonly calls: number;
}

export interface PromoNumber {
  readonly number: string;
  readonly state: string;
  readonly quarantine: { readonly earliest_release_at: string } | null;
}

export interface Destination {
  readonly number: string;
  readonly name: string | null;
  readonly status: "tracked" | "discovered" | "ignored";
}

export interface Tag {
  readonly paused: boolean;
  readonly live: {
    readonly revision: number;
    readonly settings: { readonly slots_only: boolean; readonly numbers_not_to_replace: readonly string[] };
  };
  readonly snippet: string;
  readonly file: { readonly snippet: string };
}
