import { beforeAll, describe, expect, it } from "vitest";
import { publishTagFile } from "../../src/account/tag-files.store.js";
import { tagFileOf } from "../../src/account/tag-file.js";
import { freshDatabase, rows } from "../support/database.js";
import { makeAccount, makeDestination } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf, deps } = makeHttpWorld(db, { publicBaseUrl: "https://calls.example.com/" });
beforeAll(() => publishTagFile(db, deps.tagFile));

async function tagOf() {
  const account = await makeAccount(db);
  const destination = await makeDestination(db, account);
  const key = await keyOf(account.id, ["read", "write"]);
  const api = (method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown) =>
    request(method, `/v1/tag${path}`, { key, ...(body === undefined ? {} : { body }) });
  const config = async (more = "") =>
    (await request("GET", `/tag/config?key=${account.tagKey}${more}`, { key: null })).json();
  return { account, destination, api, config };
}

const DEFAULTS = { slots_only: false, numbers_not_to_replace: [], custom_data: [], file: "latest" };

describe("/v1/tag", () => {
  it("a new account's tag is live as revision 1, with the lines for the page", async () => {
    const { account, api } = await tagOf();
    const tag = (await api("GET", "")).json();
    const src = `https://calls.example.com/tag.js?key=${account.tagKey}`;
    expect(tag).toMatchObject({
      account_id: account.id,
      tag_key: account.tagKey,
      paused: false,
      live: { revision: 1, settings: DEFAULTS, made_by: "account", reverted_to: null, actor: "system" },
      draft: null,
      snippet: `<script async src="${src}"></script>`,
      file: { version: "0.0.1", url: `https://calls.example.com/tag/${deps.tagFile.name}.js` },
    });
    const { url, integrity, snippet } = tag.file;
    expect(snippet).toBe(
      `<script async src="${url}" integrity="${integrity}" crossorigin="anonymous" data-key="${account.tagKey}"></script>`,
    );
    const file = await request("GET", new URL(url).pathname, { key: null });
    const { createHash } = await import("node:crypto");
    expect(integrity).toBe(`sha384-${createHash("sha384").update(file.rawPayload).digest("base64")}`);
  });

  it("a draft is nobody's but for who asks for it; live, it is everybody's", async () => {
    const { destination, api, config } = await tagOf();
    expect((await config("&revision=draft")).code).toBe("not_found");
    const settings = {
      slots_only: true,
      numbers_not_to_replace: [destination.number],
      custom_data: [{ name: "client", from: "cookie", key: "_ga" }],
      file: "0.0.1",
    };
    const written = (await api("PUT", "/draft", settings)).json();
    expect(written).toMatchObject({
      live: { revision: 1 },
      draft: { settings, actor: expect.stringMatching(/^key:/) },
    });
    expect(written.draft.snippet).toContain("&amp;revision=draft");
    expect(await config()).toMatchObject({ revision: 1, slots_only: false, numbers: [destination.number] });
    const draft = { slots_only: true, numbers: [], custom_data: settings.custom_data };
    expect(await config("&revision=draft")).toMatchObject({ revision: 0, ...draft });

    const live = (await api("POST", "/live")).json();
    expect(live).toMatchObject({ live: { revision: 2, settings, made_by: "live" }, draft: null });
    expect(await config()).toMatchObject({ revision: 2, ...draft });
    expect(problemIn(await api("POST", "/live"))).toMatchObject({ status: 409, code: "conflict" });
  });

  it("a draft is asked for past every cache", async () => {
    const { account, api } = await tagOf();
    await api("PUT", "/draft", {});
    const answer = await request("GET", `/tag.js?key=${account.tagKey}&revision=draft`, { key: null });
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect((await api("DELETE", "/draft")).json().draft).toBeNull();
    const gone = await request("GET", `/tag.js?key=${account.tagKey}&revision=draft`, { key: null });
    expect([gone.statusCode, gone.body]).toEqual([404, expect.stringContaining("no draft")]);
  });

  it("going back makes a new revision; the history stays as it was", async () => {
    const { api, config } = await tagOf();
    expect(problemIn(await api("POST", "/revert", {})).code).toBe("conflict");
    for (const slots_only of [true, false]) {
      await api("PUT", "/draft", { slots_only, custom_data: [{ name: "n", from: "cookie", key: `k-${slots_only}` }] });
      await api("POST", "/live");
    }
    await api("PUT", "/draft", { slots_only: true });
    const back = (await api("POST", "/revert")).json();
    expect(back.live).toMatchObject({ revision: 4, made_by: "revert", reverted_to: 2, settings: { slots_only: true } });
    expect(back.draft.settings.slots_only).toBe(true);
    const first = (await api("POST", "/revert", { revision: 1 })).json();
    expect(first.live).toMatchObject({ revision: 5, reverted_to: 1, settings: DEFAULTS });
    expect(await config()).toMatchObject({ revision: 5, custom_data: [] });
    expect(problemIn(await api("POST", "/revert", { revision: 6 })).code).toBe("not_found");

    const all = (await api("GET", "/revisions")).json();
    expect(all.data.map((one: { revision: number }) => one.revision)).toEqual([5, 4, 3, 2, 1]);
    const page = (await api("GET", "/revisions?limit=2")).json();
    const next = (await api("GET", `/revisions?limit=2&cursor=${page.next_cursor}`)).json();
    expect([...page.data, ...next.data]).toEqual(all.data.slice(0, 4));
    expect(problemIn(await api("GET", "/revisions?cursor=WyJhIiwxXQ")).code).toBe("invalid_value");
  });

  it("of many who go live at once, each makes a revision or finds no draft", async () => {
    const { api } = await tagOf();
    for (let round = 0; round < 3; round++) {
      await api("PUT", "/draft", { slots_only: true });
      const answers = await Promise.all(Array.from({ length: 6 }, () => api("POST", "/live")));
      expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    }
    await Promise.all(Array.from({ length: 4 }, () => api("POST", "/revert", { revision: 1 })));
    const revisions = (await api("GET", "/revisions")).json().data.map((one: { revision: number }) => one.revision);
    expect(revisions).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it("what was live once can be changed by nobody", async () => {
    const { account } = await tagOf();
    for (const change of ["update tag_revision set settings = '{}'", "delete from tag_revision"]) {
      await expect(rows(db, `${change} where account_id = $1`, [account.id])).rejects.toThrow(/never changed/);
    }
    await expect(rows(db, "update tag_file set content = ''")).rejects.toThrow(/never changed/);
  });

  it("a paused tag tells pages so until it runs again", async () => {
    const { api, config } = await tagOf();
    expect((await api("POST", "/pause")).json().paused).toBe(true);
    expect((await api("POST", "/pause")).statusCode).toBe(200);
    expect(await config()).toMatchObject({ paused: true, revision: 1 });
    expect((await api("POST", "/unpause")).json().paused).toBe(false);
    expect((await config()).paused).toBe(false);
  });

  it("runs the version it is pinned to, whatever the service's own", async () => {
    const { account, api } = await tagOf();
    const former = tagFileOf({ version: "0.0.0", text: "function(c){globalThis.former=c}" });
    await publishTagFile(db, former);
    await api("PUT", "/draft", { file: "0.0.0" });
    const tag = (await api("POST", "/live")).json();
    expect(tag.file.url).toContain(former.name);
    const script = await request("GET", `/tag.js?key=${account.tagKey}`, { key: null });
    expect(script.body.startsWith("//# allFunctionsCalledOnLoad\n!function(c){globalThis.former=c}({")).toBe(true);
  });

  it.each([
    [{ slots: true }, "slots"],
    [{ numbers_not_to_replace: ["800 555 0100"] }, "numbers_not_to_replace.0"],
    [{ custom_data: [{ name: "a", from: "form", key: "b" }] }, "custom_data.0.from"],
    [
      { custom_data: Array.from({ length: 26 }, (_, i) => ({ name: `f${i}`, from: "cookie", key: "k" })) },
      "custom_data",
    ],
    [{ custom_data: ["x", "y"].map((key) => ({ name: "same", from: "cookie", key })) }, "custom_data"],
    [{ file: "9.9.9" }, "file"],
  ])("refuses %j", async (body, path) => {
    const { api } = await tagOf();
    expect(problemIn(await api("PUT", "/draft", body))).toMatchObject({ status: 422, errors: [{ path }] });
  });

  it("another account's tag does not exist, and the platform says whose it means", async () => {
    const [mine, theirs] = [await tagOf(), await tagOf()];
    expect(problemIn(await mine.api("GET", `?account_id=${theirs.account.id}`)).code).toBe("not_found");
    expect(problemIn(await request("GET", "/v1/tag")).code).toBe("invalid_value");
    expect((await request("GET", `/v1/tag?account_id=${theirs.account.id}`)).json().tag_key).toBe(
      theirs.account.tagKey,
    );
    const reader = await keyOf(mine.account.id, ["read"]);
    expect(problemIn(await request("POST", "/v1/tag/pause", { key: reader })).code).toBe("forbidden");
    expect(problemIn(await request("PUT", "/v1/tag/draft?account_id=acc_none", { body: {} })).code).toBe("not_found");
  });
});
