/**
 * The pages that people look at: `/`, `/demo`, `/install`, and their scripts and styles. Public, and without anything secret in them: what they show they
 * ask the API for, with a key that a person pastes. Registered by the HTTP server; the files are made by scripts/build-dashboard.mjs.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../kernel/errors.js";
import { matchesEtag, Rendition } from "./tag/rendition.js";

/** File name → text. */
export type PageFiles = Readonly<Record<string, string>>;

export interface DemoPage {
  readonly tagKey: string;
  /** E.164 of the North American plan: the page spells it in several ways. */
  readonly number: string;
}

export interface PagesInput {
  /** Null: they were not built. */
  readonly files: PageFiles | null;
  /** Null: there is no demo account. */
  demo(): Promise<DemoPage | null>;
}

/** Everything comes from this server. Forms are handled by scripts, and nobody may frame a page that a key is pasted into. */
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
};

const hidden = { schema: { hide: true } };

/** Throws AppErrors to the enclosing error handler: not_found, database_unavailable. */
export function pages({ files, demo }: PagesInput): FastifyPluginAsync {
  return async (app: FastifyInstance) => {
    app.addHook("onRequest", (_request, reply, done) => {
      void reply.header("content-security-policy", CSP).header("referrer-policy", "no-referrer");
      done();
    });
    app.get("/", hidden, (request, reply) => sendFile({ files, request, reply }, "dashboard.html"));
    app.get("/install", hidden, (request, reply) => sendFile({ files, request, reply }, "install.html"));
    app.get("/demo", hidden, async (request, reply) => {
      const page = await demo();
      if (page === null) return sendFile({ files, request, reply: reply.code(404) }, "no-demo.html");
      return sendFile({ files, request, reply }, "demo.html", spellings(page));
    });
    app.get<{ Params: { file: string } }>("/assets/:file", hidden, (request, reply) => {
      const { file } = request.params;
      if (file.endsWith(".html")) throw notFound();
      return sendFile({ files, request, reply }, file);
    });
  };
}

interface Sending {
  readonly files: PageFiles | null;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Asked for again at each visit and answered by 304: a new version of the service is seen at once. */
function sendFile({ files, request, reply }: Sending, name: string, fills: PageFiles = {}): FastifyReply {
  if (files === null)
    throw new AppError("not_found", "The pages are not built: run `npm run build`, then start the service again.");
  const text = Object.hasOwn(files, name) ? files[name] : undefined;
  if (text === undefined) throw notFound();
  const filled = text.replace(/\{\{(\w+)\}\}/g, (whole, word: string) => fills[word] ?? whole);
  const etag = new Rendition(filled).etag("identity");
  void reply.header("cache-control", "no-cache").header("etag", etag);
  if (reply.statusCode === 200 && matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
  return reply.type(TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "text/plain; charset=utf-8").send(filled);
}

/** A number as pages write it. Neither digits nor tag keys have anything in them that HTML would take for markup. */
function spellings({ tagKey, number }: DemoPage): PageFiles {
  const [area = "", prefix = "", line = ""] = /^\+1(\d{3})(\d{3})(\d{4})$/.exec(number)?.slice(1) ?? [];
  return { tag_key: tagKey, number, area, prefix, line };
}

function notFound(): AppError {
  return new AppError("not_found", "There is nothing at this path; /docs lists what there is.");
}
