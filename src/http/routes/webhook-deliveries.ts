/** `/v1/webhook_endpoints/:id/deliveries`: what was told to an endpoint, what came of it, and telling it again. */
import { getDelivery, listDeliveries, replayDelivery } from "../../account/outgoing/deliveries.store.js";
import { readSecretEnc } from "../../account/outgoing/network-endpoints.store.js";
import { getEndpoint } from "../../account/outgoing/webhook-endpoints.store.js";
import { AppError } from "../../kernel/errors.js";
import { principalOf } from "../auth.js";
import { idParams, pageOut } from "../contract/scalars.js";
import {
  deliveryOut,
  deliveryParams,
  deliveryQuery,
  requestStatusOut,
  showDelivery,
  showRequestStatus,
} from "../contract/webhook-endpoint.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Webhooks"];
const LIST = "webhook_deliveries";

export function addDeliveryRoutes(app: HttpApp, deps: HttpDeps): void {
  addList(app, deps);
  addReplay(app, deps);
  addRequestStatus(app, deps);
}

function addList(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/webhook_endpoints/:id/deliveries",
    {
      config: { access: "read" },
      schema: {
        summary: "List an endpoint's deliveries, newest first",
        description: "Of the last 30 days, each with its attempts.",
        tags,
        params: idParams,
        querystring: deliveryQuery,
        response: { 200: pageOut(deliveryOut) },
      },
    },
    async (request) => {
      const { limit, cursor, state } = request.query;
      const { id } = await getEndpoint(deps.db, {
        id: request.params.id,
        accountId: principalOf(request).accountId,
      });
      const before = afterKey(LIST, cursor);
      const rows = await listDeliveries(deps.db, { endpointId: id, before, state: state ?? null, limit: limit + 1 });
      return pageOf(LIST, { rows, limit, positionOf: (delivery) => [delivery.id], show: showDelivery });
    },
  );
}

function addReplay(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/webhook_endpoints/:id/deliveries/:delivery_id/replay",
    {
      config: { access: "write" },
      schema: {
        summary: "Send a delivery again",
        description:
          "At once, whatever came of it before: the same webhook-id and body with a new timestamp and signature, and all attempts anew. 409 when the endpoint is disabled or the body was erased.",
        tags,
        params: deliveryParams,
        response: { 202: deliveryOut },
      },
    },
    async (request, reply) => {
      const { id, delivery_id: deliveryId } = request.params;
      const endpoint = await getEndpoint(deps.db, { id, accountId: principalOf(request).accountId });
      if (!endpoint.enabled) {
        throw new AppError("conflict", "The endpoint is disabled; PATCH it with enabled: true first.");
      }
      const delivery = await replayDelivery(deps.db, endpoint, deliveryId);
      deps.outgoing.soon(endpoint.id);
      const { keyId } = principalOf(request);
      deps.log.info("webhook.replayed", { requestId: request.id, keyId, endpoint: id, delivery: deliveryId });
      return reply.code(202).send(showDelivery(delivery));
    },
  );
}

function addRequestStatus(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/webhook_endpoints/:id/deliveries/:delivery_id/request_status",
    {
      config: { access: "read" },
      schema: {
        summary: "Ask Google what became of a delivery",
        description:
          "Of endpoints of the kind google_ads: Google accepts first and judges later. Asked for while you wait, by the request id of the latest attempt that has one; 409 when none has.",
        tags,
        params: deliveryParams,
        response: { 200: requestStatusOut },
      },
    },
    async (request) => {
      const { id, delivery_id: deliveryId } = request.params;
      const endpoint = await getEndpoint(deps.db, { id, accountId: principalOf(request).accountId });
      if (endpoint.kind !== "google_ads") throw new AppError("conflict", "Only Google Ads is asked afterwards.");
      const { attempts } = await getDelivery(deps.db, { endpointId: endpoint.id, id: deliveryId });
      const requestId = attempts.findLast((attempt) => typeof attempt.requestId === "string")?.requestId ?? null;
      if (requestId === null) throw new AppError("conflict", "Google gave no request id for it (yet).");
      const said = await deps.outgoing.statusOf(requestId, await readSecretEnc(deps.db, endpoint.id));
      return showRequestStatus(requestId, said);
    },
  );
}
