import { afterEach, describe, expect, it } from "vitest";
import type { CarrierCredential } from "../../../src/account/carrier-credentials.store.js";
import { telnyxCallControlVoice as voice } from "../../../src/dev/carrier-voices/telnyx-call-control-voice.js";
import { systemClock } from "../../../src/kernel/clock.js";
import type { LogFields } from "../../../src/kernel/log.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { presentBatch } from "../../../src/pool/presentations.store.js";
import type { CarrierCommand } from "../../../src/webhooks/inbound/carrier-adapter.js";
import type { SendCommands } from "../../../src/webhooks/inbound/inbound-route.js";
import { COMMANDS_BUDGET_MS, commandSender } from "../../../src/webhooks/inbound/send-commands.js";
import { freshDatabase, rows } from "../../support/database.js";
import { allocationFor, makeWorld } from "../../support/world.js";
import { type FakeTelnyx, startFakeTelnyx, type TelnyxFault } from "../support/fake-telnyx.js";
import { tablesHolding } from "../support/leaks.js";
import { CALLER } from "../support/caller.js";
import { speakAs } from "../support/speaking.js";
import { PUBLIC_URL, startWebhooks } from "../support/webhook-service.js";

const API_KEY = "KEY0123456789ABCDEF_of_the_tests";
const PATH = "/v2/calls/v3:leg/actions";
const command = (action: string, more: Partial<CarrierCommand> = {}): CarrierCommand => ({
  path: `${PATH}/${action}`,
  body: { command_id: `id of ${action}`, from: CALLER },
  ...more,
});
const ended = { kind: "error", status: 422, code: "90018" } as const;

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Line {
  readonly event: string;
  readonly fields: LogFields;
}

async function world(): Promise<{ telnyx: FakeTelnyx; lines: Line[]; send: SendCommands }> {
  const telnyx = await startFakeTelnyx(API_KEY);
  stops.push(() => telnyx.stop());
  const lines: Line[] = [];
  const write = (event: string, fields: LogFields = {}): void => void lines.push({ event, fields });
  const log = { debug: write, info: write, warn: write, error: write };
  return { telnyx, lines, send: commandSender({ log, clock: systemClock, apiUrl: `${telnyx.url}/` }) };
}

function credential(secrets: Record<string, unknown> = { api_key: API_KEY }): CarrierCredential {
  return { id: "crd_1", carrier: "telnyx", accountId: null, intercept: "reject", secrets } as CarrierCredential;
}

describe("commands", () => {
  it("go out in order, with the key, and as they are", async () => {
    const { telnyx, lines, send } = await world();
    await send(credential(), [command("answer"), command("speak")]);
    expect(telnyx.received.map(({ path }) => path)).toEqual([`${PATH}/answer`, `${PATH}/speak`]);
    expect(telnyx.received[1]?.body).toEqual({ command_id: "id of speak", from: CALLER });
    expect(lines).toEqual([]);
  });

  it.each<[string, TelnyxFault]>([
    ["500", { kind: "error", status: 500, code: null }],
    ["503", { kind: "error", status: 503, code: "10007" }],
    ["429", { kind: "error", status: 429, code: "10011" }],
    ["no answer", { kind: "silent" }],
    ["a lost answer", { kind: "answer_lost" }],
  ])("are sent again after %s, and done once", async (_name, fault) => {
    const { telnyx, send } = await world();
    telnyx.fail(fault);
    await send(credential(), [command("transfer")]);
    expect(telnyx.received).toHaveLength(2);
    expect(telnyx.received[0]).toEqual(telnyx.received[1]);
    expect(telnyx.done).toHaveLength(1);
  });

  it("of a call that has ended count as done, and none follows", async () => {
    const { telnyx, lines, send } = await world();
    for (const gone of [ended, { kind: "error", status: 404, code: "10005" } as const]) {
      telnyx.fail(gone);
      await send(credential(), [command("answer"), command("speak")]);
    }
    expect(telnyx.received.map(({ path }) => path)).toEqual([`${PATH}/answer`, `${PATH}/answer`]);
    expect(lines.map(({ event }) => event)).toEqual(["carrier_command.call_ended", "carrier_command.call_ended"]);
  });

  it("that need an answered call make it one, when Telnyx insists", async () => {
    const { telnyx, send } = await world();
    telnyx.insistOnAnswer();
    await send(credential(), [command("transfer", { ifUnanswered: command("answer") })]);
    expect(telnyx.done.map(({ path }) => path)).toEqual([`${PATH}/answer`, `${PATH}/transfer`]);
  });

  it.each<[string, TelnyxFault]>([
    ["bad value", { kind: "error", status: 422, code: "90028" }],
    ["wrong key", { kind: "error", status: 401, code: "10009" }],
    ["404 of a proxy", { kind: "error", status: 404, code: null }],
  ])("that are refused (%s) fail at once, without a second try", async (_name, fault) => {
    const { telnyx, lines, send } = await world();
    telnyx.fail(fault);
    const sending = send(credential(), [command("transfer"), command("hangup")]);
    await expect(sending).rejects.toMatchObject({ code: "carrier_unavailable", status: 503 });
    expect(telnyx.received).toHaveLength(1);
    expect(lines.map(({ event }) => event)).toEqual(["carrier_command.refused"]);
  });

  it("give up within the budget, whether Telnyx is silent or not there, and log no number and no key", async () => {
    const { telnyx, lines, send } = await world();
    telnyx.failAlways({ kind: "silent" });
    const silentSince = performance.now();
    await expect(send(credential(), [command("answer"), command("speak")])).rejects.toMatchObject({
      code: "carrier_unavailable",
    });
    expect(performance.now() - silentSince).toBeLessThan(COMMANDS_BUDGET_MS + 1_000);
    expect(telnyx.received.length).toBeGreaterThan(1);
    telnyx.failAlways({ kind: "error", status: 500, code: "10007" });
    await expect(send(credential(), [command("transfer")])).rejects.toMatchObject({ code: "carrier_unavailable" });
    expect(lines.at(-1)?.event).toBe("carrier_command.late");
    const logged = JSON.stringify(lines);
    expect(logged).not.toContain(CALLER.slice(1));
    expect(logged).not.toContain(API_KEY);
  });

  it("need an api_key: without one none is sent, the webhook stands, and the log says what to do", async () => {
    const { telnyx, lines, send } = await world();
    for (const secrets of [{}, { api_key: "" }, { api_key: 7 }]) {
      await send(credential(secrets), [command("answer")]);
    }
    expect(telnyx.received).toEqual([]);
    expect(new Set(lines.map(({ event }) => event))).toEqual(new Set(["carrier_command.no_api_key"]));
  });
});

it("a webhook whose command fails is refused; repeated, it gets the stored answer and the same command is sent again", async () => {
  const { telnyx, send } = await world();
  const { db } = await freshDatabase();
  const service = await startWebhooks(db, { sendCommands: send });
  stops.push(() => service.stop());
  const keys = voice.makeKeys(systemRandom);
  const speaker = await speakAs({ db, service, voice, keys, credential: { ...keys.credential, api_key: API_KEY } });
  const made = await makeWorld(db, 1);
  await presentBatch(db, [allocationFor(made)], null);
  const call = speaker.call(made.numbers[0] as string);
  const request = voice.voice(call, PUBLIC_URL);

  telnyx.failAlways({ kind: "error", status: 500, code: null });
  const failed = await speaker.send(request);
  expect([failed.status, JSON.parse(failed.text)]).toMatchObject([503, { code: "carrier_unavailable" }]);
  // The business of the number changes meanwhile: the call's answer does not.
  await rows(db, "update destination set ring_timeout_s = 99 where id = $1", [made.destination.id]);
  telnyx.failAlways(null);
  const again = await speaker.send(request);
  expect([again.status, again.text]).toEqual([200, ""]);
  const transfers = telnyx.received.filter(({ path }) => path.endsWith("/transfer"));
  expect(transfers.length).toBeGreaterThan(1);
  for (const transfer of transfers) expect(transfer).toEqual(transfers[0]);
  expect(telnyx.done).toHaveLength(1);
  expect(telnyx.done[0]?.body).toMatchObject({ from: CALLER, diversion: call.to });
  expect(await service.counted("replayed")).toBe(1);
  expect((await speaker.record(call)).progress.attempts).toHaveLength(1);
  expect(await tablesHolding(db, CALLER.slice(1))).toEqual([]);
});
