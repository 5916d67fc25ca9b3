/** `/v1/accounts` and the API keys below it. Accounts are made by the platform; a key of an account sees and edits its own. */
import {
  type AccountLimits,
  createAccount,
  getAccount,
  listAccounts,
  updateAccount,
} from "../../account/accounts.store.js";
import { createApiKey, type Principal, revokeApiKey } from "../../account/api-keys.store.js";
import { AppError } from "../../kernel/errors.js";
import { isAdmin, principalOf } from "../auth.js";
import {
  accountChanges,
  accountOut,
  createdKey,
  keyParams,
  limitsIn,
  newAccount,
  newKey,
  recordSettingsIn,
  showAccount,
} from "../contract/account.js";
import { idParams, pageOut, pageQuery } from "../contract/scalars.js";
import { afterKey, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { z } from "zod";

const tags = ["Accounts"];
const LIST = "accounts";

export function addAccountRoutes(app: HttpApp, deps: HttpDeps): void {
  addCreate(app, deps);
  addReads(app, deps);
  addChange(app, deps);
  addKeys(app, deps);
}

function addCreate(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/accounts",
    {
      config: { access: "admin" },
      schema: { summary: "Create an account", tags, body: newAccount, response: { 201: accountOut } },
    },
    async (request, reply) => {
      const { name, auto_create_pools: autoCreatePools } = request.body;
      const settings = { ...recordSettingsIn(request.body), ...limitsIn(request.body) };
      const account = await createAccount(deps, { name, autoCreatePools, ...settings });
      deps.directory.changed(account.id);
      return reply.code(201).send(showAccount(account));
    },
  );
}

function addReads(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/accounts",
    {
      config: { access: "read" },
      schema: {
        summary: "List accounts, oldest first",
        tags,
        querystring: z.strictObject(pageQuery),
        response: { 200: pageOut(accountOut) },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const after = afterKey(LIST, cursor);
      const { accountId } = principalOf(request);
      const rows =
        accountId === null
          ? await listAccounts(deps.db, { after, limit: limit + 1 })
          : [await getAccount(deps.db, accountId)].filter(({ id }) => id > after);
      return pageOf(LIST, { rows, limit, positionOf: ({ id }) => [id], show: showAccount });
    },
  );
  app.get(
    "/v1/accounts/:id",
    {
      config: { access: "read" },
      schema: { summary: "Get an account", tags, params: idParams, response: { 200: accountOut } },
    },
    async (request) => {
      const { id } = request.params;
      assertOwn(principalOf(request), id);
      return showAccount(await getAccount(deps.db, id));
    },
  );
}

function addChange(app: HttpApp, deps: HttpDeps): void {
  app.patch(
    "/v1/accounts/:id",
    {
      config: { access: "write" },
      schema: {
        summary: "Change an account",
        description: "Limits and billing cycle are the platform's: they need one of its admin keys.",
        tags,
        params: idParams,
        body: accountChanges,
        response: { 200: accountOut },
      },
    },
    async (request) => {
      const { id } = request.params;
      assertOwn(principalOf(request), id);
      const { name, auto_create_pools: autoCreatePools } = request.body;
      const limits = limitsIn(request.body);
      assertMayLimit(principalOf(request), limits);
      const account = await updateAccount(deps.db, id, {
        name,
        autoCreatePools,
        ...recordSettingsIn(request.body),
        ...limits,
      });
      deps.directory.changed(account.id);
      return showAccount(account);
    },
  );
}

function addKeys(app: HttpApp, deps: HttpDeps): void {
  app.post(
    "/v1/accounts/:id/keys",
    {
      config: { access: "admin" },
      schema: {
        summary: "Create an API key of an account",
        description: "The key is in the answer and nowhere else.",
        tags,
        params: idParams,
        body: newKey,
        response: { 201: createdKey },
      },
    },
    async (request, reply) => {
      const { name, scopes } = request.body;
      const account = await getAccount(deps.db, request.params.id);
      const { id, key } = await createApiKey(deps, { accountId: account.id, name, scopes });
      deps.log.info("key.created", { requestId: request.id, keyId: id, accountId: account.id, scopes });
      return reply.code(201).send({ id, key, name, scopes });
    },
  );
  app.delete(
    "/v1/accounts/:id/keys/:key_id",
    {
      config: { access: "admin" },
      schema: { summary: "Revoke an API key", tags, params: keyParams, response: { 204: z.null() } },
    },
    async (request, reply) => {
      const { id: accountId, key_id: keyId } = request.params;
      await revokeApiKey(deps.db, { accountId, keyId });
      deps.log.info("key.revoked", { requestId: request.id, keyId, accountId });
      return reply.code(204).send(null);
    },
  );
}

/** Whoever is limited must not lift the limit, nor begin a new cycle. */
function assertMayLimit(principal: Principal, limits: AccountLimits): void {
  if (isAdmin(principal) || Object.values(limits).every((value) => value === undefined)) return;
  throw new AppError("forbidden", "Limits and billing cycle of an account need an admin key of the platform.");
}

function assertOwn(principal: Principal, accountId: string): void {
  if (principal.accountId !== null && principal.accountId !== accountId) {
    throw new AppError("not_found", "There is no such account.");
  }
}
