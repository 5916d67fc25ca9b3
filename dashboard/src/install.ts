/** The page at `/install`: the lines to put into a page, and a tester that says what the tag would do with one. */
import { createApi, sentenceOf } from "./common/api.js";
import type { Account } from "./common/api-shapes.js";
import { byId, element } from "./common/element.js";
import { useKeyForm } from "./common/key-form.js";
import { readAll } from "./common/read-all.js";
import { factsByTagKey, factsOfAccount } from "./install/account-facts.js";
import { reportView } from "./install/report-view.js";
import { lineFor, showSnippets } from "./install/snippets.js";
import { type GivenPage, testPage } from "./tester/test-page.js";
import type { TagFacts } from "./tester/verdict.js";

const READING = "Reading the account…";

const form = useKeyForm(() => void start());
const api = createApi(() => form.key());
const accountChoice = byId<HTMLSelectElement>("account");
const tagKeyInput = byId<HTMLInputElement>("tag-key");
const note = byId("account-note");
const result = byId("result");

let accounts: readonly Account[] = [];
let facts: TagFacts | null = null;
/** Raised when something else was asked for: a late answer is nobody's. */
let turn = 0;
let tests = 0;

accountChoice.addEventListener("change", () => void useAccount());
byId<HTMLFormElement>("tag-key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void useTagKey(tagKeyInput.value.trim());
});
byId<HTMLFormElement>("test-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void test();
});
void start();

async function start(): Promise<void> {
  const mine = forget();
  accounts = [];
  byId("account-field").hidden = true;
  byId("tag-key-form").hidden = form.key() !== null;
  tell(
    form.key() === null
      ? "Without an API key the tester knows only what a tag key tells: no pools, no allowed origins."
      : READING,
  );
  if (form.key() === null) return;
  const answer = await readAll<Account>(api, "/v1/accounts");
  if (mine !== turn) return;
  if (answer.kind !== "ok") return tell(sentenceOf(answer) ?? "", true);
  accounts = answer.body.all;
  accountChoice.replaceChildren(...accounts.map(({ id, name }) => element("option", { value: id }, name)));
  byId("account-field").hidden = accounts.length < 2;
  await useAccount();
}

/** Nothing of another key or account stays in the page: not its lines, which somebody would copy. @returns the new turn */
function forget(): number {
  facts = null;
  result.replaceChildren();
  const serviceOrigin = location.origin;
  showSnippets(byId("snippets"), { loader: lineFor(serviceOrigin, null), pinned: null, serviceOrigin });
  return ++turn;
}

async function useAccount(): Promise<void> {
  const mine = forget();
  tell(READING);
  const account = accounts.find(({ id }) => id === accountChoice.value);
  if (account === undefined) return tell("There is no account yet: POST /v1/accounts makes one.", true);
  const answer = await factsOfAccount(api, account);
  if (mine !== turn) return;
  if (answer.kind !== "ok") return tell(sentenceOf(answer) ?? "", true);
  const { tag } = answer.body;
  facts = answer.body.facts;
  tell(`${account.name}: revision ${tag.live.revision} is live${tag.paused ? ", and paused" : ""}.`);
  const { serviceOrigin } = facts;
  showSnippets(byId("snippets"), { loader: tag.snippet, pinned: tag.file.snippet, serviceOrigin });
}

async function useTagKey(tagKey: string): Promise<void> {
  const mine = forget();
  const known = await factsByTagKey(tagKey);
  if (mine !== turn) return;
  if (known === null) return tell("No account has this tag key, or the service does not answer.", true);
  tell(
    `Numbers the tag looks for: ${known.numbers.length}${known.paused ? ", and is paused" : ""}. Pools and allowed origins need an API key.`,
  );
  facts = known;
  const { serviceOrigin } = known;
  showSnippets(byId("snippets"), { loader: lineFor(serviceOrigin, tagKey), pinned: null, serviceOrigin });
}

async function test(): Promise<void> {
  const known = facts;
  const isLate = lateness();
  if (known === null)
    return show(
      element(
        "p",
        { class: "bad" },
        "Paste an API key or a tag key first: the tester must know which numbers are looked for.",
      ),
    );
  const html = byId<HTMLTextAreaElement>("page-html").value;
  const url = byId<HTMLInputElement>("page-url").value.trim();
  if (html.trim() === "" && url === "")
    return show(element("p", { class: "bad" }, "Give the page's address, or its HTML."));
  if (url !== "" && !URL.canParse(url))
    return show(element("p", { class: "bad" }, "The address is no URL: it begins with https://"));
  const isPasted = html.trim() !== "";
  if (!isPasted) show(element("p", {}, "Fetching the page…"));
  const page = isPasted ? { html, url: url === "" ? null : url, policyHeader: null } : await fetched(url);
  if (isLate()) return;
  show(
    typeof page === "string" ? element("p", { class: "bad" }, page) : reportView(testPage(page, known), known.numbers),
  );
}

/** @returns tells whether another test, key or account was asked for since */
function lateness(): () => boolean {
  const mine = [turn, ++tests];
  return () => mine[0] !== turn || mine[1] !== tests;
}

/** @returns the page, or why there is none */
async function fetched(url: string): Promise<GivenPage | string> {
  const answer = await api.post<{ url: string; status: number; html: string; headers: Record<string, string | null> }>(
    "/v1/tag/fetch_page",
    { url },
  );
  if (answer.kind === "ok") {
    const { html, headers } = answer.body;
    return { html, url: answer.body.url, policyHeader: headers["content-security-policy"] ?? null };
  }
  return answer.kind === "no_key"
    ? "Fetching a page needs an API key; its HTML can be pasted without one."
    : (sentenceOf(answer) ?? "");
}

function show(content: HTMLElement): void {
  result.replaceChildren(content);
}

function tell(sentence: string, isBad = false): void {
  note.textContent = sentence;
  note.classList.toggle("bad", isBad);
}
