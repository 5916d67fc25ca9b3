/** `/v1/numbers`: the inventory, where each number stands, and its moves by hand. An account sees its own numbers. */
import type { FastifyRequest } from "fastify";
import { getStatement } from "../../pool/cleanliness.store.js";
import { type IdleNumber, listIdleNumbers } from "../../pool/idle-numbers.store.js";
import { getNumber, historyOf, listNumbers, type PromoNumber } from "../../pool/numbers.store.js";
import { finishPorting } from "../../pool/finish-porting.js";
import { giveBackNumber } from "../../pool/give-back-number.js";
import { quarantineNumber, releaseNumber, retireNumber } from "../../pool/number-moves.js";
import { accountToRead, actorOf, isAdmin, principalOf } from "../auth.js";
import {
  addedNumbers,
  cleanlinessOut,
  moveBody,
  newNumbers,
  numberOut,
  numberQuery,
  numberWithHistoryOut,
  releaseBody,
  showCleanliness,
  showHistory,
  showIdle,
  showNumber,
} from "../contract/number.js";
import { numberParams, pageOut } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { importNumbers } from "../import-numbers.js";
import { readQuarantineFacts } from "../quarantine-facts.js";

const tags = ["Numbers"];
const LIST = "numbers";
/** Ten thousand entries with carrier and credential, indented. */
const IMPORT_BYTES_MAX = 4 * 1_048_576;

export function addNumberRoutes(app: HttpApp, deps: HttpDeps): void {
  addImport(app, deps);
  addReads(app, deps);
  addQuarantine(app, deps);
  addRelease(app, deps);
  addRetire(app, deps);
  addActivate(app, deps);
  addGiveBack(app, deps);
  addCleanliness(app, deps);
}

function addImport(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers",
    {
      config: { access: "admin" },
      bodyLimit: IMPORT_BYTES_MAX,
      schema: {
        summary: "Add numbers to the available inventory",
        description:
          "Up to 10,000 a request. added and duplicates are counts; an entry that cannot be added is listed in invalid and costs the others nothing.",
        tags,
        body: newNumbers,
        response: { 201: addedNumbers },
      },
    },
    async (request, reply) => {
      const result = await importNumbers(deps, { entries: request.body.numbers, actor: actorOf(request) });
      const invalid = result.invalid.map(({ number, reason }) => ({ number, reason }));
      return reply.code(201).send({ ...result, invalid });
    },
  );
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/numbers",
    {
      config: { access: "read" },
      schema: {
        summary: "List numbers, ascending",
        tags,
        querystring: numberQuery,
        response: { 200: pageOut(numberOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked, state, pool_id: poolId, type, npa, proposed, idle } = request.query;
      const list = idle === undefined ? listNumbers : listIdleNumbers;
      const rows: (PromoNumber | IdleNumber)[] = await list(deps.db, {
        accountId: accountToRead(principalOf(request), asked),
        state: state ?? null,
        poolId: poolId ?? null,
        type: type ?? null,
        npa: npa ?? null,
        isRetirementProposed: proposed === "retire",
        after: afterKey(LIST, cursor),
        limit: limit + 1,
      });
      const factsOf = await readQuarantineFacts(deps, rows);
      const show = (number: PromoNumber | IdleNumber) => {
        const shown = showNumber(number, factsOf(number));
        return "reclaimAt" in number ? { ...shown, idle: showIdle(number) } : shown;
      };
      return pageOf(LIST, { rows, limit, positionOf: ({ e164 }) => [e164], show });
    },
  );
  app.get(
    "/v1/numbers/:number",
    {
      config: { access: "read" },
      schema: {
        summary: "Get a number with its history",
        tags,
        params: numberParams,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => showOne(deps, request, await readable(deps, request, request.params.number)),
  );
}

function addQuarantine(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers/:number/quarantine",
    {
      config: { access: "write" },
      schema: {
        summary: "Quarantine a number at once",
        description:
          "It stops routing; every call to it is intercepted and logged. 409 when it is quarantined or retired.",
        tags,
        params: numberParams,
        body: moveBody,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => {
      // Another account's number is not even locked.
      const { e164 } = await readable(deps, request, request.params.number);
      const { reason } = request.body;
      const { accountId } = principalOf(request);
      return showOne(deps, request, await quarantineNumber(deps, { e164, accountId, reason, actor: actorOf(request) }));
    },
  );
}

function addRelease(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers/:number/release",
    {
      config: { access: "write" },
      schema: {
        summary: "Release a quarantined number to the inventory",
        description:
          "409 before it is clean, unless a key with the scope admin sends force. 409 when it is not quarantined.",
        tags,
        params: numberParams,
        body: releaseBody,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => {
      const { e164 } = await readable(deps, request, request.params.number);
      const { reason } = request.body;
      const force = request.body.force && isAdmin(principalOf(request));
      return showOne(deps, request, await releaseNumber(deps, { e164, force, reason, actor: actorOf(request) }));
    },
  );
}

function addRetire(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers/:number/retire",
    {
      config: { access: "write" },
      schema: {
        summary: "Retire a number for ever",
        description: "409 while a business holds it.",
        tags,
        params: numberParams,
        body: moveBody,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => {
      const { e164 } = await readable(deps, request, request.params.number);
      return showOne(
        deps,
        request,
        await retireNumber(deps, { e164, reason: request.body.reason, actor: actorOf(request) }),
      );
    },
  );
}

function addActivate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers/:number/activate",
    {
      config: { access: "admin" },
      schema: {
        summary: "A number that was being ported in is here",
        description: "It becomes available. 409 when it is not being ported in.",
        tags,
        params: numberParams,
        body: moveBody,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => {
      const { number: e164 } = request.params;
      const { reason } = request.body;
      return showOne(deps, request, await finishPorting(deps.db, { e164, reason, actor: actorOf(request) }));
    },
  );
}

function addGiveBack(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/numbers/:number/release_to_carrier",
    {
      config: { access: "admin" },
      schema: {
        summary: "Give an available or retired number back to its carrier",
        description:
          "It is retired for good. When the carrier does not answer it stays retired, and can be given back with another call.",
        tags,
        params: numberParams,
        body: moveBody,
        response: { 200: numberWithHistoryOut },
      },
    },
    async (request) => {
      const { number: e164 } = request.params;
      const { reason } = request.body;
      return showOne(deps, request, await giveBackNumber(deps, { e164, reason, actor: actorOf(request) }));
    },
  );
}

function addCleanliness(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/numbers/:number/cleanliness",
    {
      config: { access: "read" },
      schema: {
        summary: "What was known of a number when it last left quarantine",
        description:
          "For whoever holds it now: how long it was watched, how many called, what the rule said and who released it. Nothing about callers or the former owner. 404 for a number that never left a quarantine.",
        tags,
        params: numberParams,
        response: { 200: cleanlinessOut },
      },
    },
    async (request) => {
      const number = await readable(deps, request, request.params.number);
      return showCleanliness(number, await getStatement(deps.db, number.id));
    },
  );
}

/** @throws AppError("not_found") for a number that is not the asker's */
function readable(deps: HttpDeps, request: FastifyRequest, e164: string): Promise<PromoNumber> {
  return getNumber(deps.db, { e164, accountId: principalOf(request).accountId });
}

async function showOne(deps: HttpDeps, request: FastifyRequest, number: PromoNumber) {
  const [factsOf, history] = await Promise.all([readQuarantineFacts(deps, [number]), historyOf(deps.db, number.id)]);
  return { ...showNumber(number, factsOf(number)), history: showHistory(history, principalOf(request).accountId) };
}
