/** The dashboard at `/`: reads, never writes. Calls are asked for every five seconds while the page is looked at, everything else once a minute. */
import { explanationOf } from "./calls/explanation.js";
import { callsTable } from "./calls/calls-table.js";
import { fillNumbers, fillPools, fillSources, type NumbersBody, type PoolsBody } from "./calls/side-panels.js";
import { type Answer, createApi, type Page, sentenceOf } from "./common/api.js";
import type {
  Account,
  Call,
  Explanation,
  Pool,
  PoolReportRow,
  PromoNumber,
  SourceReportRow,
} from "./common/api-shapes.js";
import { byId, element } from "./common/element.js";
import { useKeyForm } from "./common/key-form.js";
import { panel } from "./common/panel.js";
import { every } from "./common/poll.js";
import { readAll } from "./common/read-all.js";

const CALLS_EVERY_MS = 5_000;
/** The pool report reads each pool's log. */
const REST_EVERY_MS = 60_000;
const CALLS_SHOWN = 25;
const POOLS_SHOWN_MAX = 50;
const SOURCES_SHOWN_MAX = 8;
/** Four answers of 500: an account's numbers rarely are more, and the platform's are counted by /metrics. */
const NUMBER_PAGES_MAX = 4;
const DAY_MS = 86_400_000;

const form = useKeyForm(() => start());
const api = createApi(() => form.key());
const accounts = byId<HTMLSelectElement>("account");
const updated = byId("updated");

const table = callsTable(byId<HTMLTableSectionElement>("calls-rows"), (call, place) => void explain(call, place));
const calls = panel<Page<Call>>("calls", ({ data }) => {
  table.show(data);
  return data.length === 0 ? "No calls yet. Open the demo page, take the number it shows and call it." : null;
});
const pools = panel<PoolsBody>("pools", (body) => fillPools(byId("pools-rows"), byId("pools-more"), body));
const numbers = panel<NumbersBody>("numbers", (body) => fillNumbers(byId("numbers-body"), body));
const sources = panel<Page<SourceReportRow>>("sources", ({ data }) => fillSources(byId("sources-rows"), data));

/** Raised with each other key or account: an answer to what was asked before is shown to nobody. */
let turn = 0;

const callsPoll = every(CALLS_EVERY_MS, async () => {
  const mine = turn;
  if (form.key() === null) return;
  const answer = await api.get<Page<Call>>(`/v1/calls?${query({ limit: CALLS_SHOWN, callers: "masked" })}`);
  if (mine !== turn) return;
  calls.show(answer);
  if (answer.kind === "ok") updated.textContent = `Updated ${new Date().toLocaleTimeString()}`;
});
const restPoll = every(REST_EVERY_MS, async () => {
  const mine = turn;
  if (form.key() === null) return;
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  const today = query({ from: midnight.toISOString(), limit: SOURCES_SHOWN_MAX });
  // One after the other: a dashboard that is looked at must not slow the calls it shows.
  const loaded = await readPools();
  if (mine === turn) pools.show(loaded);
  const counted = await readNumbers();
  if (mine === turn) numbers.show(counted);
  const bySource = await api.get<Page<SourceReportRow>>(`/v1/reports/sources?${today}`);
  if (mine === turn) sources.show(bySource);
});

accounts.addEventListener("change", () => refresh());
start();

function start(): void {
  accounts.replaceChildren(element("option", { value: "" }, "All accounts"));
  byId("account-field").hidden = true;
  byId("panels").hidden = form.key() === null;
  byId("welcome").hidden = form.key() !== null;
  refresh();
  if (form.key() !== null) void listAccounts();
}

/** Nothing of another key or account stays in the page, not even unseen. */
function refresh(): void {
  turn++;
  updated.textContent = "";
  table.clear();
  for (const id of ["pools-rows", "pools-more", "numbers-body", "sources-rows"]) byId(id).replaceChildren();
  callsPoll.now();
  restPoll.now();
}

/** Only a key of the platform has a choice. */
async function listAccounts(): Promise<void> {
  const mine = turn;
  const answer = await readAll<Account>(api, "/v1/accounts");
  if (mine !== turn) return;
  if (answer.kind !== "ok" || answer.body.all.length < 2) return;
  accounts.append(...answer.body.all.map(({ id, name }) => element("option", { value: id }, name)));
  byId("account-field").hidden = false;
}

function query(fields: Readonly<Record<string, string | number>>): string {
  const all = new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  if (accounts.value !== "") all.set("account_id", accounts.value);
  return all.toString();
}

async function readPools(): Promise<Answer<PoolsBody>> {
  const listed = await readAll<Pool>(api, `/v1/pools?${query({})}`);
  if (listed.kind !== "ok") return listed;
  const from = new Date(Date.now() - DAY_MS).toISOString();
  const loads = await api.get<Page<PoolReportRow>>(`/v1/reports/pools?${query({ from, limit: POOLS_SHOWN_MAX })}`);
  if (loads.kind !== "ok") return loads;
  return { kind: "ok", body: busiestPools(listed.body.all, loads.body.data) };
}

/** The report has as many as are shown, those with most calls first. */
function busiestPools(all: readonly Pool[], loads: readonly PoolReportRow[]): PoolsBody {
  if (all.length <= POOLS_SHOWN_MAX) return { pools: all, loads, isCut: false };
  const busiest = new Set(loads.map(({ pool_id: id }) => id));
  return { pools: all.filter(({ id }) => busiest.has(id)), loads, isCut: true };
}

async function readNumbers(): Promise<Answer<NumbersBody>> {
  const read = await readAll<PromoNumber>(api, `/v1/numbers?${query({})}`, NUMBER_PAGES_MAX);
  return read.kind === "ok" ? { kind: "ok", body: { numbers: read.body.all, isCut: read.body.isCut } } : read;
}

async function explain(call: Call, place: HTMLElement): Promise<void> {
  if (place.childNodes.length === 0) place.append("Reading the explanation…");
  const answer = await api.get<Explanation>(`/v1/calls/${encodeURIComponent(call.id)}/explanation`);
  place.replaceChildren(answer.kind === "ok" ? explanationOf(answer.body, call) : (sentenceOf(answer) ?? ""));
}
