import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { insertModel } from "../../src/attribution/judging/delay-model.store.js";
import { erasePerson } from "../../src/attribution/privacy/erase-person.js";
import { replayCommand } from "../../src/cli/replay.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { putStatic } from "../../src/pool/static-numbers.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { freshDatabase, rows } from "../support/database.js";
import { callTo, presentTo } from "../support/judged.js";
import { allocationFor, ids, inboundCall, makeWorld, secrets, type World } from "../support/world.js";

const { db, url } = await freshDatabase();

let out: string[] = [];
beforeEach(() => {
  out = [];
  vi.stubEnv("DATABASE_URL", url);
  vi.stubEnv("SECRETS_KEY", "a secret for tests only");
  vi.stubEnv("REDIS_URL", "redis://127.0.0.1:1");
  vi.spyOn(console, "log").mockImplementation((line: string) => void out.push(line));
});
afterEach(() => {
  expect(process.exitCode ?? 0).toBe(0);
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const WINDOW = ["--from", "2020-01-01", "--to", "2100-01-01"];

async function replay(...words: string[]): Promise<{ text: string; exitCode: number }> {
  out.length = 0;
  await replayCommand.run([...WINDOW, ...words]);
  const exitCode = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { text: out.join("\n"), exitCode };
}
const json = async (...words: string[]) => JSON.parse((await replay(...words, "--json")).text);

async function call(number: string, late: number | null = null): Promise<string> {
  const { ref } = await openCall({ db, secrets, ids }, { call: inboundCall(number), callId: ids.next("call"), late });
  return ref.callId;
}

async function shown(world: World, at: number): Promise<{ number: string; visitorId: string }> {
  const [outcome] = await presentBatch(db, [{ ...allocationFor(world), touch: { utm_source: "google" } }], at);
  if (outcome?.kind !== "presented") throw new Error("no number was presented");
  return { number: outcome.promoNumber, visitorId: outcome.visitorId };
}

describe("ringmatch replay", () => {
  it("finds every record equal, and each that is not, field by field", async () => {
    const world = await makeWorld(db, 2);
    const { number } = await shown(world, Date.now() - 1_000);
    const matched = await call(number);
    await call(world.numbers.find((one) => one !== number) ?? "");
    await call(number, Date.now() + 1_000);
    const account = ["--account", world.account.id];
    expect(await json(...account)).toMatchObject({
      calls: 3,
      equal: 3,
      different: 0,
      late: 1,
      outcomes: { matched: 2, never_presented: 1 },
      differences: [],
    });
    const changes: [string, string][] = [
      ["visitor_id", "'vis_forged'"],
      ["presentation_id", "'prs_forged'"],
      ["touch", `'{"utm_source":"forged"}'`],
      ["custom_data", `'{"forged":true}'`],
      ["presented_at", "presented_at - interval '1 second'"],
    ];
    for (const [field, value] of changes) {
      const [before] = await rows(db, `select ${field} as value from call where id = $1`, [matched]);
      await rows(db, `update call set ${field} = ${value} where id = $1`, [matched]);
      const { text, exitCode } = await replay(...account);
      expect([field, exitCode]).toEqual([field, 1]);
      expect(text).toMatch(new RegExp(`${matched}[^]*${field}: stored .*, recomputed `));
      expect(text).toContain("1 records are not what the log says.");
      const value_ = before?.["value"];
      const restored = field === "presented_at" ? new Date(value_ as number).toISOString() : value_;
      await rows(db, `update call set ${field} = $2 where id = $1`, [matched, restored]);
    }
    expect(await replay(...account)).toMatchObject({
      exitCode: 0,
      text: expect.stringContaining("Every record is what the log says."),
    });
  });

  it("counts what the log no longer has apart, in time and late", async () => {
    const world = await makeWorld(db, 2);
    const { number } = await shown(world, Date.now() - 1_000);
    const other = world.numbers.find((one) => one !== number) ?? "";
    for (const late of [null, Date.now() + 1_000]) for (const one of [number, other]) await call(one, late);
    await rows(db, "delete from presentation where account_id = $1", [world.account.id]);
    const report = await json("--account", world.account.id);
    expect(report).toMatchObject({ calls: 4, equal: 2, different: 0, unverifiable: { log_purged: 2 } });
    expect((await replay("--account", world.account.id)).text).toContain("2 could not be recomputed.");
  });

  it("knows a static number's source, and that an edited one tells nothing of before", async () => {
    const world = await makeWorld(db, 1);
    const [number = ""] = world.numbers;
    const [row] = await rows<{ id: number; epoch: number }>(
      db,
      "update promo_number set role = 'static', pool_id = null where e164 = $1 returning id, ownership_epoch as epoch",
      [number],
    );
    const numberId = row?.id ?? 0;
    await rows(db, "update number_event set role = 'static', pool_id = null where number_id = $1 and role = 'pool'", [
      numberId,
    ]);
    const source = { destinationId: world.destination.id, name: "print", touch: { utm_source: "print" }, drainS: 0 };
    await putStatic({ db, ids }, { ...source, numberId, ownershipEpoch: row?.epoch ?? 0, accountId: world.account.id });
    await call(number);
    expect(await json("--account", world.account.id)).toMatchObject({ calls: 1, equal: 1 });
    await rows(
      db,
      `update static_number set touch = '{}', updated_at = now() + interval '1 second' where number_id = $1`,
      [numberId],
    );
    expect(await json("--account", world.account.id)).toMatchObject({
      equal: 0,
      different: 0,
      unverifiable: { source_changed: 1 },
    });
  });

  it("judges again what was judged when a call was over, by the model that the record names", async () => {
    const world = await makeWorld(db, 1, { sessionLifetimeS: 60 });
    const account = ["--account", world.account.id];
    const [first, second] = [ids.next("vis"), ids.next("vis")];
    const page = {
      touch: { gclid: "g1" },
      customData: { cart: 12, plan: "pro", "a longer name": true, z: 1 },
      context: { url: "https://a.example/x" },
    };
    await presentTo(db, world, first, { ...page, at: Date.now() - 700_000 });
    const number = await presentTo(db, world, second, { ...page, at: Date.now() - 600_000 });
    const byPrior = await callTo(db, number);
    await insertModel(db, world.pool.id, { calls: 9, parts: [], callShare: 0.5, backgroundPerS: 1e-6 });
    const byModel = await callTo(db, number);
    expect([byPrior.attribution.delayModelId, typeof byModel.attribution.delayModelId]).toEqual([null, "number"]);
    // A newer version than the records name says nothing of them.
    await insertModel(db, world.pool.id, { calls: 10, parts: [], callShare: 0.9, backgroundPerS: 1e-3 });
    expect(await json(...account)).toMatchObject({ calls: 2, equal: 2, different: 0 });
    await rows(db, "update call set confidence = 0.5, channel = 'email' where id = $1", [byPrior.callId]);
    await rows(db, "update call set custom_data = '{}' where id = $1", [byModel.callId]);
    const { different, differences } = await json(...account);
    process.exitCode = 0;
    expect(different).toBe(2);
    const fields = Object.fromEntries(
      differences.map((one: { call_id: string; fields: { field: string }[] }) => [
        one.call_id,
        one.fields.map(({ field }) => field),
      ]),
    );
    expect(fields).toEqual({ [byPrior.callId]: ["confidence", "channel"], [byModel.callId]: ["custom_data"] });
    // An erasure takes the visitor from log and records alike.
    const asked = { accountId: world.account.id, actor: "test", reason: null };
    await erasePerson({ db, ids, secrets }, { ...asked, subject: { kind: "visitor", visitorId: second } });
    expect(await json(...account)).toMatchObject({ calls: 2, equal: 2 });
  });

  it("says what is wrong with its options", async () => {
    await expect(replay("--account", "acc_none")).rejects.toThrow("no such account");
    await expect(replay("--size", "3")).rejects.toThrow("--pool");
    await expect(replay("--pool", "pool_x")).rejects.toThrow("--size");
    await expect(replay("--pool", "pool_x", "--order", "fifo")).rejects.toThrow("lru or random");
    await expect(replay("--pool", "pool_x", "--size", "0")).rejects.toThrow("from 1 to");
    await expect(replay("--pool", "pool_none", "--size", "2")).rejects.toThrow("no such pool");
  });
});

describe("ringmatch replay with settings to try", () => {
  it("plays the pool's own visits and calls with them, beside what happened", async () => {
    const world = await makeWorld(db, 3, { sessionLifetimeS: 60 });
    const begin = Date.now() - 600_000;
    // Three visitors a minute apart on three numbers; the first one calls at last.
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(await shown(world, begin + i * 61_000));
    await call(seen[0]?.number ?? "");
    const tried = await json("--pool", world.pool.id, "--size", "2");
    expect(tried.actual).toMatchObject({ calls: 1, callers_known: 1, allocations: 3, locked_at_peak: 1 });
    expect(tried.as_set).toMatchObject({ size: 3, same_visitor: 1, other_visitor: 0, overflow_share: 0 });
    // With two numbers the third visitor gets the first one's.
    expect(tried.tried).toMatchObject({ size: 2, same_visitor: 0, other_visitor: 1, overflow_share: 0 });
    const longer = await json("--pool", world.pool.id, "--size", "1", "--lifetime", "3600");
    expect(longer.tried).toMatchObject({ same_visitor: 1, visits: 3, overflow_share: 2 / 3, locked_at_peak: 1 });
    const short = await json("--pool", world.pool.id, "--retention", "120");
    expect(short.tried).toMatchObject({ same_visitor: 0, expired: 1 });
    const random = ["--pool", world.pool.id, "--order", "random", "--seed", "7"];
    expect(await json(...random)).toEqual(await json(...random));
    expect((await replay(...random)).text).toMatch(/order +lru +random/);
  });
});
