/** The four state machines of RFC 3261 §17 and the repeated 2xx of §13.3.1.4, on virtual time: when each sends, and when each is over. */
import { describe, expect, it } from "vitest";
import { InviteClientTransaction } from "../../../src/sip/edge/invite-client-transaction.js";
import { InviteServerTransaction } from "../../../src/sip/edge/invite-server-transaction.js";
import type { CheckedResponse } from "../../../src/sip/edge/message-check.js";
import { NonInviteClientTransaction } from "../../../src/sip/edge/non-invite-client-transaction.js";
import { NonInviteServerTransaction } from "../../../src/sip/edge/non-invite-server-transaction.js";
import { DEFAULT_SIP_TIMERS } from "../../../src/sip/edge/timers.js";
import { repeatUntilAcked } from "../../../src/sip/edge/uas-answer.js";
import { virtualTime } from "./support/virtual-time.js";

type Event = readonly [atMs: number, what: string];

function world(reliable = false) {
  const time = virtualTime();
  const events: Event[] = [];
  const note = (what: string): void => void events.push([time.nowMs, what]);
  const setting = { timers: DEFAULT_SIP_TIMERS, scheduler: time, reliable };
  const serverIo = { send: note, onTerminated: () => note("over") };
  const clientIo = {
    send: note,
    onResponse: (response: CheckedResponse) => note(`up ${response.message.status}`),
    onTimeout: () => note("timeout"),
    onTerminated: () => note("over"),
    makeAck: () => "ACK",
  };
  return { time, events, setting, serverIo, clientIo };
}

const answer = (status: number): CheckedResponse => ({ message: { status } }) as CheckedResponse;
const times = (events: readonly Event[], what: string): number[] =>
  events.filter((event) => event[1] === what).map((event) => event[0]);

describe("INVITE client transaction", () => {
  it("unanswered over UDP: timer A doubles without a cap, timer B ends it at 32 s", () => {
    const { time, events, setting, clientIo } = world();
    const machine = new InviteClientTransaction("INVITE", setting, clientIo);
    machine.start();
    time.advanceTo(60_000);
    expect(times(events, "INVITE")).toEqual([0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expect(events.slice(-2)).toEqual([
      [32_000, "timeout"],
      [32_000, "over"],
    ]);
    expect(time.pending).toBe(0);
  });

  it("over TCP is sent once, with the same timer B", () => {
    const { time, events, setting, clientIo } = world(true);
    new InviteClientTransaction("INVITE", setting, clientIo).start();
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "INVITE"],
      [32_000, "timeout"],
      [32_000, "over"],
    ]);
  });

  it("a 1xx stops repeating and timing out: it may ring for ever", () => {
    const { time, events, setting, clientIo } = world();
    const machine = new InviteClientTransaction("INVITE", setting, clientIo);
    machine.start();
    machine.receive(answer(180));
    time.advanceTo(600_000);
    expect(events).toEqual([
      [0, "INVITE"],
      [0, "up 180"],
    ]);
    expect(machine.state).toBe("proceeding");
  });

  it("a failure is acknowledged each time it comes, shown once, and over after timer D", () => {
    const { time, events, setting, clientIo } = world();
    const machine = new InviteClientTransaction("INVITE", setting, clientIo);
    machine.start();
    machine.receive(answer(486));
    time.advanceTo(1_000);
    machine.receive(answer(486));
    machine.receive(answer(180));
    machine.receive(answer(200));
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "INVITE"],
      [0, "ACK"],
      [0, "up 486"],
      [1_000, "ACK"],
      [32_000, "over"],
    ]);
  });

  it("a failure over TCP is over at once", () => {
    const { events, setting, clientIo } = world(true);
    const machine = new InviteClientTransaction("INVITE", setting, clientIo);
    machine.start();
    machine.receive(answer(486));
    expect(events.map((event) => event[1])).toEqual(["INVITE", "ACK", "up 486", "over"]);
  });

  it.each([false, true])("every 2xx is passed up for 64*T1, also over TCP (%s): RFC 6026", (reliable) => {
    const { time, events, setting, clientIo } = world(reliable);
    const machine = new InviteClientTransaction("INVITE", setting, clientIo);
    machine.start();
    machine.receive(answer(200));
    time.advanceTo(31_999);
    machine.receive(answer(200));
    machine.receive(answer(486));
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "INVITE"],
      [0, "up 200"],
      [31_999, "up 200"],
      [32_000, "over"],
    ]);
  });
});

describe("non-INVITE client transaction", () => {
  it("unanswered over UDP: timer E doubles up to T2, timer F ends it at 32 s", () => {
    const { time, events, setting, clientIo } = world();
    new NonInviteClientTransaction("BYE", setting, clientIo).start();
    time.advanceTo(60_000);
    expect(times(events, "BYE")).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expect(events.slice(-2)).toEqual([
      [32_000, "timeout"],
      [32_000, "over"],
    ]);
    expect(time.pending).toBe(0);
  });

  it("after a 1xx goes on every T2, and timer F still ends it", () => {
    const { time, events, setting, clientIo } = world();
    const machine = new NonInviteClientTransaction("BYE", setting, clientIo);
    machine.start();
    time.advanceTo(100);
    machine.receive(answer(100));
    time.advanceTo(60_000);
    expect(times(events, "BYE")).toEqual([0, 500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
    expect(times(events, "timeout")).toEqual([32_000]);
  });

  it("a final answer is shown once and over after T4, at once over TCP", () => {
    for (const [reliable, overAt] of [
      [false, 5_000],
      [true, 0],
    ] as const) {
      const { time, events, setting, clientIo } = world(reliable);
      const machine = new NonInviteClientTransaction("BYE", setting, clientIo);
      machine.start();
      machine.receive(answer(200));
      machine.receive(answer(200));
      time.advanceTo(60_000);
      expect(events).toEqual([
        [0, "BYE"],
        [0, "up 200"],
        [overAt, "over"],
      ]);
    }
  });
});

describe("INVITE server transaction", () => {
  it("repeats a failure at timer G up to T2 until timer H", () => {
    const { time, events, setting, serverIo } = world();
    const machine = new InviteServerTransaction(setting, serverIo);
    machine.respond(486, "486");
    time.advanceTo(60_000);
    expect(times(events, "486")).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expect(times(events, "over")).toEqual([32_000]);
    expect(time.pending).toBe(0);
  });

  it("a failure over TCP is sent once and waits for its ACK", () => {
    const { time, events, setting, serverIo } = world(true);
    const machine = new InviteServerTransaction(setting, serverIo);
    machine.respond(486, "486");
    time.advanceTo(10_000);
    machine.receiveAck();
    expect(events).toEqual([
      [0, "486"],
      [10_000, "over"],
    ]);
  });

  it("after the ACK absorbs everything for T4", () => {
    const { time, events, setting, serverIo } = world();
    const machine = new InviteServerTransaction(setting, serverIo);
    machine.respond(486, "486");
    time.advanceTo(100);
    machine.receiveAck();
    machine.receiveRetransmission();
    machine.receiveAck();
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "486"],
      [5_100, "over"],
    ]);
  });

  it("answers a repeated INVITE with the last provisional, then with the failure; a 2xx it leaves to the dialog for 64*T1", () => {
    const { time, events, setting, serverIo } = world();
    const machine = new InviteServerTransaction(setting, serverIo);
    machine.receiveRetransmission();
    machine.respond(100, "100");
    machine.respond(180, "180");
    machine.receiveRetransmission();
    machine.respond(200, "200");
    machine.receiveRetransmission();
    expect(machine.respond(486, "486")).toBe(false);
    expect(machine.respond(180, "180")).toBe(false);
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "100"],
      [0, "180"],
      [0, "180"],
      [0, "200"],
      [32_000, "over"],
    ]);
  });
});

describe("non-INVITE server transaction", () => {
  it("absorbs repetitions until it has an answer, then repeats that until timer J", () => {
    const { time, events, setting, serverIo } = world();
    const machine = new NonInviteServerTransaction(setting, serverIo);
    machine.receiveRetransmission();
    expect(machine.respond(200, "200")).toBe(true);
    time.advanceTo(31_999);
    machine.receiveRetransmission();
    expect(machine.respond(500, "500")).toBe(false);
    time.advanceTo(60_000);
    expect(events).toEqual([
      [0, "200"],
      [31_999, "200"],
      [32_000, "over"],
    ]);
  });

  it("over TCP is over with its answer", () => {
    const { events, setting, serverIo } = world(true);
    new NonInviteServerTransaction(setting, serverIo).respond(200, "200");
    expect(events).toEqual([
      [0, "200"],
      [0, "over"],
    ]);
  });
});

describe("a 2xx to an INVITE", () => {
  it("is repeated at T1 doubling to T2, and ends the call at 64*T1", () => {
    const { time, events } = world();
    const io = {
      send: () => void events.push([time.nowMs, "200"]),
      onAckTimeout: () => void events.push([time.nowMs, "no ACK"]),
    };
    repeatUntilAcked("txn", DEFAULT_SIP_TIMERS, time, io);
    time.advanceTo(60_000);
    expect(times(events, "200")).toEqual([500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expect(times(events, "no ACK")).toEqual([32_000]);
    expect(time.pending).toBe(0);
  });

  it("is left alone once acknowledged", () => {
    const { time, events } = world();
    const note = (): void => void events.push([time.nowMs, "something"]);
    repeatUntilAcked("txn", DEFAULT_SIP_TIMERS, time, { send: note, onAckTimeout: note }).stop();
    time.advanceTo(60_000);
    expect(events).toEqual([]);
    expect(time.pending).toBe(0);
  });
});
