import { describe, expect, it } from "vitest";
import { warnOfIdleNumbers } from "../../src/jobs/housekeeping.js";
import { type IdleCount, writeIdleReclaim } from "../../src/pool/idle-numbers.store.js";
import { insertNumbers } from "../../src/pool/numbers.store.js";
import { retireNumber } from "../../src/pool/number-moves.js";
import { openCall } from "../../src/routing/open-call.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { ids, inboundCall, makeAccount, RecordingSchedule, secrets, tollFreeNumbers } from "../support/world.js";
import { type LogLine, logTo } from "../support/recording-log.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);
const DAY_MS = 86_400_000;

/** A number of a carrier that came to us so many days ago. */
async function numberOf(carrier: string | null, daysAgo: number): Promise<E164> {
  const [number] = tollFreeNumbers(1) as [E164];
  await insertNumbers(db, { numbers: [{ number, carrier, credentialId: null }], reason: "import", actor: "test" });
  await rows(db, "update promo_number set created_at = created_at - make_interval(days => $2) where e164 = $1", [
    number,
    daysAgo,
  ]);
  return number;
}

async function called(e164: string, daysAgo: number): Promise<void> {
  const { ref } = await openCall(
    { db, ids, secrets },
    { call: inboundCall(e164), callId: ids.next("call"), late: null },
  );
  await rows(db, "update call set received_at = received_at - make_interval(days => $2) where id = $1", [
    ref.callId,
    daysAgo,
  ]);
}

const idle = async (query = "") => (await request("GET", `/v1/numbers?idle=true${query}`)).json().data;
const numbersIn = (data: { number: string }[]) => data.map(({ number }) => number);

describe("numbers that nobody calls", () => {
  it("are nobody's concern until a carrier's rule is filled in", async () => {
    await numberOf("twilio", 400);
    expect((await request("GET", "/v1/settings/idle_reclaim")).json()).toEqual({
      idle_reclaim_days: {},
      warn_before_days: 14,
    });
    expect(await idle()).toEqual([]);
  });

  it("are listed when their carrier would take them back soon: by the last call, or by the day they came", async () => {
    const never = await numberOf("acme", 80);
    const calledLately = await numberOf("acme", 400);
    await called(calledLately, 20);
    const calledLong = await numberOf("acme", 400);
    await called(calledLong, 95);
    await called(calledLong, 300);
    const [young, elsewhere, nowhere, retired] = [
      await numberOf("acme", 60),
      await numberOf("other", 400),
      await numberOf(null, 400),
      await numberOf("acme", 400),
    ];
    await retireNumber({ db, schedule: new RecordingSchedule() }, { e164: retired, reason: "test", actor: "test" });
    const body = { idle_reclaim_days: { acme: 90, other: null }, warn_before_days: 14 };
    const put = await request("PUT", "/v1/settings/idle_reclaim", { body });
    expect(put.json()).toEqual({ idle_reclaim_days: { acme: 90 }, warn_before_days: 14 });

    const data = await idle();
    expect(numbersIn(data)).toEqual([never, calledLong]);
    expect(data[0].idle.last_call_at).toBeNull();
    expect((Date.parse(data[0].idle.reclaim_at) - Date.now()) / DAY_MS).toBeCloseTo(10, 2);
    expect((Date.now() - Date.parse(data[1].idle.last_call_at)) / DAY_MS).toBeCloseTo(95, 2);
    expect((Date.parse(data[1].idle.reclaim_at) - Date.now()) / DAY_MS).toBeCloseTo(-5, 2);
    for (const other of [calledLately, young, elsewhere, nowhere, retired])
      expect(numbersIn(data)).not.toContain(other);
    expect(numbersIn(await idle("&state=quarantined"))).toEqual([]);
    expect(numbersIn(await idle("&limit=1"))).toEqual([never]);
    const account = await makeAccount(db);
    const own = await request("GET", "/v1/numbers?idle=true", { key: await keyOf(account.id, ["read"]) });
    expect(own.json().data).toEqual([]);
    const plain = (await request("GET", "/v1/numbers?limit=500")).json().data;
    expect(plain.some((row: object) => "idle" in row)).toBe(false);
  });

  it("are warned about and counted, by carrier", async () => {
    await writeIdleReclaim(db, { carriers: { acme: 90, other: 30 }, warnBeforeDays: 14 });
    const lines: LogLine[] = [];
    const counts: IdleCount[] = [];
    await warnOfIdleNumbers({
      db,
      log: logTo((line) => lines.push(line)),
      onIdleNumbers: (found) => counts.push(...found),
    });
    expect(counts).toMatchObject([
      { carrier: "acme", numbers: 2 },
      { carrier: "other", numbers: 1 },
    ]);
    expect(lines).toMatchObject([
      { level: "warn", event: "number.idle", fields: { carrier: "acme", numbers: 2 } },
      { level: "warn", event: "number.idle", fields: { carrier: "other", numbers: 1 } },
    ]);
  });

  it("a rule that makes no sense is refused, and so is a key of an account", async () => {
    for (const idle_reclaim_days of [{ acme: 0 }, { acme: "90" }, { "no carrier": 9 }, 90]) {
      const put = await request("PUT", "/v1/settings/idle_reclaim", { body: { idle_reclaim_days } });
      expect(problemIn(put).status).toBe(422);
    }
    const key = await keyOf((await makeAccount(db)).id, ["read", "write", "admin"]);
    expect((await request("GET", "/v1/settings/idle_reclaim", { key })).statusCode).toBe(403);
  });
});
