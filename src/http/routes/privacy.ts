/** What people may ask for: `/v1/erasures`, and `/v1/pii_access`, who was shown callers' numbers or names. */
import { getAccount } from "../../account/accounts.store.js";
import { listPiiAccess, type LoggedPiiAccess } from "../../account/pii-access.store.js";
import { erasePerson } from "../../attribution/privacy/erase-person.js";
import { type Erasure, findErasure, listErasures } from "../../attribution/privacy/erasures.store.js";
import { AppError } from "../../kernel/errors.js";
import { accountToRead, accountToWrite, actorOf, principalOf } from "../auth.js";
import {
  erasureIn,
  erasureOut,
  erasureQuery,
  piiAccessOut,
  showErasure,
  showPiiAccess,
  subjectOf,
} from "../contract/privacy.js";
import { idParams, pageOut } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Privacy"];
const ERASURES = "erasures";
const ACCESSES = "pii_access";

export function addPrivacyRoutes(app: HttpApp, deps: HttpDeps): void {
  addErase(app, deps);
  addErasures(app, deps);
  addAccesses(app, deps);
}

function addErase(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/erasures",
    {
      config: { access: "write" },
      schema: {
        summary: "Erase a caller or a visitor",
        description:
          "Empties what names the person in the account's calls, corrections, presentations, intercepts and webhook deliveries, and leaves a tombstone by which late data is erased too. Calls and campaigns stay counted. Needs the scope calls:pii. Answers the same whether anything was found.",
        tags,
        body: erasureIn,
        response: { 201: erasureOut },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const principal = principalOf(request);
      if (!principal.scopes.includes("calls:pii")) {
        throw new AppError("forbidden", "The key lacks the scope calls:pii.");
      }
      const { id: accountId } = await getAccount(deps.db, accountToWrite(principal, body.account_id));
      const asked = { accountId, subject: subjectOf(body), actor: actorOf(request), reason: body.reason ?? null };
      const erasure = await erasePerson(deps, asked);
      const { calls, presentations } = erasure;
      deps.log.info("person.erased", { requestId: request.id, erasureId: erasure.id, accountId, calls, presentations });
      return reply.code(201).send(showErasure(erasure));
    },
  );
}

function addErasures(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/erasures",
    {
      config: { access: "read" },
      schema: {
        summary: "List erasures, newest first",
        tags,
        querystring: erasureQuery,
        response: { 200: pageOut(erasureOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const accountId = accountToRead(principalOf(request), asked);
      const rows = await listErasures(deps.db, { accountId, before: afterKey(ERASURES, cursor), limit: limit + 1 });
      return pageOf(ERASURES, { rows, limit, positionOf: ({ id }: Erasure) => [id], show: showErasure });
    },
  );
  app.get(
    "/v1/erasures/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get an erasure", tags, params: idParams, response: { 200: erasureOut } },
    },
    async (request) => {
      const { accountId } = principalOf(request);
      const erasure = await findErasure(deps.db, { id: request.params.id, accountId });
      if (erasure === null) throw new AppError("not_found", "There is no such erasure.");
      return showErasure(erasure);
    },
  );
}

function addAccesses(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/pii_access",
    {
      config: { access: "read" },
      schema: {
        summary: "List who was shown callers' numbers or names, newest first",
        tags,
        querystring: erasureQuery,
        response: { 200: pageOut(piiAccessOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const accountId = accountToRead(principalOf(request), asked);
      const key = afterKey(ACCESSES, cursor);
      const before = /^\d{1,15}$/.test(key) ? Number(key) : null;
      const rows = await listPiiAccess(deps.db, { accountId, before, limit: limit + 1 });
      const positionOf = ({ id }: LoggedPiiAccess) => [String(id)];
      return pageOf(ACCESSES, { rows, limit, positionOf, show: showPiiAccess });
    },
  );
}
