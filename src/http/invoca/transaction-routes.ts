/**
 * `/api/<date>/{networks,advertisers}/transactions/<id>.{json,csv,xml}`: what came of every call, to be polled. Each finished call is a transaction, each
 * correction another one that replaces it, each signal one of its own.
 */
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import type { Account } from "../../account/accounts.store.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";
import { accountNamed } from "./invoca-auth.js";
import { InvocaError } from "./invoca-error.js";
import { showTransaction, type Transaction } from "./show-transaction.js";
import { chooseColumns, STANDARD } from "./transaction-columns.js";
import { csvRows, jsonRows, type TransactionsTable, xmlRows } from "./transaction-formats.js";
import { readTransactionQuery, type TransactionQuery } from "./transaction-query.js";
import {
  type FeedPlace,
  type FeedRow,
  type FeedScope,
  findPlace,
  readFeed,
  readRecords,
} from "./transactions.store.js";

const ORGANIZATIONS = [
  { path: "networks", what: "Network" },
  { path: "advertisers", what: "Advertiser" },
] as const;
const FORMATS = ["json", "csv", "xml"] as const;
const TYPES = {
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  xml: "application/xml; charset=utf-8",
} as const;
const ERRORS = { json: "envelope", csv: "text", xml: "xml" } as const;

export function addTransactionRoutes(app: HttpApp, deps: HttpDeps): void {
  for (const { path, what } of ORGANIZATIONS) {
    for (const format of FORMATS) {
      app.get<{ Params: { organization: string }; Querystring: Record<string, unknown> }>(
        `/:date/${path}/transactions/:organization.${format}`,
        { config: { access: "read", invocaErrors: ERRORS[format] }, schema: { hide: true } },
        async (request, reply) => {
          const account = await accountNamed(deps, request, { what, id: request.params.organization });
          const query = readTransactionQuery(request.query, account.timeZone);
          const table = await tableOf(deps, request, { account, query });
          return reply.type(TYPES[format]).send(Readable.from(write(format, table, query)));
        },
      );
    }
  }
}

function write(format: (typeof FORMATS)[number], table: TransactionsTable, query: TransactionQuery): Generator<string> {
  switch (format) {
    case "json":
      return jsonRows(table);
    case "csv":
      return csvRows(table, query.csv);
    case "xml":
      return xmlRows(table);
  }
}

async function tableOf(
  deps: HttpDeps,
  request: FastifyRequest,
  { account, query }: { account: Account; query: TransactionQuery },
): Promise<TransactionsTable> {
  const feed = await feedOf(deps, account, query);
  const records = await readRecords(deps.db, feed);
  const view = callerView(deps, request);
  const caller = (record: { callId: string; caller: { enc: Buffer | null } }): string | null =>
    view.reveal({ callId: record.callId, enc: record.caller.enc });
  const transactions = feed.flatMap((row, index): Transaction[] => {
    const facts = records[index] ?? null;
    return facts === null ? [] : [showTransaction(row, facts, { account, caller })];
  });
  await view.audit();
  const found = new Set(transactions.flatMap(({ custom }) => custom.map(({ name }) => name)));
  return {
    transactions,
    columns: chooseColumns({ ...query, found: [...found].filter((name) => !STANDARD.has(name)) }),
  };
}

async function feedOf(deps: HttpDeps, account: Account, query: TransactionQuery): Promise<FeedRow[]> {
  const { types, limit } = query;
  const scope = types.length === 0 ? null : await scopeOf(deps, account, query);
  return scope === null ? [] : readFeed(deps.db, { accountId: account.id, types, scope, limit });
}

/** @returns null for what finds nothing. One call's transactions are shown whenever it was, and wherever a reader was before. */
async function scopeOf(deps: HttpDeps, account: Account, query: TransactionQuery): Promise<FeedScope | null> {
  const { transaction, call, range } = query;
  if (transaction === "unknown" || call === "unknown") return null;
  if (transaction !== null) {
    const place = await findPlace(deps.db, transaction, account.id);
    if (place === null || (call !== null && call.id !== place.callId)) return null;
    return { kind: "call", callId: place.callId, transactionId: place.id };
  }
  if (call !== null) return { kind: "call", callId: call.id, transactionId: null };
  const after = await placeOf(deps, account, query.after);
  return range === null ? { kind: "all", after } : { kind: "range", ...range, after };
}

/** To begin anew silently would send a client everything again. */
async function placeOf(deps: HttpDeps, account: Account, after: TransactionQuery["after"]): Promise<FeedPlace | null> {
  if (after === null) return null;
  const place = after === "unknown" ? null : await findPlace(deps.db, after, account.id);
  if (place === null)
    throw new InvocaError("RecordNotFound", "Could not find the Transaction of start_after_transaction_id");
  return place;
}
