/** `/v1/inventory`: what carriers have, what was ordered from them, and what differs between their lists and ours. The platform's alone. */
import { getAccount } from "../../account/accounts.store.js";
import { AppError } from "../../kernel/errors.js";
import { adoptNumber, noCredential } from "../../pool/adopt-number.js";
import { NO_SELLER, orderNumbers } from "../../pool/buy-numbers.js";
import { asAppError } from "../../pool/carrier-inventory/carrier-fault.js";
import type { Seller } from "../../pool/carrier-inventory/carriers.js";
import { listFindings } from "../../pool/inventory-findings.store.js";
import { getOrder, listOrders } from "../../pool/number-orders.store.js";
import { classifyNumber } from "../../telephony/npa.js";
import { actorOf, principalOf } from "../auth.js";
import {
  adoptionIn,
  findingOut,
  findingQuery,
  newOrder,
  orderOut,
  orderQuery,
  showFinding,
  showOrder,
  stockOut,
  stockQuery,
} from "../contract/inventory.js";
import { numberOut, showNumber } from "../contract/number.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Inventory"];
const ORDERS = "number-orders";
const FINDINGS = "findings";

export function addInventoryRoutes(app: HttpApp, deps: HttpDeps): void {
  addSearch(app, deps);
  addOrder(app, deps);
  addOrderReads(app, deps);
  addFindings(app, deps);
  addAdoption(app, deps);
}

function addSearch(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/inventory/search",
    {
      config: { access: "admin" },
      schema: {
        summary: "Numbers that a carrier has to sell",
        description: "Nothing is bought or held back.",
        tags,
        body: stockQuery,
        response: { 200: stockOut },
      },
    },
    async (request) => {
      const { carrier = null, account_id: accountId = null, number_type: type, npa = null, limit } = request.body;
      const shop = await deps.carriers.choose({ carrier, accountId, isOwnFirst: true });
      const opened = shop === null ? null : await deps.carriers.open(shop);
      if (shop === null || opened === null) throw noSeller(carrier);
      try {
        const stock = await opened.searchStock({ type, npa, callingCode: null, limit });
        const numbers = stock.map((number) => ({ number, ...classifyNumber(number) }));
        return { carrier: shop.carrier, credential_id: shop.credentialId, numbers };
      } catch (error) {
        throw asAppError(error);
      }
    },
  );
}

function addOrder(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/inventory/orders",
    {
      config: { access: "admin" },
      schema: {
        summary: "Buy numbers into the available inventory",
        description:
          "Answers after ten seconds at most with how far it came; what is left goes on by itself (GET /v1/inventory/orders/:id). Send an Idempotency-Key: asked again with it, the same order goes on, and nothing is bought twice.",
        tags,
        body: newOrder,
        response: { 201: orderOut },
      },
    },
    async (request, reply) => {
      const {
        carrier = null,
        account_id: accountId = null,
        number_type: numberType,
        npa,
        count,
        reason,
      } = request.body;
      if (accountId !== null) await getAccount(deps.db, accountId);
      const given = request.headers["idempotency-key"];
      const key = typeof given === "string" ? given : request.id;
      const order = await orderNumbers(deps, {
        key: `api:${principalOf(request).keyId}:${key}`,
        ...{ carrier, accountId, numberType, count, reason },
        poolId: null,
        npas: npa === undefined ? null : [npa],
        callingCode: null,
        actor: actorOf(request),
        isOwnFirst: true,
      });
      if (order === null) throw noSeller(carrier);
      return reply.code(201).send(showOrder(order));
    },
  );
}

function addOrderReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/inventory/orders",
    {
      config: { access: "admin" },
      schema: {
        summary: "List orders of numbers, newest first",
        tags,
        querystring: orderQuery,
        response: { 200: pageOut(orderOut) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const rows = await listOrders(deps.db, { before: afterKey(ORDERS, cursor), limit: limit + 1 });
      return pageOf(ORDERS, { rows, limit, positionOf: ({ id }) => [id], show: showOrder });
    },
  );
  app.get(
    "/v1/inventory/orders/:id",
    {
      config: { access: "admin" },
      schema: { summary: "Get an order of numbers", tags, params: idParams, response: { 200: orderOut } },
    },
    async (request) => showOrder(await getOrder(deps.db, request.params.id)),
  );
}

function addFindings(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/inventory/findings",
    {
      config: { access: "admin" },
      schema: {
        summary: "What differs between carriers' lists and the inventory, newest first",
        description: "Compared hourly. Nothing is given back, taken over or deleted by itself.",
        tags,
        querystring: findingQuery,
        response: { 200: pageOut(findingOut) },
      },
    },
    async (request) => {
      const { limit, cursor, kind, open } = request.query;
      const rows = await listFindings(deps.db, {
        before: afterKey(FINDINGS, cursor),
        kind: kind ?? null,
        onlyOpen: open === "true",
        number: null,
        limit: limit + 1,
      });
      return pageOf(FINDINGS, { rows, limit, positionOf: ({ id }) => [id], show: showFinding });
    },
  );
}

function addAdoption(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/inventory/adopt",
    {
      config: { access: "admin" },
      schema: {
        summary: "Take a number over that a carrier has and the inventory has not",
        description: "It becomes available, and its webhooks are set. 404 when the carrier does not list it.",
        tags,
        body: adoptionIn,
        response: { 201: numberOut },
      },
    },
    async (request, reply) => {
      const { number, carrier, credential_id: credentialId = null, reason } = request.body;
      const adopted = await adoptNumber(deps, { number, carrier, credentialId, reason, actor: actorOf(request) });
      return reply.code(201).send(showNumber(adopted, null));
    },
  );
}

function noSeller(carrier: Seller | null): AppError {
  return carrier === "twilio" ? noCredential(carrier) : new AppError("conflict", NO_SELLER);
}
