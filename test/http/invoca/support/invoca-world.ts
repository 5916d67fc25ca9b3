/** An account with a key, a campaign's path, and what a client of the Invoca API does with them; exchanges as text, with everything that varies named. */
import type { LightMyRequestResponse } from "fastify";
import { expect } from "vitest";
import type { Account } from "../../../../src/account/accounts.store.js";
import type { Database } from "../../../../src/db/database.js";
import { foldEvents } from "../../../../src/routing/fold-events.js";
import { openCall } from "../../../../src/routing/open-call.js";
import { addInventory, ids, inboundCall, makeAccount, secrets, tollFreeNumbers } from "../../../support/world.js";
import { makeHttpWorld, type RequestOptions } from "../../support/http-world.js";

export const VERSION = "/api/2022-08-01";
export type Answer = LightMyRequestResponse;
type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface InvocaWorld extends ReturnType<typeof makeHttpWorld> {
  readonly account: Account;
  readonly key: string;
  /** Below the account's campaign 87. */
  readonly campaign: string;
  /** With the account's bare token, as Invoca's clients send it. */
  call(method: Method, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A ring pool with two numbers for visitors and one for overflow, unless the body says otherwise. */
  makePool(body?: Record<string, unknown>): Promise<Record<string, unknown> & { id: string; api_key: string }>;
}

export async function makeInvocaWorld(db: Database, inventory = 20): Promise<InvocaWorld> {
  const world = makeHttpWorld(db, { publicBaseUrl: "https://calls.example.com" });
  const account = await makeAccount(db, "LeadTrust");
  await addInventory(db, tollFreeNumbers(inventory));
  const key = await world.keyOf(account.id, ["read", "write", "calls:pii"]);
  const campaign = `${VERSION}/${account.id}/advertisers/${account.id}/advertiser_campaigns/87`;
  const call: InvocaWorld["call"] = (method, url, body, headers = {}) => {
    const sent: RequestOptions = body === undefined ? {} : { body };
    return world.request(method, url, { ...sent, key: null, headers: { authorization: key, ...headers } });
  };
  let serial = 0;
  return {
    ...world,
    ...{ account, key, campaign, call },
    makePool: async (body = {}) => {
      const id_from_network = `pool ${++serial}`;
      const settings = { id_from_network, name: "A pool", max_pool_size: 3, fill_immediately: true };
      const answer = await call("POST", `${campaign}/ring_pools.json`, {
        ...settings,
        destination_phone_number: "888-111-2222",
        ...body,
      });
      expect([answer.statusCode, answer.body]).toEqual([201, expect.any(String)]);
      return answer.json();
    },
  };
}

/** An exchange as it stands in a golden file. @param names what varies → the name it gets */
export function exchange(
  request: { method: Method; url: string; body?: unknown },
  answer: Answer,
  names: Readonly<Record<string, string>>,
): string {
  const headers = ["content-type", "allow", "retry-after"].flatMap((name) => {
    const value = answer.headers[name];
    return value === undefined ? [] : [`${name}: ${String(value)}`];
  });
  const body = request.body === undefined ? [] : [JSON.stringify(request.body, null, 1)];
  const lines = [
    `${request.method} ${request.url}`,
    ...body,
    "",
    String(answer.statusCode),
    ...headers,
    "",
    answer.body,
  ];
  return normalised(lines.join("\n"), names);
}

export function normalised(text: string, names: Readonly<Record<string, string>>): string {
  // Longest first: an id may be part of a link.
  const known = Object.entries(names).sort(([a], [b]) => b.length - a.length);
  const named = known.reduce((before, [value, name]) => before.replaceAll(value, `<${name}>`), text);
  return named
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| ?[+-]\d\d:?\d\d)/g, (time) => time.replace(/\d/g, "0"))
    .replace(/"start_time_utc":\d{13}/g, '"start_time_utc":0000000000000')
    .replace(/("(?:start_time_t|occurred_at_time_t)":)"\d{10}"/g, '$1"0000000000"');
}

/** A call to a number, over unless `isOpen`. @returns its id */
export async function callTo(
  db: Database,
  number: string,
  changes: { caller?: string | null; isOpen?: boolean; talkMs?: number } = {},
): Promise<string> {
  const { caller = "+14155550123", isOpen = false, talkMs = 65_000 } = changes;
  const opening = { call: inboundCall(number, { caller }), callId: ids.next("call"), late: null };
  const { ref } = await openCall({ db, secrets, ids }, opening);
  const answered = { kind: "answered", at: ref.receivedAt + 5_000 } as const;
  const at = ref.receivedAt + 5_000 + talkMs;
  const ended = {
    kind: "ended",
    status: "completed",
    releasedBy: "caller",
    cause: "200",
    authority: 1,
    talkMs,
    at,
  } as const;
  await db.transaction((tx) => foldEvents(tx, [{ ref, events: isOpen ? [answered] : [answered, ended] }]));
  return ref.callId;
}

/** Rows of the feed are held back for a moment: waits until what is written now can be read, by asking. */
export async function settledFeed<T>(read: () => Promise<T>, isThere: (read: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const found = await read();
    if (isThere(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("the feed did not show it within 5 s");
}
