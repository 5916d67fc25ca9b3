/** Plays sipp-scenarios/scenarios.json through the whole service: sipp calls, sipp is called, the record is checked, nothing is left. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { listTrunks, putTrunk } from "../../src/account/trunks.store.js";
import { quarantineNumber } from "../../src/pool/number-moves.js";
import { freshDatabase } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import {
  noTransactionLeft,
  nothingLeft,
  placeOf,
  presentedNumber,
  recordsOf,
  type SipWorld,
  startSipWorld,
  targetAt,
} from "../support/sip-world.js";
import { sipp } from "../support/sipp.js";
import { freeUdpPort } from "../support/udp-port.js";
import { type SippScenario, sippScenarios } from "../support/sipp-list.js";
import { type LossyRelay, lossyRelay } from "./edge/support/lossy-relay.js";
import { startPhone } from "./edge/support/phone.js";
import { rawPeer } from "./edge/support/raw-peer.js";

/** 64*T1 of 6.4 s, so that the end of every transaction can be waited for. */
const TIMERS = { t1Ms: 100, t2Ms: 400, t4Ms: 500, timerDMs: 6_400 };

/** Longer than the call that is waited for. */
const DRAIN_MS = 10_000;

const { db } = await freshDatabase();
let sip: SipWorld;
beforeAll(async () => {
  sip = await startSipWorld(db, { timers: TIMERS });
});
afterAll(() => sip.stop());

for (const scenario of sippScenarios) {
  const name = `${scenario.name}: ${scenario.proves}`;
  const test = scenario.arrangement === "draining" ? () => playDraining(scenario) : () => play(scenario, sip);
  if (scenario.edgeOnly === undefined) it(name, test);
  else itOnEdge(name, scenario.edgeOnly, test);
}

it("afterwards no transaction is left", () => noTransactionLeft(sip));

/** A service that drains takes no calls any more: it gets a world of its own. */
async function playDraining(scenario: SippScenario): Promise<void> {
  const world = await startSipWorld(db, { timers: TIMERS });
  try {
    await play(scenario, world);
  } finally {
    await world.stop();
  }
}

async function play(scenario: SippScenario, world: SipWorld): Promise<void> {
  const businesses = await startBusinesses(scenario, world);
  const targets = businesses.map(({ port }) => targetAt(port));
  const presented = await presentedNumber(db, targets, scenario.ringTimeoutS);
  const number = scenario.arrangement === "unknown" ? "+18889990000" : presented.number;
  const undo = await arrange(scenario, world, presented);
  try {
    const callsOut = invitesSent(world);
    const side = await callerSide(scenario, world);
    const caller = await sipp({ ...callerOptions(scenario), ...side.place, service: number });
    await Promise.all([caller.done, ...businesses.map(({ done }) => done)]);
    await checkRecords(scenario, number);
    // Whoever was called, was called by an attempt of a record.
    const perCall = scenario.attempts.length + (scenario.reinvites ?? 0);
    if (world.edge !== null) expect(invitesSent(world) - callsOut).toBe(perCall * callsOf(scenario));
    for (const { check } of [side, ...businesses]) check?.();
  } finally {
    await undo();
  }
  await nothingLeft(world);
}

function callerOptions({ caller }: SippScenario) {
  const { scenario, status, transport, calls, rate } = caller;
  return {
    scenario,
    ...(status === undefined ? {} : { status }),
    ...(transport === undefined ? {} : { transport }),
    ...(calls === undefined ? {} : { calls }),
    ...(rate === undefined ? {} : { rate }),
  };
}

const callsOf = ({ caller }: SippScenario): number => caller.calls ?? 1;
const invitesSent = (world: SipWorld): number => world.edge?.counters()["invites_sent"] ?? 0;

/** Where the caller calls, and from where: behind a bad network when packets are to be lost. */
async function callerSide({ loss }: SippScenario, world: SipWorld) {
  if (loss === undefined) return { place: { remote: world.address } };
  const port = await freeUdpPort();
  const relay = await lossyRelay({ edge: placeOf(world), phone: { host: "127.0.0.1", port }, loss, seed: 50 });
  return { place: { remote: `127.0.0.1:${relay.edgeSide.port}`, port }, check: () => expectLosses(relay) };
}

interface Business {
  readonly port: number;
  readonly done: Promise<void>;
  /** What must be so after the calls. */
  readonly check?: () => void;
}

async function startBusinesses(scenario: SippScenario, world: SipWorld): Promise<Business[]> {
  const calls = callsOf(scenario);
  return Promise.all(
    scenario.businesses.map(async (business, index) => {
      if (index >= scenario.attempts.length) return neverCalled(world);
      return business === "phone" ? phoneBusiness(scenario, world) : sipp({ scenario: business, calls });
    }),
  );
}

async function neverCalled(world: SipWorld): Promise<Business> {
  const { port, inbox } = await rawPeer(placeOf(world));
  return { port, done: Promise.resolve(), check: () => expect(inbox, "nobody calls here").toEqual([]) };
}

/** sipp's called side takes an INVITE repeated after a lost 180 for an unexpected message, so a business behind a bad network is our own phone. */
async function phoneBusiness({ loss = 0 }: SippScenario, world: SipWorld): Promise<Business> {
  const phone = await startPhone(
    (call) => {
      call.ring();
      call.answer();
    },
    { timers: TIMERS },
  );
  const relay = await lossyRelay({ edge: placeOf(world), phone, loss, seed: 5 });
  return { port: relay.phoneSide.port, done: Promise.resolve(), check: () => expectLosses(relay) };
}

/** Of some 400 packets a side, 20 on average. */
function expectLosses(relay: LossyRelay): void {
  expect(relay.lost()).toBeGreaterThan(5);
}

/** @returns what puts everything back as it was */
async function arrange(
  scenario: SippScenario,
  world: SipWorld,
  presented: Awaited<ReturnType<typeof presentedNumber>>,
): Promise<() => Promise<void>> {
  switch (scenario.arrangement) {
    case undefined:
    case "unknown":
      return async () => undefined;
    case "quarantined": {
      const move = { e164: presented.number, accountId: null, reason: "test", actor: "test" };
      await quarantineNumber({ db, schedule: presented.world.schedule }, move);
      return async () => undefined;
    }
    case "trunk_full": {
      const [trunk] = await listTrunks(db);
      if (trunk === undefined) throw new Error("there is no trunk");
      await putTrunk(db, { ...trunk, maxCalls: 1 });
      await world.service.trunksChanged();
      const hangUp = await callThatIsUp(world);
      return async () => {
        await hangUp();
        await putTrunk(db, trunk);
        await world.service.trunksChanged();
      };
    }
    case "draining": {
      const hangUp = await callThatIsUp(world);
      const drained = world.service.drain(DRAIN_MS);
      return async () => {
        await hangUp();
        await drained;
      };
    }
  }
}

/** @returns how to end it; its record is checked then */
async function callThatIsUp(world: SipWorld): Promise<() => Promise<void>> {
  const desk = await startPhone((call) => call.answer());
  const { phone } = await startPhone();
  const { number } = await presentedNumber(db, [desk.uri]);
  const targetUri = `sip:${number}@${world.address}`;
  const result = await phone.call({ targetUri, fromUser: "+14155550124", ringTimeoutMs: 10_000 });
  if (result.kind !== "answered") throw new Error(`the call that was to be up was ${result.kind}`);
  await recordsOf(db, number, { status: "in_progress", count: 1 });
  return async () => {
    await result.call.hangUp();
    const [record] = await recordsOf(db, number, { status: "completed", count: 1 });
    expect(record).toMatchObject({ released_by: "caller", attribution: "matched" });
  };
}

async function checkRecords(scenario: SippScenario, number: string): Promise<void> {
  const { record: expected, attempts, atLeast = {} } = scenario;
  if (expected === null) return void (await recordsOf(db, number, { count: 0 }));
  for (const record of await recordsOf(db, number, { status: expected.status, count: callsOf(scenario) })) {
    expect(record).toMatchObject(expected);
    expect((record.attempts ?? []).map(({ sipStatus }) => sipStatus)).toEqual(attempts);
    for (const [field, least] of Object.entries(atLeast)) expect(record[field], field).toBeGreaterThanOrEqual(least);
  }
}
