/**
 * A business's site on a port of its own, as tests write it: pages and scripts by path. A path may be held, so that a test decides what of a page comes
 * first. With a tag's script it also stands in for the service: one promo number for each destination.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Resource {
  readonly body: string;
  readonly type?: "text/html" | "text/javascript";
  readonly headers?: Readonly<Record<string, string>>;
}

export interface LandingSite {
  /** http://127.0.0.1:port */
  readonly url: string;
  put(path: string, resource: Resource): void;
  /** From now on requests for the path wait until the returned function is called. */
  hold(path: string): () => void;
  stop(): Promise<void>;
}

/** What answers before the site's resources do; false: it was not meant. */
export type Answerer = (request: IncomingMessage, response: ServerResponse, body: string) => boolean;

export async function startLandingSite(first: Answerer = () => false): Promise<LandingSite> {
  const resources = new Map<string, Resource>();
  const held = new Map<string, Promise<void>>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const { pathname } = new URL(request.url ?? "/", "http://site.invalid");
    await held.get(pathname);
    if (first(request, response, body)) return;
    const found = resources.get(pathname);
    if (found === undefined) return void response.writeHead(404).end();
    const type = `${found.type ?? "text/html"}; charset=utf-8`;
    response.writeHead(200, { "content-type": type, "cache-control": "max-age=60", ...found.headers }).end(found.body);
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    put: (path, resource) => void resources.set(path, resource),
    hold: (path) => {
      let release = () => undefined as void;
      held.set(path, new Promise<void>((resolve) => (release = resolve)));
      return () => {
        held.delete(path);
        release();
      };
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers `POST /v1/presentations` with these numbers, for the whole of a test and for every visitor. */
export function presents(numbers: Readonly<Record<string, string>>): Answerer {
  return (request, response, body) => {
    if (request.method !== "POST") return false;
    response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
    if (request.url === "/v1/presentations/renew") return send(response, { presentations: [] });
    if (request.url !== "/v1/presentations") return false;
    const asked = JSON.parse(body) as { visitor_id?: string | null; numbers: readonly string[] };
    const presentations = asked.numbers.map((destination) => {
      const promo = numbers[destination] ?? null;
      return {
        presentation_id: promo === null ? null : `prs_0000000000000000000${promo.slice(-4)}`,
        destination_number: destination,
        promo_number: promo,
        outcome: promo === null ? "original" : "presented",
        locked_until: promo === null ? null : new Date(Date.now() + LOCK_MS).toISOString(),
        renew_after_s: promo === null ? null : LOCK_MS / 2_000,
      };
    });
    return send(response, { visitor_id: asked.visitor_id ?? "vis_01testtesttesttesttesttest", presentations });
  };
}

const LOCK_MS = 1_800_000;

function send(response: ServerResponse, body: object): true {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  return true;
}
