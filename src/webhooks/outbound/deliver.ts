/**
 * Sends what is due for one endpoint: so many at a time as it takes, those of one call in order, until nothing is due. Called by the jobs, in any
 * number of processes at once: who sends what is decided under the endpoint's lock, and a delivery is on lease while it is on its way.
 */
import {
  cancelDelivery,
  claimDue,
  type Leased,
  msToNext,
  settleDelivery,
  skipDelivery,
} from "../../account/outgoing/deliveries.store.js";
import {
  disableEndpoint,
  lockEndpoint,
  type LockedEndpoint,
  writeHealth,
} from "../../account/outgoing/webhook-endpoints.store.js";
import type { Database } from "../../db/database.js";
import { type Clock, toIso } from "../../kernel/clock.js";
import { messageOf } from "../../kernel/errors.js";
import { invariant } from "../../kernel/invariant.js";
import type { Log } from "../../kernel/log.js";
import type { Random } from "../../kernel/random.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { EndpointKinds } from "./endpoint-kinds.js";
import { judgeAttempt, roomOf, type SentOutcome } from "./retry-rules.js";

/** A job's share of an endpoint with a long queue; then others have their turn. */
export const BUDGET_MS = 20_000;

export interface DeliverDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly random: Pick<Random, "bytes">;
  readonly clock: Clock;
  readonly log: Log;
  readonly kinds: EndpointKinds;
  /** Told of each attempt, for metrics. */
  readonly onAttempt: (kind: string, outcome: AttemptOutcome) => void;
  readonly onDisabled: (reason: "gone" | "failing") => void;
}

export type AttemptOutcome = "delivered" | "retrying" | "failed" | "canceled" | "skipped";

const SUPERSEDED = { kind: "skipped", reason: "superseded" } as const;

/** @returns ms until there is something to do again; null: nothing waits, or the endpoint is not enabled */
export async function deliverDue(deps: DeliverDeps, endpointId: string, stopped: AbortSignal): Promise<number | null> {
  const { clock } = deps;
  const endsAtMs = clock.monotonicMs() + BUDGET_MS;
  const onTheirWay = new Set<Promise<void>>();
  const faults: unknown[] = [];
  for (;;) {
    const isOver = stopped.aborted || faults.length > 0 || clock.monotonicMs() >= endsAtMs;
    const claimed = isOver ? null : await claim(deps, endpointId);
    for (const delivery of claimed?.deliveries ?? []) {
      invariant(claimed !== null, "there are deliveries");
      const sending = sendOne(deps, claimed.endpoint, delivery)
        .catch((error: unknown) => void faults.push(error))
        .finally(() => onTheirWay.delete(sending));
      onTheirWay.add(sending);
    }
    if (onTheirWay.size === 0) {
      if (faults.length > 0) throw faults[0];
      if (isOver) return 0;
      return claimed === null ? null : await untilNext(deps, claimed.endpoint);
    }
    await Promise.race(onTheirWay);
  }
}

interface Claimed {
  readonly endpoint: LockedEndpoint;
  readonly deliveries: readonly Leased[];
}

function claim({ db, random }: DeliverDeps, endpointId: string): Promise<Claimed | null> {
  return db.transaction(async (tx) => {
    const endpoint = await lockEndpoint(tx, endpointId);
    if (endpoint === null) return null;
    const { maxConcurrency, now } = endpoint;
    const { room, onlyFirstRetries } = roomOf({ health: endpoint, maxConcurrency, now });
    const lease = random.bytes(12).toString("base64url");
    const deliveries = await claimDue(tx, { endpointId, room, lease, onlyFirstRetries });
    return { endpoint, deliveries };
  });
}

/** The pause of the breaker counts too; what is due already and is held by somebody else is theirs to go on with. */
async function untilNext({ db }: DeliverDeps, endpoint: LockedEndpoint): Promise<number | null> {
  const { id, pausedUntil, now } = endpoint;
  const nextMs = await msToNext(db, id);
  const pauseMs = pausedUntil !== null && pausedUntil > now ? pausedUntil - now : null;
  if (nextMs === null) return pauseMs;
  return pauseMs === null ? nextMs : Math.min(nextMs, pauseMs);
}

async function sendOne(deps: DeliverDeps, endpoint: LockedEndpoint, delivery: Leased): Promise<void> {
  const body = readBody(deps, delivery);
  if (body === null || (delivery.namesCaller && !endpoint.includeCaller)) {
    await cancelDelivery(deps.db, delivery);
    deps.onAttempt(endpoint.kind, "canceled");
    return;
  }
  const kind = deps.kinds[endpoint.kind];
  invariant(kind !== undefined, "the database has no endpoint of another kind");
  const at = toIso(deps.clock.now());
  const { eventId } = delivery;
  const outcome = delivery.isSuperseded ? SUPERSEDED : await kind.send({ eventId, body }, endpoint);
  if (outcome.kind === "skipped") {
    await skipDelivery(deps.db, delivery, outcome.reason);
    deps.onAttempt(endpoint.kind, "skipped");
    return;
  }
  await note(deps, { endpoint, delivery, outcome, at });
}

/** @returns null when it was erased, or sealed with a key that is gone */
function readBody({ secrets, log }: DeliverDeps, { id, bodyEnc }: Leased): string | null {
  try {
    return bodyEnc === null ? null : secrets.open(bodyEnc);
  } catch (error) {
    log.error("webhook.body_unreadable", { delivery: id, error: messageOf(error) });
    return null;
  }
}

async function note(
  deps: DeliverDeps,
  input: { endpoint: LockedEndpoint; delivery: Leased; outcome: SentOutcome; at: string },
): Promise<void> {
  const { delivery, outcome, at } = input;
  const { id: endpointId, kind } = input.endpoint;
  const noted = await deps.db.transaction(async (tx) => {
    const endpoint = await lockEndpoint(tx, endpointId);
    // Changed or disabled meanwhile: what came of it is kept all the same, and says nothing of an endpoint that begins anew.
    const isChanged = endpoint?.updatedAt !== input.endpoint.updatedAt;
    const health = endpoint ?? { failingSince: null, failures: 0, pausedUntil: null };
    const now = endpoint?.now ?? deps.clock.now();
    const chance = deps.random.bytes(2).readUInt16BE() / 65_536;
    const judged = judgeAttempt({ outcome, tries: delivery.tries, health, isChanged, now, chance });
    const fate = judged.delivery;
    const nextAttemptAt = fate.state === "waiting" ? fate.nextAttemptAt : null;
    const attempt = { at, ...attemptOf(outcome) };
    if (!(await settleDelivery(tx, delivery, { state: fate.state, nextAttemptAt, attempt }))) return null;
    if (endpoint === null || isChanged) return { judged, disabled: null };
    if (endpoint.failures > 0 || judged.health.failures > 0) await writeHealth(tx, endpointId, judged.health);
    const disabled = judged.disable === null ? null : await disableEndpoint(tx, endpointId, judged.disable);
    return { judged, disabled };
  });
  if (noted === null) return;
  const { judged, disabled } = noted;
  deps.onAttempt(kind, judged.delivery.state === "waiting" ? "retrying" : judged.delivery.state);
  if (disabled === null || judged.disable === null) return;
  const { id, accountId, failingSince } = disabled;
  deps.onDisabled(judged.disable);
  deps.log.warn("endpoint.disabled", {
    endpoint: id,
    accountId,
    reason: judged.disable,
    failingSince: failingSince === null ? null : toIso(failingSince),
    advice: "its owner should see to the receiver, then PATCH enabled: true",
  });
}

function attemptOf(outcome: SentOutcome): {
  status: number | null;
  error: string | null;
  ms: number;
  response: string | null;
  requestId: string | null;
} {
  const { ms } = outcome;
  return outcome.kind === "answered"
    ? { status: outcome.status, error: null, ms, response: outcome.response, requestId: outcome.requestId ?? null }
    : { status: null, error: outcome.error, ms, response: null, requestId: null };
}
