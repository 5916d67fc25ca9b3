/** `/v1/calls`: the call attribution records, and why each was attributed as it was. */
import type { CallRecord } from "../../attribution/call-record.js";
import { getCall, listCalls } from "../../attribution/calls.store.js";
import { readModel, readNewestModels } from "../../attribution/judging/delay-model.store.js";
import { PRIOR_MODEL } from "../../attribution/judging/delay-model.js";
import { explainMatch } from "../../attribution/explain.js";
import { readCandidates } from "../../attribution/candidates.store.js";
import { accountToRead, principalOf } from "../auth.js";
import { callOut, callQuery, explanationOut, showCall, showExplanation } from "../contract/call.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { beforeInstant, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";

const tags = ["Calls"];
const LIST = "calls";

export function addCallRoutes(app: HttpApp, deps: HttpDeps): void {
  addList(app, deps);
  addOne(app, deps);
  addExplanation(app, deps);
}

function addList(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/calls",
    {
      config: { access: "read" },
      schema: {
        summary: "List calls, newest first",
        tags,
        querystring: callQuery,
        response: { 200: pageOut(callOut) },
      },
    },
    async (request) => {
      const { query } = request;
      const { limit } = query;
      const rows = await listCalls(deps.db, {
        accountId: accountToRead(principalOf(request), query.account_id),
        from: query.from ?? null,
        to: query.to ?? null,
        promoNumber: query.promo_number ?? null,
        poolId: query.pool_id ?? null,
        disposition: query.disposition ?? null,
        attribution: query.attribution ?? null,
        updatedSince: query.updated_since ?? null,
        before: beforeInstant(LIST, query.cursor),
        limit: limit + 1,
      });
      const view = callerView(deps, request, { isMasked: query.callers === "masked" });
      const show = (call: CallRecord) => showCall(call, view);
      const page = pageOf(LIST, { rows, limit, positionOf: ({ receivedAt, callId }) => [receivedAt, callId], show });
      await view.audit();
      return page;
    },
  );
}

function addOne(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/calls/:id",
    {
      config: { access: "read" },
      schema: {
        summary: "Get a call, or one row of its record",
        description:
          "By the call's id: as it was received, whatever was said of it later; corrected_by_id then leads on. By a correction's id: as that left it. Lists show each call's newest row.",
        tags,
        params: idParams,
        response: { 200: callOut },
      },
    },
    async (request) => {
      const { accountId } = principalOf(request);
      const call = await getCall(deps.db, { id: request.params.id, accountId });
      const view = callerView(deps, request);
      const shown = showCall(call, view);
      await view.audit();
      return shown;
    },
  );
}

function addExplanation(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/calls/:id/explanation",
    {
      config: { access: "read" },
      schema: {
        summary: "Why a call was attributed as it was",
        description:
          "Every presentation considered, with time gaps and probabilities, the reason for the choice and the runner-up.",
        tags,
        params: idParams,
        response: { 200: explanationOut },
      },
    },
    async (request) => {
      const { accountId } = principalOf(request);
      const call = await getCall(deps.db, { id: request.params.id, accountId });
      const explanation = explainMatch({
        outcome: call.attribution.outcome,
        isCorrected: await isCorrected(deps, call),
        isStatic: call.attribution.outcome === "never_presented" && call.attribution.touch !== null,
        matchedPresentationId: call.attribution.presentationId,
        presentations: await candidatesOf(deps, call),
        receivedAt: call.receivedAt,
        model: await modelOf(deps, call),
      });
      return showExplanation(call, explanation);
    },
  );
}

/** Whether the row's call belongs to somebody else than the match had said. */
async function isCorrected({ db }: HttpDeps, { correction, callId, accountId, attribution }: CallRecord) {
  if (correction === null) return false;
  const matched = (await getCall(db, { id: callId, accountId })).attribution;
  return matched.outcome !== attribution.outcome || matched.presentationId !== attribution.presentationId;
}

/** None where no pool held the number. */
async function candidatesOf(deps: HttpDeps, call: CallRecord) {
  const { accountId, poolId, numberId, ownershipEpoch, receivedAt } = call;
  const { matchedSeq } = call.attribution;
  if (accountId === null || poolId === null || numberId === null) return [];
  if (ownershipEpoch === null || matchedSeq === null) return [];
  return readCandidates(deps.db, { accountId, poolId, numberId, ownershipEpoch, matchedSeq, receivedAt });
}

/** The record's own; of a call that is not judged yet, what it would be judged with now. */
async function modelOf({ db }: HttpDeps, { judgedAt, poolId, attribution }: CallRecord) {
  if (judgedAt !== null) return readModel(db, attribution.delayModelId);
  const newest = poolId === null ? undefined : (await readNewestModels(db, [poolId])).get(poolId);
  return newest ?? PRIOR_MODEL;
}
