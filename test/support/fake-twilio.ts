/**
 * Twilio's number API as our adapter meets it (twilio.com/docs/phone-numbers/api): basic auth, form bodies, pages by next_page_uri, error bodies
 * `{code, message, more_info, status}`, a concurrency limit, and the behaviours that matter for buying: FriendlyName is kept, there is no idempotency
 * key, and a POST for a number that the account owns is answered 201 and treated as an update. Faults are injected by the request they hit.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export const ACCOUNT_SID = `AC${"0".repeat(31)}1`;
export const AUTH_TOKEN = "twilio-token-for-tests";

export interface FakeNumber {
  sid: string;
  phone_number: string;
  friendly_name: string;
  voice_url: string | null;
  voice_fallback_url: string | null;
  status_callback: string | null;
  trunk_sid: string | null;
  voice_application_sid: string | null;
}

export type FaultKind =
  /** Answered with this status; nothing is done. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  /** Done, but the answer never arrives: the connection breaks. */
  | { readonly kind: "answer_lost" }
  /** Not done, and the connection breaks. */
  | { readonly kind: "request_lost" }
  /** Done, and no answer for as long as anybody waits. */
  | { readonly kind: "silent" }
  /** Done, and answered by something that is no Twilio. */
  | { readonly kind: "garbage" }
  /** Done twice, as when a proxy on the way repeats it. */
  | { readonly kind: "twice" };

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly form: URLSearchParams;
}

export interface FakeTwilio {
  readonly url: string;
  readonly owned: Map<string, FakeNumber>;
  readonly seen: Seen[];
  /** Every creation that made a number the account's, in order. */
  readonly bought: string[];
  /** From now on the area code has exactly these numbers; without it, some thousands. */
  setStock(npa: string, numbers: readonly string[]): void;
  /** The next request of this method whose path has this text fails so. */
  fail(method: string, pathPart: string, fault: FaultKind): void;
  /** Refuses every purchase with this error, e.g. 21404 for a trial account; null: sells again. */
  refusePurchases(error: { code: number; message: string } | null): void;
  /** Lists show a new number only after this many further lists: Twilio's own lag. */
  setListLag(lists: number): void;
  /** More requests at a time are answered 429. */
  setConcurrencyMax(max: number): void;
  /** Tokens that are valid; the second one while it is being replaced. */
  setTokens(tokens: readonly string[]): void;
  add(number: string, fields?: Partial<FakeNumber>): FakeNumber;
  stop(): Promise<void>;
}

const LOCAL_NPAS_OF_ANY = ["415", "212"];
const STOCK_SHOWN_MAX = 50;
const STOCK_SIZE = 5_000;

interface State {
  readonly owned: Map<string, FakeNumber & { visibleAfter: number }>;
  readonly stock: Map<string, readonly string[]>;
  readonly faults: { method: string; pathPart: string; fault: FaultKind }[];
  readonly seen: Seen[];
  readonly bought: string[];
  refusal: { code: number; message: string } | null;
  listLag: number;
  lists: number;
  concurrencyMax: number;
  running: number;
  tokens: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export async function startFakeTwilio(): Promise<FakeTwilio> {
  const state: State = {
    owned: new Map(),
    stock: new Map(),
    faults: [],
    seen: [],
    bought: [],
    refusal: null,
    listLag: 0,
    lists: 0,
    concurrencyMax: Number.POSITIVE_INFINITY,
    running: 0,
    tokens: [AUTH_TOKEN],
  };
  const server = createServer((request, response) => void serve(state, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    owned: state.owned,
    seen: state.seen,
    bought: state.bought,
    setStock: (npa, numbers) => void state.stock.set(npa, numbers),
    fail: (method, pathPart, fault) => void state.faults.push({ method, pathPart, fault }),
    refusePurchases: (error) => void (state.refusal = error),
    setListLag: (lists) => void (state.listLag = lists),
    setConcurrencyMax: (max) => void (state.concurrencyMax = max),
    setTokens: (tokens) => void (state.tokens = tokens),
    add: (number, fields) => own(state, number, fields),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = "GET", url = "/" } = request;
  const form = new URLSearchParams(await text(request));
  state.seen.push({ method, path: url, form });
  state.running++;
  const index = state.faults.findIndex((f) => f.method === method && url.includes(f.pathPart));
  const fault = index < 0 ? null : (state.faults.splice(index, 1)[0]?.fault ?? null);
  try {
    if (fault?.kind === "request_lost") return void response.destroy();
    if (fault?.kind === "status") return answer(response, refused(fault.status, fault.retryAfter));
    const done = handle(state, request, method, url, form);
    if (fault?.kind === "twice") answer(response, handle(state, request, method, url, form));
    else if (fault?.kind === "answer_lost") response.destroy();
    else if (fault?.kind === "silent") return;
    else if (fault?.kind === "garbage")
      response.writeHead(200, { "content-type": "text/html" }).end("<html>proxy</html>");
    // One turn, so that requests sent together overlap.
    else setImmediate(() => answer(response, done));
  } finally {
    setImmediate(() => state.running--);
  }
}

function answer(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const type = { "content-type": "application/json;charset=utf-8" };
  if (status === 204) response.writeHead(204).end();
  else response.writeHead(status, { ...type, ...headers }).end(JSON.stringify(body));
}

function handle(state: State, request: IncomingMessage, method: string, url: string, form: URLSearchParams): Answer {
  const refusal = refusalOf(state, request);
  if (refusal !== null) return refusal;
  const { pathname, searchParams: query } = new URL(url, "http://fake");
  const root = `/2010-04-01/Accounts/${ACCOUNT_SID}`;
  const rest = pathname.startsWith(root) ? pathname.slice(root.length) : "";
  const stock = /^\/AvailablePhoneNumbers\/([A-Z]{2})\/(Local|TollFree)\.json$/.exec(rest);
  if (stock !== null && method === "GET")
    return searchStock(state, { country: stock[1] as string, kind: stock[2] as string, query, uri: url });
  if (rest === "/IncomingPhoneNumbers.json") return method === "POST" ? create(state, form) : list(state, query, root);
  const one = /^\/IncomingPhoneNumbers\/(PN[0-9a-f]{32})\.json$/.exec(rest);
  const number = one === null ? undefined : [...state.owned.values()].find(({ sid }) => sid === one[1]);
  if (number === undefined) return notFound(pathname);
  if (method === "DELETE") {
    state.owned.delete(number.phone_number);
    return { status: 204, body: null };
  }
  if (method === "POST") update(number, form);
  return { status: 200, body: shown(number) };
}

function refusalOf(state: State, request: IncomingMessage): Answer | null {
  if (state.running > state.concurrencyMax) return refused(429);
  const [sid, token] = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64")
    .toString()
    .split(":");
  if (sid === ACCOUNT_SID && state.tokens.includes(token ?? "")) return null;
  return { status: 401, body: { code: 20003, message: "Authenticate", more_info: moreInfo(20003), status: 401 } };
}

function searchStock(
  state: State,
  { country, kind, query, uri }: { country: string; kind: string; query: URLSearchParams; uri: string },
): Answer {
  const asked = query.get("AreaCode");
  if (asked !== null && !/^[2-9]\d\d$/.test(asked)) return problem(400, 21451, `The area code ${asked} is not valid`);
  const npas = asked !== null ? [asked] : kind === "TollFree" ? ["888", "877"] : LOCAL_NPAS_OF_ANY;
  const size = Math.min(Number(query.get("PageSize") ?? STOCK_SHOWN_MAX), STOCK_SHOWN_MAX);
  // Stock of another country is there when a test set it.
  const stock =
    country === "US" || asked !== null ? npas.flatMap((npa) => stockOf(state, npa)) : (state.stock.get(country) ?? []);
  const available = stock.filter((number) => !state.owned.has(number)).slice(0, size);
  return {
    status: 200,
    body: {
      available_phone_numbers: available.map((phone_number) => ({
        friendly_name: friendly(phone_number),
        phone_number,
        lata: "722",
        rate_center: "SNFC CNTRL",
        latitude: "37.780000",
        longitude: "-122.420000",
        locality: null,
        region: "CA",
        postal_code: "94105",
        iso_country: country,
        address_requirements: "none",
        beta: false,
        capabilities: { voice: true, SMS: true, MMS: true },
      })),
      uri,
    },
  };
}

function stockOf(state: State, npa: string): readonly string[] {
  return state.stock.get(npa) ?? Array.from({ length: STOCK_SIZE }, (_, i) => `+1${npa}${2_010_000 + i}`);
}

function create(state: State, form: URLSearchParams): Answer {
  const number =
    form.get("PhoneNumber") ?? stockOf(state, form.get("AreaCode") ?? "").find((one) => !state.owned.has(one));
  if (form.get("PhoneNumber") === null && form.get("AreaCode") === null) {
    return problem(400, 21421, "PhoneNumber or AreaCode is required");
  }
  if (number === undefined) return problem(400, 21452, `No phone numbers found in area code ${form.get("AreaCode")}`);
  if (!/^\+(1[2-9]\d{9}|[2-9]\d{7,14})$/.test(number))
    return problem(400, 21421, `${number} is not a valid phone number`);
  // Undocumented but confirmed behaviour: creating what is owned updates it, and says 201.
  const known = state.owned.get(number);
  if (known !== undefined) {
    update(known, form);
    return { status: 201, body: shown(known) };
  }
  if (state.refusal !== null) return problem(400, state.refusal.code, state.refusal.message);
  const stock = number.startsWith("+1") ? stockOf(state, number.slice(2, 5)) : [...state.stock.values()].flat();
  if (!stock.includes(number)) {
    return problem(400, 21422, `${number} is not available`);
  }
  const added = own(state, number);
  update(added, form);
  state.bought.push(number);
  return { status: 201, body: shown(added) };
}

function list(state: State, query: URLSearchParams, root: string): Answer {
  state.lists++;
  const name = query.get("FriendlyName");
  const pattern = query.get("PhoneNumber");
  const size = Math.min(Number(query.get("PageSize") ?? 50), 1000);
  const page = Number(query.get("Page") ?? 0);
  const matching = [...state.owned.values()].filter(
    (one) =>
      one.visibleAfter <= state.lists &&
      (name === null || one.friendly_name === name) &&
      (pattern === null || one.phone_number.includes(pattern)),
  );
  const shownNumbers = matching.slice(page * size, (page + 1) * size);
  const uriOf = (index: number): string => {
    const parameters = new URLSearchParams({ PageSize: String(size), Page: String(index) });
    if (name !== null) parameters.set("FriendlyName", name);
    if (index > 0) parameters.set("PageToken", `PA${shownNumbers.at(-1)?.sid ?? ""}`);
    return `${root}/IncomingPhoneNumbers.json?${parameters.toString()}`;
  };
  return {
    status: 200,
    body: {
      first_page_uri: uriOf(0),
      next_page_uri: matching.length > (page + 1) * size ? uriOf(page + 1) : null,
      previous_page_uri: page > 0 ? uriOf(page - 1) : null,
      page,
      page_size: size,
      start: page * size,
      end: page * size + shownNumbers.length - 1,
      uri: uriOf(page),
      incoming_phone_numbers: shownNumbers.map(shown),
    },
  };
}

function own(state: State, number: string, fields: Partial<FakeNumber> = {}): FakeNumber {
  const added = {
    sid: `PN${randomBytes(16).toString("hex")}`,
    phone_number: number,
    friendly_name: friendly(number),
    voice_url: null,
    voice_fallback_url: null,
    status_callback: null,
    trunk_sid: null,
    voice_application_sid: null,
    visibleAfter: state.lists + 1 + state.listLag,
    ...fields,
  };
  state.owned.set(number, added);
  return added;
}

const FIELDS = {
  FriendlyName: "friendly_name",
  VoiceUrl: "voice_url",
  VoiceFallbackUrl: "voice_fallback_url",
  StatusCallback: "status_callback",
} as const;

function update(number: FakeNumber, form: URLSearchParams): void {
  for (const [parameter, field] of Object.entries(FIELDS)) {
    const value = form.get(parameter);
    if (value !== null) number[field] = value;
  }
}

function shown(number: FakeNumber): Record<string, unknown> {
  const at = "Thu, 30 Jul 2026 23:19:04 +0000";
  const { visibleAfter: _, ...fields } = number as FakeNumber & { visibleAfter?: number };
  return {
    ...fields,
    account_sid: ACCOUNT_SID,
    address_requirements: "none",
    address_sid: null,
    api_version: "2010-04-01",
    beta: false,
    capabilities: { voice: true, sms: true, mms: true, fax: false },
    date_created: at,
    date_updated: at,
    emergency_status: "Inactive",
    emergency_address_sid: null,
    emergency_address_status: "unregistered",
    identity_sid: null,
    bundle_sid: null,
    origin: "twilio",
    sms_application_sid: "",
    sms_fallback_method: "POST",
    sms_fallback_url: "",
    sms_method: "POST",
    sms_url: "",
    status: "in-use",
    status_callback_method: "POST",
    type: null,
    uri: `/2010-04-01/Accounts/${ACCOUNT_SID}/IncomingPhoneNumbers/${number.sid}.json`,
    voice_caller_id_lookup: false,
    voice_fallback_method: "POST",
    voice_method: "POST",
    voice_receive_mode: "voice",
  };
}

function refused(status: number, retryAfter?: string): Answer {
  const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  if (status === 429) return { ...problem(429, 20429, "Too Many Requests"), headers };
  if (status === 401) return problem(401, 20003, "Authenticate");
  return { ...problem(status, 20500, "An internal server error has occurred"), headers };
}

function notFound(path: string): Answer {
  return problem(404, 20404, `The requested resource ${path} was not found`);
}

function problem(status: number, code: number, message: string): Answer {
  return { status, body: { code, message, more_info: moreInfo(code), status } };
}

function moreInfo(code: number): string {
  return `https://www.twilio.com/docs/errors/${code}`;
}

function friendly(number: string): string {
  return `(${number.slice(2, 5)}) ${number.slice(5, 8)}-${number.slice(8)}`;
}
