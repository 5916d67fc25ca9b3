/**
 * `POST|PUT /api/<date>/transactions.json`, the Signal API: what came of a call, told later. Signals are ours, custom data a correction of the call; the same
 * request again changes nothing.
 */
import { isJsonObject } from "../../kernel/json-object.js";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CallRecord } from "../../attribution/call-record.js";
import {
  correctCall,
  REASON_CHARS_MAX,
  recordSignals,
  type Signal,
  type SignalResult,
} from "../../attribution/corrections/correct-call.js";
import { readSignals } from "../../attribution/corrections/signals.store.js";
import { actorOf, principalOf } from "../auth.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { accountOfSearch, findSignalledCall } from "./find-signalled-call.js";
import { readSignalBody } from "./signal-body.js";
import { transactionIdOf } from "./transaction-id.js";
import { findReplaced } from "./transactions.store.js";

const PATH = "/:date/transactions.json";

export function addSignalRoutes(app: HttpApp, deps: HttpDeps): void {
  const write = { config: { access: "write" as const }, schema: { hide: true } };
  app.post(PATH, write, (request, reply) => answer(deps, request, reply));
  app.put(PATH, write, (request, reply) => answer(deps, request, reply));
}

async function answer(deps: HttpDeps, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { accountId } = principalOf(request);
  const search = isJsonObject(request.body) ? request.body["search"] : undefined;
  const account = await accountOfSearch(deps, search, accountId);
  const body = readSignalBody(request.body, account?.timeZone ?? "UTC");
  const call = await findSignalledCall(deps, body.search, account);
  const asked = { id: call.callId, accountId, actor: actorOf(request) };
  const corrected = await correctCustomData(deps, { ...asked, customData: body.customData });
  const results =
    body.signals.length === 0
      ? []
      : (await recordSignals(deps, { ...asked, signals: await inKnownCase(deps, call, body.signals) })).results;
  if (body.isInProgress) return reply.code(201).send("");
  return { signals: results.map(showResult), call: await showCall(deps, corrected ?? call) };
}

/** A correction each time, as Invoca documents it. A call that is still going on refuses it: what it is credited to is judged at its end. */
async function correctCustomData(
  deps: HttpDeps,
  input: { id: string; accountId: string | null; actor: string; customData: Readonly<Record<string, string>> },
): Promise<CallRecord | null> {
  const names = Object.keys(input.customData);
  if (names.length === 0) return null;
  return correctCall(deps, { ...input, reason: `custom data: ${names.join(", ")}`.slice(0, REASON_CHARS_MAX) });
}

/** Names are matched whatever their case, and keep the one in which the call heard of them first. */
async function inKnownCase(deps: HttpDeps, call: CallRecord, signals: readonly Signal[]): Promise<Signal[]> {
  const known = new Map((await readSignals(deps.db, call.callId)).map(({ name }) => [name.toLowerCase(), name]));
  return signals.map((signal) => {
    const lower = signal.name.toLowerCase();
    const name = known.get(lower) ?? signal.name;
    known.set(lower, name);
    return { ...signal, name };
  });
}

/** All of it text, as Invoca answers. */
function showResult({ signal }: SignalResult): Record<string, string | null> {
  const { id, correctsId, name, partnerUniqueId, occurredAt, revenue, value } = signal;
  return {
    transaction_id: transactionIdOf(id),
    corrects_transaction_id: correctsId === null ? null : transactionIdOf(correctsId),
    name,
    partner_unique_id: partnerUniqueId,
    occurred_at_time_t: epochText(occurredAt),
    occurred_at_time: isoText(occurredAt),
    revenue: revenue === null ? "" : amountText(revenue),
    value: String(value),
  };
}

async function showCall(deps: HttpDeps, call: CallRecord): Promise<Record<string, string | null>> {
  const replaced = call.revision === 0 ? null : await findReplaced(deps.db, call);
  return {
    transaction_id: transactionIdOf(call.id),
    corrects_transaction_id: replaced === null ? null : transactionIdOf(replaced),
    start_time_t: epochText(call.receivedAt),
    call_start_time: isoText(call.receivedAt),
  };
}

function epochText(at: number): string {
  return String(Math.floor(at / 1000));
}

/** Whole seconds: `2015-08-26T16:41:53Z` */
function isoText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** `100.0`, as Ruby writes decimals. */
function amountText(amount: number): string {
  return Number.isInteger(amount) ? amount.toFixed(1) : String(amount);
}
