/**
 * `/tag.js`, `/tag/config` and `/tag/<version>-<hash>.js`: public, from any origin, asked for by every page view of every site. A script that cannot be
 * delivered is answered with a comment that says why: a page must not break, and whoever looks must find the reason.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { listTagFiles } from "../../account/tag-files.store.js";
import { AppError } from "../../kernel/errors.js";
import { baseUrlOf } from "../base-url.js";
import { fileParams, tagConfigOut, tagFilesOut, tagQuery, TAG_KEY_PATTERN } from "../contract/tag-delivery.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import type { HttpMetrics, TagThing } from "../http-metrics.js";
import { appErrorOf } from "../problem.js";
import { matchesEtag, type Rendition } from "../tag/rendition.js";
import type { DeliveredTag, TagCache } from "../tag/tag-cache.js";
import { factsOf, type TagFiles } from "../tag/tag-files.js";

const tags = ["Browser tag"];
const JAVASCRIPT = "application/javascript; charset=utf-8";
/** One text whatever the status: see commentOn. */
const inJavascript = (description: string) => ({
  description,
  content: { "application/javascript": { schema: z.string() } },
});
const unchanged = z.null().meta({ description: "If-None-Match names what is delivered" });
const script = {
  200: inJavascript("The script"),
  304: unchanged,
  "4xx": inJavascript("A comment that says why there is none"),
  "5xx": inJavascript("A comment that says why there is none; Retry-After"),
};
const JSON_TYPE = "application/json; charset=utf-8";

/**
 * A page runs a former revision for ten minutes at most: five from the cache, and once more while the next one is fetched behind it within the five after that
 * (RFC 5861 §3). Caches that know stale-if-error (§4; CDNs do, browsers do not, from general knowledge) go on for a week when we do not answer.
 */
const CACHED = "public, max-age=300, stale-while-revalidate=300, stale-if-error=604800";
const IMMUTABLE = "public, max-age=31536000, immutable";
const NOT_CACHED = "no-store";
/** An account, or a draft, may be made in a moment. */
const MISSING_CACHED = "public, max-age=30";
const RETRY_AFTER_S = "5";
/** Listed: the versions of some years. */
const FILES_LISTED_MAX = 100;

export interface TagSide {
  readonly cache: TagCache;
  readonly files: TagFiles;
  readonly metrics: HttpMetrics;
}

export function addTagDelivery(app: HttpApp, deps: HttpDeps, side: TagSide): void {
  app.addHook("onRequest", (_request, reply, done) => {
    void reply.headers({
      "access-control-allow-origin": "*",
      // Pages that isolate themselves (COEP) may load it all the same.
      "cross-origin-resource-policy": "cross-origin",
    });
    done();
  });
  addLoader(app, deps, side);
  addConfig(app, side);
  addFiles(app, deps, side);
}

function addLoader(app: HttpApp, deps: HttpDeps, { cache, metrics }: TagSide): void {
  app.get(
    "/tag.js",
    {
      schema: {
        summary: "The browser tag with an account's configuration",
        description:
          "Public. JavaScript, also when it cannot be delivered: then a comment that says why. From caches for ten minutes at most.",
        tags,
        querystring: tagQuery,
        response: script,
      },
      errorHandler: (error, request, reply) => void commentOn(deps, metrics, { thing: "tag", error, request, reply }),
    },
    async (request, reply) => {
      const { tag, cacheControl } = await wanted(cache, request.query);
      return deliver(metrics, request, reply, { thing: "tag", rendition: tag.script, type: JAVASCRIPT, cacheControl });
    },
  );
}

function addConfig(app: HttpApp, { cache, metrics }: TagSide): void {
  app.get(
    "/tag/config",
    {
      schema: {
        summary: "An account's configuration, for the immutable file of the tag",
        description: "Public. From caches for ten minutes at most.",
        tags,
        querystring: tagQuery,
        response: { 200: tagConfigOut, 304: unchanged },
      },
    },
    async (request, reply) => {
      const { tag, cacheControl } = await wanted(cache, request.query).catch((error: unknown) => {
        metrics.tagDelivered("config", appErrorOf(error)?.status ?? 500);
        throw error;
      });
      const wire = { thing: "config" as const, rendition: tag.config, type: JSON_TYPE, cacheControl };
      return deliver(metrics, request, reply, wire);
    },
  );
}

function addFiles(app: HttpApp, deps: HttpDeps, { files, metrics }: TagSide): void {
  app.get(
    "/tag/files",
    {
      schema: {
        summary: "Published files of the tag with their integrity, newest first",
        description: "Public. A published file is served for ever, byte by byte.",
        tags,
        response: { 200: tagFilesOut },
      },
    },
    async (request, reply) => {
      void reply.header("cache-control", MISSING_CACHED);
      const published = await listTagFiles(deps.db, FILES_LISTED_MAX);
      return { data: published.map((file) => factsOf(file, baseUrlOf(deps, request))) };
    },
  );
  app.get(
    "/tag/:file",
    {
      schema: {
        summary: "One immutable file of the tag",
        description: "Public. `<version>-<hash>.js`; pages pin it by the integrity that /tag/files and /v1/tag name.",
        tags,
        params: fileParams,
        response: script,
      },
      errorHandler: (error, request, reply) => void commentOn(deps, metrics, { thing: "file", error, request, reply }),
    },
    async (request, reply) => {
      const { file } = request.params;
      const rendition = file.endsWith(".js") ? await files.find(file.slice(0, -".js".length)) : null;
      if (rendition === null) throw new AppError("not_found", "No such file of the tag was ever published here.");
      const wire = { thing: "file" as const, rendition, type: JAVASCRIPT, cacheControl: IMMUTABLE };
      return deliver(metrics, request, reply, wire);
    },
  );
}

/** @throws AppError("not_found"), AppError("database_unavailable") */
async function wanted(
  cache: TagCache,
  { key, revision }: z.output<typeof tagQuery>,
): Promise<{ tag: DeliveredTag; cacheControl: string }> {
  if (key === undefined || key === "") throw new AppError("not_found", "Add ?key= with the account's tag_key.");
  const isDraft = revision === "draft";
  const found = TAG_KEY_PATTERN.test(key) ? await (isDraft ? cache.draft(key) : cache.find(key)) : null;
  if (found === null) throw new AppError("not_found", "No account has this key.");
  if (found === "none") throw new AppError("not_found", "The account's tag has no draft.");
  return { tag: found, cacheControl: isDraft ? NOT_CACHED : CACHED };
}

async function deliver(
  metrics: HttpMetrics,
  request: FastifyRequest,
  reply: FastifyReply,
  wire: { thing: TagThing; rendition: Rendition; type: string; cacheControl: string },
): Promise<FastifyReply> {
  const { thing, rendition, type, cacheControl } = wire;
  const encoding = rendition.encodingFor(request.headers["accept-encoding"]);
  const etag = rendition.etag(encoding);
  void reply.headers({ etag, "cache-control": cacheControl, vary: "accept-encoding" });
  if (matchesEtag(request.headers["if-none-match"], etag)) {
    metrics.tagDelivered(thing, 304);
    return reply.code(304).send();
  }
  metrics.tagDelivered(thing, 200);
  if (encoding !== "identity") void reply.header("content-encoding", encoding);
  return reply.type(type).send(await rendition.in(encoding));
}

function commentOn(
  deps: Pick<HttpDeps, "log">,
  metrics: HttpMetrics,
  answer: { thing: TagThing; error: unknown; request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const { thing, error, request, reply } = answer;
  const known = appErrorOf(error);
  if (known === null) deps.log.error("tag.failed", { requestId: request.id, error });
  const status = known?.status ?? 500;
  metrics.tagDelivered(thing, status);
  const why = known === null || status >= 500 ? "The service cannot tell what to deliver just now." : known.message;
  if (status >= 500) void reply.header("retry-after", RETRY_AFTER_S);
  void reply.header("cache-control", status === 404 ? MISSING_CACHED : NOT_CACHED);
  return reply.code(status).type(JAVASCRIPT).send(`/* Ringmatch: ${why} The page keeps its own numbers. */\n`);
}
