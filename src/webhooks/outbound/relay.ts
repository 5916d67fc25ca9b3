/**
 * Takes events from the outbox and makes them into deliveries: for each endpoint that is told, one body, rendered and sealed now, so that every attempt
 * and replay sends the same bytes. The leader calls it, so that events keep their order; a second one in between does no harm.
 */
import { listListening, type WebhookEndpoint } from "../../account/outgoing/webhook-endpoints.store.js";
import {
  type NewDelivery,
  type OutboxRow,
  putOff,
  readOutbox,
  relayRows,
} from "../../account/outgoing/outbox.store.js";
import { findToldConversion, type ToldConversion } from "../../account/outgoing/deliveries.store.js";
import type { CallRecord } from "../../attribution/call-record.js";
import { findNewestRow } from "../../attribution/calls.store.js";
import { type Database, isUnavailable } from "../../db/database.js";
import { messageOf } from "../../kernel/errors.js";
import type { IdSource } from "../../kernel/ids.js";
import type { Log } from "../../kernel/log.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { EndpointKinds, TakenEvent } from "./endpoint-kinds.js";

/** Rendered and written together: a few hundred kilobytes. */
export const EVENTS_A_BATCH = 100;
/** An event that cannot be made into deliveries (a fault of ours, a key that is gone) waits for somebody to see to it, a day in all, and is dropped then. */
const PUT_OFF_S = 600;
const FAILURES_MAX = 144;

export interface RelayDeps {
  readonly db: Database;
  readonly ids: IdSource;
  readonly secrets: Secrets;
  readonly log: Log;
  readonly kinds: EndpointKinds;
}

export interface Relayed {
  /** Rows of the outbox that were looked at; EVENTS_A_BATCH: there may be more. */
  readonly rows: number;
  readonly endpointIds: ReadonlySet<string>;
}

/** @throws AppError("database_unavailable"): then nothing was taken */
export async function relayEvents(deps: RelayDeps): Promise<Relayed> {
  const { db } = deps;
  const rows = await readOutbox(db, EVENTS_A_BATCH);
  if (rows.length === 0) return { rows: 0, endpointIds: new Set() };
  const accountIds = [...new Set(rows.flatMap(({ accountId }) => accountId ?? []))];
  const endpoints = await listListening(db, accountIds);
  const readCall = callReader(db);
  const toldOf = toldMemory(db);
  const seqs: number[] = [];
  const deliveries: NewDelivery[] = [];
  const stuck = new Set<string>();
  for (const row of rows) {
    // What is behind one that is put off waits for it.
    if (row.callId !== null && stuck.has(row.callId)) continue;
    const made = await deliveriesOf(deps, { row, endpoints, readCall, toldOf });
    if (made === null) {
      if (row.callId !== null) stuck.add(row.callId);
      continue;
    }
    seqs.push(row.seq);
    deliveries.push(...made);
  }
  return { rows: rows.length, endpointIds: await relayRows(db, { seqs, deliveries }) };
}

/** @returns null when it was put off */
async function deliveriesOf(
  deps: RelayDeps,
  input: {
    row: OutboxRow;
    endpoints: readonly WebhookEndpoint[];
    readCall: (id: string) => Promise<CallRecord | null>;
    toldOf: ToldMemory;
  },
): Promise<NewDelivery[] | null> {
  const { row, readCall } = input;
  const told = input.endpoints.filter((endpoint) => isTold(endpoint, row));
  if (told.length === 0) return [];
  try {
    const call = row.callId === null ? null : await readCall(row.callId);
    // Removed meanwhile, by retention or erasure.
    if (row.callId !== null && call === null) return [];
    const { type, at, accountId, data } = row;
    const event: TakenEvent = { id: deps.ids.next("evt"), type, at, accountId, call, data };
    const made: NewDelivery[] = [];
    for (const endpoint of told) {
      const delivery = await newDelivery(deps, { row, event, endpoint, toldOf: input.toldOf });
      if (delivery !== null) made.push(delivery);
    }
    return made;
  } catch (error) {
    // No fault of the event's: all of them are read again in a moment.
    if (isUnavailable(error)) throw error;
    if (row.failures >= FAILURES_MAX) {
      deps.log.error("webhook.event_dropped", { type: row.type, callId: row.callId, error: messageOf(error) });
      return [];
    }
    deps.log.error("webhook.event_put_off", { type: row.type, callId: row.callId, error: messageOf(error) });
    await putOff(deps.db, { seq: row.seq, forS: PUT_OFF_S });
    return null;
  }
}

function isTold(endpoint: WebhookEndpoint, row: OutboxRow): boolean {
  return endpoint.events.includes(row.type) && (endpoint.accountId === null || endpoint.accountId === row.accountId);
}

async function newDelivery(
  { ids, secrets, kinds }: RelayDeps,
  input: { row: OutboxRow; event: TakenEvent; endpoint: WebhookEndpoint; toldOf: ToldMemory },
): Promise<NewDelivery | null> {
  const { row, event, endpoint, toldOf } = input;
  const kind = kinds[endpoint.kind];
  if (kind === undefined) return null;
  const told = kind.remembers && row.callId !== null ? await toldOf.read(endpoint.id, row.callId) : null;
  const rendered = kind.render(event, endpoint, told);
  if (rendered === null) return null;
  if (rendered.kind === "body" && rendered.conversion !== null && row.callId !== null)
    toldOf.write(endpoint.id, row.callId, rendered.conversion);
  return {
    id: ids.next("dlv"),
    endpointId: endpoint.id,
    eventId: event.id,
    seq: row.seq,
    type: row.type,
    eventAt: row.at,
    accountId: row.accountId,
    callId: row.callId,
    content: rendered.kind === "skipped" ? rendered : { ...rendered, body: secrets.seal(rendered.body) },
  };
}

interface ToldMemory {
  read(endpointId: string, callId: string): Promise<ToldConversion | null>;
  write(endpointId: string, callId: string, told: ToldConversion): void;
}

/** What the database knows, and what this batch is about to add: two events of one call may be in it. */
function toldMemory(db: Database): ToldMemory {
  const known = new Map<string, ToldConversion | null>();
  const keyOf = (endpointId: string, callId: string): string => `${endpointId} ${callId}`;
  return {
    read: async (endpointId, callId) => {
      const key = keyOf(endpointId, callId);
      if (!known.has(key)) known.set(key, await findToldConversion(db, { endpointId, callId }));
      return known.get(key) ?? null;
    },
    write: (endpointId, callId, told) => void known.set(keyOf(endpointId, callId), told),
  };
}

/** Several events of one call are of one moment when they are taken up together. */
function callReader(db: Database): (id: string) => Promise<CallRecord | null> {
  const read = new Map<string, Promise<CallRecord | null>>();
  return (id) => {
    const known = read.get(id);
    if (known !== undefined) return known;
    const reading = findNewestRow(db, id);
    read.set(id, reading);
    return reading;
  };
}
