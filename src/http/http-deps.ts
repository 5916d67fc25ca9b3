/** Everything the HTTP layer is given by the composition root. It opens, reads and decides nothing that is not in here. */
import type { FastifyBaseLogger, FastifyInstance, FastifyPluginAsync } from "fastify";
import type { RawReplyDefaultExpression, RawRequestDefaultExpression, RawServerDefault } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Registry } from "prom-client";
import type { TargetGuard } from "../account/outgoing/target-guard.js";
import type { TagFile } from "../account/tag-file.js";
import type { Database } from "../db/database.js";
import type { Clock } from "../kernel/clock.js";
import type { IdSource } from "../kernel/ids.js";
import type { Log } from "../kernel/log.js";
import type { Random } from "../kernel/random.js";
import type { Secrets } from "../kernel/secrets.js";
import type { AllocationBatch } from "../pool/allocation-batch.js";
import type { Carriers } from "../pool/carrier-inventory/carriers.js";
import type { Directory } from "../pool/directory.js";
import type { ExhaustionCounter } from "../pool/exhaustion-counter.js";
import type { NumberSchedule } from "../pool/number-moves.js";
import type { ScaleDecision } from "../pool/scale-decisions.store.js";

export interface Readiness {
  readonly ready: boolean;
  /** One entry a dependency, e.g. `{ postgres: true, redis: false }`. */
  readonly checks: Record<string, boolean>;
}

export interface ScalingSide {
  /** Whether there is a carrier to buy numbers from. */
  readonly canBuy: boolean;
  /** The job looks at these pools as soon as it can. */
  soon(poolIds: readonly string[]): void;
  /** Told of every decision made by a request. */
  readonly decided: (decision: ScaleDecision) => void;
}

export interface OutgoingSide {
  /** Where webhooks may be sent to. */
  readonly guard: TargetGuard;
  /** The job looks at this endpoint as soon as it can. */
  soon(endpointId: string): void;
  /** Asks Google what became of a request that it accepted. */
  statusOf(requestId: string, secretEnc: Buffer): Promise<RequestStatus>;
  /** Reads a page of somebody's site; loopback addresses only when the asker may reach them. */
  fetchPage(input: { readonly url: string; readonly mayReachLoopback: boolean }): Promise<FetchedPage>;
}

/** @see webhooks/outbound/fetch-page.ts, which this room does not know. `message` completes "The page …". */
export type FetchedPage =
  | {
      readonly kind: "fetched";
      readonly url: string;
      readonly status: number;
      readonly html: string;
      readonly contentSecurityPolicy: string | null;
    }
  | { readonly kind: "refused"; readonly message: string };

/** @see webhooks/outbound/conversions/google-ads.ts, which this room does not know */
export type RequestStatus =
  | { readonly kind: "known"; readonly status: string; readonly errors: readonly string[] }
  | { readonly kind: "unknown"; readonly error: string };

export interface HttpDeps {
  readonly db: Database;
  readonly directory: Directory;
  readonly batch: AllocationBatch;
  readonly ids: IdSource;
  readonly random: Random;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Log;
  readonly schedule: NumberSchedule;
  /** Whom numbers are bought from. */
  readonly carriers: Carriers;
  readonly exhaustions: Pick<ExhaustionCounter, "note">;
  readonly scaling: ScalingSide;
  readonly outgoing: OutgoingSide;
  /** SHA-256 of ADMIN_API_KEY (hashKey); null when only keys of the database count. */
  readonly adminKeyHash: Buffer | null;
  readonly readiness: () => Promise<Readiness>;
  /** The service is stopping: `/readyz` answers 503 while everything else is still served. */
  readonly isDraining: () => boolean;
  readonly metrics: Registry;
  /** Embedded mode: destinations may be private or loopback whoever sets them. */
  readonly embedded: boolean;
  /** PRESENT_TRUSTED_CIDRS: exempt from every bot rule and address limit. */
  readonly presentTrustedCidrs: readonly string[];
  readonly publicBaseUrl: string | null;
  /** The browser tag of this build, published already. */
  readonly tagFile: TagFile;
  /** FALLBACK_BASE_URL: where carriers find the static answers of numbers; null: here. */
  readonly fallbackBaseUrl: string | null;
  /** Carrier webhooks, the tag and the like; each gets a scope of its own, with no authentication of ours. */
  readonly plugins: readonly FastifyPluginAsync[];
  readonly onTrunksChanged: () => void;
}

/** A scope whose schemas are zod's. */
export type HttpApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;
