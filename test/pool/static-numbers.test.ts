import { describe, expect, it } from "vitest";
import { type Account, updateAccount } from "../../src/account/accounts.store.js";
import { createDestination, type Destination, findDestination } from "../../src/account/destinations.store.js";
import { getCall } from "../../src/attribution/calls.store.js";
import { advanceNumber, quarantineNumber } from "../../src/pool/number-moves.js";
import { findNumber, historyOf, insertNumbers, listDueNumbers } from "../../src/pool/numbers.store.js";
import { addNumbers, createPool } from "../../src/pool/pool-changes.js";
import type { NewPool } from "../../src/pool/pools.store.js";
import { poolDefaults } from "../../src/pool/ring-pool.js";
import { createStatic, editStatic, endStaticNumber, type WantedNumber } from "../../src/pool/static-numbers.js";
import { getStatic } from "../../src/pool/static-numbers.store.js";
import { openCall } from "../../src/routing/open-call.js";
import { RoutingTable } from "../../src/routing/routing-table.js";
import { silentLog } from "../../src/kernel/log.js";
import type { E164 } from "../../src/telephony/e164.js";
import { freshDatabase, rows } from "../support/database.js";
import { until } from "../support/until.js";
import {
  addInventory,
  ids,
  inboundCall,
  makeAccount,
  makeDestination,
  RecordingSchedule,
  secrets,
  tollFreeNumbers,
} from "../support/world.js";

const { db } = await freshDatabase();
const account = await makeAccount(db);
const destination = await makeDestination(db, account);
const schedule = new RecordingSchedule();
const deps = { db, ids, schedule };
const print = { name: "Yellow Pages", touch: { source_name: "Yellow Pages", utm_medium: "print" }, drainS: 3600 };

async function stocked(): Promise<E164> {
  const [number] = tollFreeNumbers(1) as [E164];
  await addInventory(db, [number]);
  return number;
}

const make = async (wanted?: WantedNumber, changes = {}) =>
  createStatic(deps, {
    wanted: wanted ?? { kind: "named", number: await stocked() },
    destination,
    settings: print,
    mayTakePorted: false,
    actor: "test",
    ...changes,
  });

const poolOf = ({ id: accountId }: Account, { id: destinationId }: Destination): NewPool => ({
  ...{ accountId, destinationId, name: "pool", kind: "automatic", campaign: null, numberType: "toll_free", npa: null },
  ...{ ...poolDefaults, maxSize: 100 },
});

const call = async (number: string, late: number | null = null) => {
  const opened = await openCall({ db, ids, secrets }, { call: inboundCall(number), callId: ids.next("call"), late });
  return { decision: opened.decision, record: await getCall(db, { id: opened.ref.callId, accountId: null }) };
};

describe("a static number", () => {
  it("is assigned to its account and nobody's pool, with a history", async () => {
    const made = await make();
    expect(made).toMatchObject({
      accountId: account.id,
      destinationNumber: destination.number,
      name: "Yellow Pages",
      state: "assigned",
    });
    const number = await findNumber(db, made.number);
    expect(number).toMatchObject({ state: "assigned", role: "static", accountId: account.id, poolId: null });
    expect((await historyOf(db, number?.id ?? 0)).at(-1)).toMatchObject({
      state: "assigned",
      reason: "static: Yellow Pages",
    });
  });

  it("leads calls to its destination and credits its source, not a visitor", async () => {
    const made = await make();
    const { decision, record } = await call(made.number);
    expect(decision).toMatchObject({ kind: "route", destinationNumber: destination.number });
    expect(record).toMatchObject({ accountId: account.id, poolId: null, disposition: "routed" });
    expect(record.attribution).toMatchObject({
      outcome: "never_presented",
      presentationId: null,
      touch: { source_name: "Yellow Pages", utm_medium: "print" },
    });
  });

  it("credits the source it had when the call came, attributed late as well", async () => {
    const made = await make();
    await rows(
      db,
      "update number_event set at = at - interval '1 hour' where number_id = (select id from promo_number where e164 = $1)",
      [made.number],
    );
    const { decision, record } = await call(made.number, Date.now() - 60_000);
    expect(decision).toMatchObject({ kind: "route", destinationNumber: destination.number });
    expect(record.attribution).toMatchObject({ outcome: "never_presented", touch: print.touch });
  });

  it("changed, holds for later calls; records keep theirs", async () => {
    const made = await make();
    const before = await call(made.number);
    const other = await createDestination({ db, ids }, account.id, { number: "+18005550199" as E164 });
    await editStatic(deps, { known: made, changes: { name: "TV", touch: { source_name: "TV" } }, destination: other });
    const after = await call(made.number);
    expect(after.record.attribution.touch).toEqual({ source_name: "TV" });
    expect(after.decision).toMatchObject({ destinationNumber: "+18005550199" });
    const kept = await getCall(db, { id: before.record.id, accountId: null });
    expect([kept.attribution.touch, kept.destinationNumber]).toEqual([print.touch, destination.number]);
  });

  it("given up drains, still routed and credited, then is quarantined by its job", async () => {
    const made = await make();
    await endStaticNumber(deps, { known: made, skipDraining: false, actor: "test" });
    const number = await findNumber(db, made.number);
    expect(number?.state).toBe("draining");
    const { delayMs, ...check } = schedule.checks.at(-1) ?? { delayMs: 0, e164: "", ownershipEpoch: 0 };
    expect(check).toEqual({ e164: made.number, ownershipEpoch: number?.ownershipEpoch });
    expect(delayMs).toBe(3_600_000);
    const { decision, record } = await call(made.number);
    expect(decision.kind).toBe("route");
    expect(record.attribution.touch).toEqual(print.touch);
    await rows(db, "update promo_number set next_check_at = now() - interval '1 minute' where e164 = $1", [
      made.number,
    ]);
    expect(await listDueNumbers(db, { graceS: 0, limit: 10 })).toContainEqual(check);
    await advanceNumber({ db, schedule }, { ...check, actor: "job" });
    expect((await findNumber(db, made.number))?.state).toBe("quarantined");
    const intercepted = await call(made.number);
    expect(intercepted.decision).toEqual({ kind: "intercept" });
    expect(intercepted.record.attribution).toMatchObject({ outcome: "quarantined", touch: null });
    expect(await getStatic(db, { id: made.id, accountId: null })).toMatchObject({
      state: "quarantined",
      endedAt: expect.any(Number),
    });
  });

  it("given up twice is a conflict, and so is a change after it", async () => {
    const made = await make();
    await endStaticNumber(deps, { known: made, skipDraining: true, actor: "test" });
    expect((await findNumber(db, made.number))?.state).toBe("quarantined");
    await expect(endStaticNumber(deps, { known: made, skipDraining: true, actor: "test" })).rejects.toMatchObject({
      code: "conflict",
    });
    await expect(editStatic(deps, { known: made, changes: {}, destination: null })).rejects.toMatchObject({
      code: "conflict",
    });
  });

  it("quarantined by hand can still be given up", async () => {
    const made = await make();
    await quarantineNumber({ db, schedule }, { e164: made.number, accountId: null, reason: "test", actor: "test" });
    await endStaticNumber(deps, { known: made, skipDraining: false, actor: "test" });
    expect((await getStatic(db, { id: made.id, accountId: null })).endedAt).not.toBeNull();
  });

  it("taken back into service while it drains keeps its id and stands for what is said now", async () => {
    const made = await make();
    await endStaticNumber(deps, { known: made, skipDraining: false, actor: "test" });
    const settings = { ...print, name: "Radio", touch: { source_name: "Radio" } };
    const again = await make({ kind: "named", number: made.number }, { settings });
    expect(again).toMatchObject({ id: made.id, name: "Radio", state: "assigned", endedAt: null });
    expect((await call(made.number)).record.attribution.touch).toEqual({ source_name: "Radio" });
  });

  it("of any number: of the type and area code asked for, or none", async () => {
    await addInventory(db, ["+13055550123" as E164]);
    const made = await make({ kind: "any", type: "local", npa: "305" });
    expect(made.number).toBe("+13055550123");
    await expect(make({ kind: "any", type: "local", npa: "305" })).rejects.toMatchObject({ code: "inventory_short" });
  });

  it("straight from a port, for an admin alone", async () => {
    const [number] = tollFreeNumbers(1) as [E164];
    await insertNumbers(db, {
      numbers: [{ number, carrier: null, credentialId: null, state: "porting" }],
      reason: "port",
      actor: "test",
    });
    const wanted = { kind: "named", number } as const;
    await expect(make(wanted)).rejects.toMatchObject({ code: "not_found" });
    expect((await make(wanted, { mayTakePorted: true })).state).toBe("assigned");
  });

  it("of another account does not exist, a quarantined one cannot be taken", async () => {
    const made = await make();
    const other = await makeAccount(db, "Other");
    const theirs = await makeDestination(db, other);
    await expect(make({ kind: "named", number: made.number }, { destination: theirs })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(make({ kind: "named", number: made.number })).rejects.toMatchObject({ code: "illegal_transition" });
    await endStaticNumber(deps, { known: made, skipDraining: true, actor: "test" });
    await expect(make({ kind: "named", number: made.number })).rejects.toMatchObject({ code: "not_found" });
  });

  it("of two requests for one number one wins", async () => {
    const number = await stocked();
    const tries = await Promise.allSettled([1, 2, 3].map(() => make({ kind: "named", number })));
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(
      await rows(
        db,
        "select count(*)::int as count from static_number s join promo_number n on n.id = s.number_id where n.e164 = $1",
        [number],
      ),
    ).toEqual([{ count: 1 }]);
  });

  it("is refused over the account's limits; one that drains is the account's already", async () => {
    const limited = await makeAccount(db, "Limited");
    const own = { destination: await makeDestination(db, limited) };
    await updateAccount(db, limited.id, { numberLimit: 1 });
    const made = await make(undefined, own);
    await expect(make(undefined, own)).rejects.toMatchObject({ code: "account_limit" });
    await expect(make({ kind: "any", type: "toll_free", npa: null }, own)).rejects.toMatchObject({
      code: "account_limit",
    });
    await endStaticNumber(deps, { known: made, skipDraining: false, actor: "test" });
    expect(await make({ kind: "named", number: made.number }, own)).toMatchObject({ id: made.id, state: "assigned" });
  });

  it("and the same number named for a pool at the same moment: one of both gets it, none waits for the other for ever", async () => {
    const limited = await makeAccount(db, "Limited");
    const own = { destination: await makeDestination(db, limited) };
    await updateAccount(db, limited.id, { numberLimit: 100 });
    const pool = await createPool(deps, {
      pool: poolOf(limited, own.destination),
      fillImmediately: false,
      actor: "test",
    });
    for (let i = 0; i < 20; i++) {
      const number = await stocked();
      const tries = await Promise.allSettled([
        make({ kind: "named", number }, own),
        addNumbers(deps, { poolId: pool.id, numbers: [number], actor: "test" }),
      ]);
      const codes = tries.flatMap((one) => (one.status === "rejected" ? [(one.reason as { code: string }).code] : []));
      expect(codes).toHaveLength(1);
      expect(["not_found", "illegal_transition", "conflict"]).toContain(codes[0]);
    }
  });

  it("is in the routing table, and a change of its destination reaches it", async () => {
    const made = await make();
    const table = new RoutingTable({ database: db, log: silentLog, onChange: () => undefined });
    await table.start();
    expect(table.find(made.number)).toMatchObject({ isRouted: true, destination: { number: destination.number } });
    const other = (await findDestination(db, { accountId: account.id, number: "+18005550199" })) ?? destination;
    await editStatic(deps, { known: made, changes: {}, destination: other });
    await until("the new destination", () => table.find(made.number)?.destination?.number === "+18005550199");
    const later = await make();
    await until("a new static number", () => table.find(later.number)?.destination?.number === destination.number);
    await table.stop();
  });
});
