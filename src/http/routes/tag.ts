/** `/v1/tag`: an account's browser tag. A draft is written, goes live as the next revision, and can be taken back; pages follow within ten minutes. */
import type { FastifyRequest } from "fastify";
import { findTagFileOfVersion } from "../../account/tag-files.store.js";
import { LATEST_FILE } from "../../account/tag-settings.js";
import { getTag, listTagRevisions, makeDraftLive, pauseTag, putTagDraft, revertTag } from "../../account/tags.store.js";
import { AppError } from "../../kernel/errors.js";
import { accountToWrite, actorOf, principalOf } from "../auth.js";
import { baseUrlOf } from "../base-url.js";
import { pageOut } from "../contract/scalars.js";
import {
  revertIn,
  revisionOut,
  revisionsQuery,
  settingsOf,
  showRevision,
  showTag,
  tagOut,
  tagQueryIn,
  tagSettingsIn,
} from "../contract/tag.js";
import { beforeNumber, pageOf } from "../cursor.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { factsOf, type TagFiles } from "../tag/tag-files.js";

const tags = ["Browser tag"];
const LIST = "tag-revisions";

export interface TagApiDeps extends HttpDeps {
  readonly files: TagFiles;
}

export function addTagRoutes(app: HttpApp, deps: TagApiDeps): void {
  addReads(app, deps);
  addDraft(app, deps);
  addLive(app, deps);
  addPausing(app, deps);
}

function addReads(app: HttpApp, deps: TagApiDeps): void {
  app.get(
    "/v1/tag",
    {
      config: { access: "read" },
      schema: {
        summary: "Get an account's tag: the line for the page, its live revision, its draft",
        tags,
        querystring: tagQueryIn,
        response: { 200: tagOut },
      },
    },
    async (request) => shown(deps, request, accountOf(request, request.query.account_id)),
  );
  app.get(
    "/v1/tag/revisions",
    {
      config: { access: "read" },
      schema: {
        summary: "List a tag's revisions, newest first",
        description: "The newest is the live one. A revision is never changed.",
        tags,
        querystring: revisionsQuery,
        response: { 200: pageOut(revisionOut) },
      },
    },
    async (request) => {
      const { limit, cursor, account_id: asked } = request.query;
      const accountId = accountOf(request, asked);
      const before = beforeNumber(LIST, cursor);
      const rows = await listTagRevisions(deps.db, { accountId, before, limit: limit + 1 });
      return pageOf(LIST, { rows, limit, positionOf: ({ revision }) => [revision], show: showRevision });
    },
  );
}

function addDraft(app: HttpApp, deps: TagApiDeps): void {
  app.put(
    "/v1/tag/draft",
    {
      config: { access: "write" },
      schema: {
        summary: "Write the draft of a tag",
        description:
          "Replaces the whole draft; what is left out gets its default. Pages see it with ?revision=draft, nobody else does.",
        tags,
        querystring: tagQueryIn,
        body: tagSettingsIn,
        response: { 200: tagOut },
      },
    },
    async (request) => {
      const accountId = accountOf(request, request.query.account_id);
      const settings = settingsOf(request.body);
      await assertPublished(deps, settings.file);
      await putTagDraft(deps.db, { accountId, settings, actor: actorOf(request) });
      return shown(deps, request, accountId);
    },
  );
  app.delete(
    "/v1/tag/draft",
    {
      config: { access: "write" },
      schema: {
        summary: "Throw the draft of a tag away",
        tags,
        querystring: tagQueryIn,
        response: { 200: tagOut },
      },
    },
    async (request) => {
      const accountId = accountOf(request, request.query.account_id);
      await putTagDraft(deps.db, { accountId, settings: null, actor: actorOf(request) });
      return shown(deps, request, accountId);
    },
  );
}

function addLive(app: HttpApp, deps: TagApiDeps): void {
  app.post(
    "/v1/tag/live",
    {
      config: { access: "write" },
      schema: {
        summary: "Make the draft the next live revision",
        description: "409 without a draft.",
        tags,
        querystring: tagQueryIn,
        response: { 200: tagOut },
      },
    },
    async (request) => {
      const accountId = accountOf(request, request.query.account_id);
      await makeDraftLive(deps.db, { accountId, actor: actorOf(request) });
      return told(deps, request, accountId);
    },
  );
  app.post(
    "/v1/tag/revert",
    {
      config: { access: "write" },
      schema: {
        summary: "Go back to the settings of an earlier revision",
        description:
          "Makes a new revision; the draft stays as it is. 409 when nothing was before, 404 for an unknown revision.",
        tags,
        querystring: tagQueryIn,
        body: revertIn,
        response: { 200: tagOut },
      },
    },
    async (request) => {
      const accountId = accountOf(request, request.query.account_id);
      await revertTag(deps.db, { accountId, to: request.body.revision ?? null, actor: actorOf(request) });
      return told(deps, request, accountId);
    },
  );
}

function addPausing(app: HttpApp, deps: TagApiDeps): void {
  for (const isPaused of [true, false]) {
    app.post(
      isPaused ? "/v1/tag/pause" : "/v1/tag/unpause",
      {
        config: { access: "write" },
        schema: {
          summary: isPaused ? "Pause a tag: every page keeps its own numbers" : "Let a paused tag run again",
          description: isPaused
            ? "At once for pages that ask, within ten minutes for all. Numbers that pages show already stay theirs and match calls."
            : "Within ten minutes on all pages.",
          tags,
          querystring: tagQueryIn,
          response: { 200: tagOut },
        },
      },
      async (request) => {
        const accountId = accountOf(request, request.query.account_id);
        await pauseTag(deps.db, { accountId, isPaused });
        return told(deps, request, accountId);
      },
    );
  }
}

function accountOf(request: FastifyRequest, asked: string | undefined): string {
  return accountToWrite(principalOf(request), asked);
}

/** What pages are told has changed: they are told so from the next request on. */
async function told(deps: TagApiDeps, request: FastifyRequest, accountId: string) {
  deps.directory.changed(accountId);
  const tag = await shown(deps, request, accountId);
  const { keyId } = principalOf(request);
  const { paused, live } = tag;
  deps.log.info("tag.changed", { requestId: request.id, keyId, accountId, revision: live.revision, paused });
  return tag;
}

async function shown(deps: TagApiDeps, request: FastifyRequest, accountId: string) {
  const tag = await getTag(deps.db, accountId);
  const baseUrl = baseUrlOf(deps, request);
  const file = await deps.files.ofSetting(tag.live.settings.file);
  return showTag(tag, factsOf(file, baseUrl), baseUrl);
}

async function assertPublished(deps: TagApiDeps, file: string): Promise<void> {
  if (file === LATEST_FILE || (await findTagFileOfVersion(deps.db, file)) !== null) return;
  const fields = [{ path: "file", message: "is no version of GET /tag/files" }];
  throw new AppError("invalid_value", "Name a version that was published here, or latest.", { fields });
}
