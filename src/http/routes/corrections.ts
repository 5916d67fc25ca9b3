/** What is learnt of calls later: corrections, signals, and the rows of a record that they made. */
import { z } from "zod";
import { getAccount } from "../../account/accounts.store.js";
import type { CallRecord } from "../../attribution/call-record.js";
import { getCall, listRevisions } from "../../attribution/calls.store.js";
import { correctCall, recordSignals } from "../../attribution/corrections/correct-call.js";
import { actorOf, principalOf } from "../auth.js";
import { callOut, showCall } from "../contract/call.js";
import {
  assertCurrency,
  correctionIn,
  correctionOf,
  signalOf,
  signalsIn,
  signalsOf,
  signalsOut,
  showSignals,
} from "../contract/correction.js";
import { idParams, pageOut, pageQuery } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";

const tags = ["Calls"];
const LIST = "revisions";

export function addCorrectionRoutes(app: HttpApp, deps: HttpDeps): void {
  addCorrection(app, deps);
  addSignals(app, deps);
  addRevisions(app, deps);
}

function addCorrection(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/calls/:id/corrections",
    {
      config: { access: "write" },
      schema: {
        summary: "Correct a call",
        description:
          "Adds a row to the call's record, which replaces the newest one and leaves it as it was: a conversion, revenue, another visitor, or just a reason.",
        tags,
        params: idParams,
        body: correctionIn,
        response: { 201: callOut },
      },
    },
    async (request, reply) => {
      const { accountId } = principalOf(request);
      const { body } = request;
      const { id } = request.params;
      await checkCurrency(deps, { id, accountId }, [body.currency]);
      const row = await correctCall(deps, { id, accountId, actor: actorOf(request), ...correctionOf(body) });
      const view = callerView(deps, request);
      const shown = showCall(row, view);
      await view.audit();
      return reply.code(201).send(shown);
    },
  );
}

function addSignals(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/signals",
    {
      config: { access: "write" },
      schema: {
        summary: "Tell what came of a call",
        description:
          "A signal is one fact a name and partner_unique_id. The same again changes nothing (200); a changed one replaces the former and, like a new one, adds a row to the call's record (201).",
        tags,
        body: signalsIn,
        response: { 200: signalsOut, 201: signalsOut },
      },
    },
    async (request, reply) => {
      const { accountId } = principalOf(request);
      const given = signalsOf(request.body);
      const asked = { id: request.body.call_id, accountId };
      await checkCurrency(
        deps,
        asked,
        given.map(({ currency }) => currency),
      );
      const result = await recordSignals(deps, { ...asked, actor: actorOf(request), signals: given.map(signalOf) });
      const isNew = result.results.some((one) => one.isNew);
      return reply.code(isNew ? 201 : 200).send(showSignals(result));
    },
  );
}

function addRevisions(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/calls/:id/revisions",
    {
      config: { access: "read" },
      schema: {
        summary: "List the rows of a call's record, oldest first",
        tags,
        params: idParams,
        querystring: z.strictObject(pageQuery),
        response: { 200: pageOut(callOut) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { accountId } = principalOf(request);
      const call = await getCall(deps.db, { id: request.params.id, accountId });
      const after = afterRevision(cursor);
      const rows = await listRevisions(deps.db, { ...call, after, limit: limit + 1 });
      const view = callerView(deps, request);
      const show = (row: CallRecord) => showCall(row, view);
      const page = pageOf(LIST, { rows, limit, positionOf: ({ revision }) => [String(revision)], show });
      await view.audit();
      return page;
    },
  );
}

/** Before the first row. */
const NONE = -1;

function afterRevision(cursor: string | undefined): number {
  const key = afterKey(LIST, cursor);
  return /^\d{1,6}$/.test(key) ? Number(key) : NONE;
}

async function checkCurrency(
  deps: HttpDeps,
  asked: { id: string; accountId: string | null },
  given: readonly (string | undefined)[],
): Promise<void> {
  if (given.every((currency) => currency === undefined)) return;
  const call = await getCall(deps.db, asked);
  if (call.accountId !== null) assertCurrency(await getAccount(deps.db, call.accountId), given);
}
