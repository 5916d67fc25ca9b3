/**
 * What a page of a business meets: its own server, and on another origin a service that does what it is told (answers, fails, hangs) and remembers what
 * it was asked. The tag is the one that is delivered.
 */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContextOptions } from "playwright-core";
import { afterAll, onTestFinished } from "vitest";
import { buildTag } from "../../../scripts/build-tag.mjs";
import { tagCall } from "../../../src/account/tag-file.js";
import type { TagConfig } from "../../../src/http/contract/tag-config.js";
import { type OpenPage, openPage } from "../../support/browser.js";
import { until } from "../../support/until.js";

export const SALES = "+18005550100";
export const SUPPORT = "+18005550101";
export const KEY = "tag_shop";
/** A lock is three times as long, as the service has it. */
export const RENEW_AFTER_S = 600;

interface PageView {
  readonly url: string;
  readonly referrer?: string;
}
export interface AskBody {
  readonly tag_key: string;
  readonly visitor_id: string;
  readonly numbers: readonly string[];
  readonly page: PageView & { readonly visible: boolean; readonly landing?: PageView };
  readonly custom_data: Readonly<Record<string, string>>;
  readonly consent: Readonly<Record<string, string>>;
}
export interface RenewBody {
  readonly tag_key: string;
  readonly visitor_id: string;
  readonly presentation_ids: readonly string[];
}
export interface Asked<Body> {
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
}
export type Reply = (response: ServerResponse, body: unknown) => void;

export interface StandIn {
  readonly origin: string;
  /** Where pages are. */
  readonly shop: string;
  config: TagConfig;
  /** By path. Without an entry: a page with the tag and SALES in it. */
  readonly pages: Map<string, string>;
  /** The header of pages. */
  policy: string | null;
  readonly asks: Asked<AskBody>[];
  readonly renewals: Asked<RenewBody>[];
  readonly preflights: string[];
  present: Reply;
  renew: Reply;
  /** As soon as it was asked so many times. */
  asked(count: number): Promise<Asked<AskBody>>;
  renewed(count: number): Promise<Asked<RenewBody>>;
  /** The script element of the loader. */
  readonly script: string;
  /** As new, but for the tag. */
  reset(): void;
}

const CONFIG: TagConfig = {
  key: KEY,
  revision: 1,
  paused: false,
  numbers: [SALES, SUPPORT],
  slots_only: false,
  discover: false,
  sources: [],
  consent: "assumed",
  visitor_days: 30,
  custom_data: [],
};

/** `+1800555 01 00` → `+1888555 01 00`, another visitor's with another third digit. */
export function promoFor(number: string): string {
  return number.replace("+1800", "+1888");
}

export const presented: Reply = (response, body) => {
  const { numbers, visitor_id: visitor } = body as AskBody;
  const presentations = numbers.map((number) => ({
    presentation_id: `prs_${number.slice(-4)}`,
    destination_number: number,
    promo_number: promoFor(number),
    outcome: "presented",
    locked_until: "2100-01-01T00:00:00.000Z",
    renew_after_s: RENEW_AFTER_S,
  }));
  json(response, { visitor_id: visitor, presentations });
};

export const renewed: Reply = (response, body) => {
  const presentations = (body as RenewBody).presentation_ids.map((id) => ({ presentation_id: id, outcome: "renewed" }));
  json(response, { presentations });
};

export const lost: Reply = (response, body) => {
  const presentations = (body as RenewBody).presentation_ids.map((id) => ({ presentation_id: id, outcome: "lost" }));
  json(response, { presentations });
};

export const hang: Reply = () => undefined;
export const breakOff: Reply = (response) => void response.destroy();

export function json(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json").end(JSON.stringify(value));
}

/** A page whose visit ends with its test: no renewal of it may come into another one. */
export async function visit(options: BrowserContextOptions = {}): Promise<OpenPage> {
  const opened = await openPage(options);
  onTestFinished(() => opened.context.close());
  return opened;
}

/** Call at the top of a test file. */
export async function startStandIn(): Promise<StandIn> {
  const tag = await buildTag();
  const service = await listen((url, body, response, headers) => {
    response.setHeader("access-control-allow-origin", "*");
    if (headers["access-control-request-method"] !== undefined) {
      standIn.preflights.push(url.pathname);
      return void response.end();
    }
    switch (url.pathname) {
      case "/tag.js":
        return void response
          .setHeader("content-type", "text/javascript")
          .end(tagCall(tag, JSON.stringify(standIn.config)));
      case "/tag/file.js":
        return void response.setHeader("content-type", "text/javascript").end(tagCall(tag));
      case "/tag/config":
        return url.searchParams.get("key") === KEY
          ? json(response, standIn.config)
          : void response.writeHead(404).end("{}");
      case "/v1/presentations":
        standIn.asks.push({ body: body as AskBody, headers });
        return standIn.present(response, body);
      case "/v1/presentations/renew":
        standIn.renewals.push({ body: body as RenewBody, headers });
        return standIn.renew(response, body);
    }
    response.writeHead(404).end();
  });
  const shop = await listen((url, _body, response) => {
    if (standIn.policy !== null) response.setHeader("content-security-policy", standIn.policy);
    // No-store would keep pages out of the back/forward cache.
    response.setHeader("content-type", "text/html").end(standIn.pages.get(url.pathname) ?? page(standIn));
  });
  const script = `<script async src="${service}/tag.js?key=${KEY}"></script>`;
  const standIn: StandIn = {
    origin: service,
    shop,
    script,
    ...fresh(),
    asked: (count) => until(`${count} requests for numbers`, () => standIn.asks[count - 1]),
    renewed: (count) => until(`${count} renewals`, () => standIn.renewals[count - 1]),
    reset: () => void Object.assign(standIn, fresh()),
  };
  return standIn;
}

function fresh() {
  return {
    config: CONFIG,
    pages: new Map<string, string>(),
    policy: null,
    asks: [],
    renewals: [],
    preflights: [],
    present: presented,
    renew: renewed,
  };
}

/** @param head before the tag's script @param body instead of the number */
export function page({ script }: Pick<StandIn, "script">, { head = "", body = `<p id=n>${SALES}</p>` } = {}): string {
  return `<!doctype html><html lang=en><head><link rel=icon href="data:,">${head}${script}</head><body>${body}</body></html>`;
}

type Handler = (url: URL, body: unknown, response: ServerResponse, headers: IncomingHttpHeaders) => void;

/** @returns its origin */
async function listen(handle: Handler): Promise<string> {
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      handle(new URL(request.url ?? "/", "http://x"), text === "" ? null : JSON.parse(text), response, request.headers);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
