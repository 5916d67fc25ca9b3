/** What proxyCall makes of a drachtio-server that says less than the embedded edge: the server is a fake, the time too. */
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProxyResult, SipRequest, SipResponse, Srf } from "../../src/sip/drachtio-types.js";
import { CALL_MS_MAX } from "../../src/sip/join-legs.js";
import { createProxiedCalls } from "../../src/sip/proxied-calls.js";
import { proxyCall } from "../../src/sip/proxy-call.js";
import type { CallEvent } from "../../src/telephony/call-event.js";

const INVITE = { From: "<sip:+14155550100@carrier>;tag=caller", To: "<sip:+18005550100@here>", "Call-ID": "one" };

function message(headers: Readonly<Record<string, string>>, more: object = {}) {
  const found = { ...INVITE, ...headers } as Readonly<Record<string, string>>;
  return { ...more, get: (name: string) => found[name], has: (name: string) => found[name] !== undefined };
}

interface Server {
  readonly events: CallEvent[];
  readonly statuses: number[];
  readonly unreported: () => number;
  readonly over: Promise<void>;
  emit(...frame: unknown[]): void;
  result(result: ProxyResult): Promise<void>;
  refuse(why: string): Promise<void>;
}

/** A call that was just handed to the server, with two targets. */
function handedOver(): Server {
  const server = new EventEmitter();
  let resolve: (result: ProxyResult) => void = () => undefined;
  let reject: (why: string) => void = () => undefined;
  const proxyRequest = () =>
    new Promise<ProxyResult>((yes, no) => {
      resolve = yes;
      reject = no;
    });
  const srf = Object.assign(server, { proxyRequest }) as unknown as Srf;
  const calls = createProxiedCalls();
  calls.hear(srf);
  const events: CallEvent[] = [];
  const statuses: number[] = [];
  let unreported = 0;
  const over = proxyCall({
    srf,
    invite: message({}) as unknown as SipRequest,
    response: { finalResponseSent: false, send: (status: number) => statuses.push(status) } as unknown as SipResponse,
    targets: ["sip:a@192.0.2.1", "sip:b@192.0.2.2"].map((uri) => ({ kind: "sip" as const, uri })),
    isFirstTargetFull: false,
    attemptsBefore: 0,
    ringTimeoutMs: 30_000,
    outboundUri: null,
    headers: {},
    now: () => Date.now(),
    ending: new AbortController(),
    record: (...more) => void events.push(...more),
    calls,
    onUnreported: () => (unreported += 1),
  });
  const settled = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(0));
  return {
    events,
    statuses,
    unreported: () => unreported,
    over,
    emit: (...frame) => void server.emit(...(frame as [string])),
    result: async (result) => (resolve(result), settled()),
    refuse: async (why) => (reject(why), settled()),
  };
}

const attempt = (server: Server, uri: string): void =>
  server.emit("cdr:attempt", "application", "", message({ Via: `SIP/2.0/UDP here;branch=z9hG4bK${uri}` }, { uri }));
const answeredBy = (uri: string, status: number) => ({
  status,
  msg: message({ Via: `SIP/2.0/UDP here;branch=z9hG4bK${uri}`, To: `${INVITE.To};tag=desk` }, { status }) as never,
});

describe("a drachtio-server that says little", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("a caller who gave up on a silent target is known by the 487 alone", async () => {
    const server = handedOver();
    attempt(server, "sip:a@192.0.2.1");
    server.emit("cdr:stop", "application", "", "call-rejected", message({}, { status: 487 }));
    await vi.advanceTimersByTimeAsync(2_000);
    await server.over;
    expect(server.events.map(({ kind }) => kind)).toEqual(["attempt_started", "ended"]);
    expect(server.events.at(-1)).toMatchObject({ status: "canceled", releasedBy: "caller" });
  });

  it("an order that crossed the CANCEL is a canceled call; one refused for another reason is a 503", async () => {
    const crossed = handedOver();
    await crossed.refuse("Unknown transaction id: 1");
    await crossed.over;
    expect([crossed.events.at(-1), crossed.statuses]).toMatchObject([{ status: "canceled" }, []]);
    const refused = handedOver();
    await refused.refuse("error proxying request to ");
    await refused.over;
    expect([refused.events.at(-1), refused.statuses]).toMatchObject([
      { status: "failed", releasedBy: "system" },
      [503],
    ]);
  });

  it("a hunt of which nothing more is heard is closed in the end, and not before both targets had their time", async () => {
    const server = handedOver();
    attempt(server, "sip:a@192.0.2.1");
    await vi.advanceTimersByTimeAsync(2 * 185_000);
    expect(server.events).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2 * 35_000);
    await server.over;
    expect(server.events.at(-1)).toMatchObject({ status: "failed", cause: "end_not_reported", authority: 1 });
  });

  it("answers find their attempts by branch, also when a target before gave none", async () => {
    const server = handedOver();
    attempt(server, "sip:a@192.0.2.1");
    attempt(server, "sip:b@192.0.2.2");
    await server.result({ finalStatus: 486, responses: [{ msgs: [answeredBy("sip:b@192.0.2.2", 486)] }] });
    await server.over;
    const failed = server.events.filter(({ kind }) => kind === "attempt_failed");
    expect(failed).toMatchObject([
      { index: 1, sipStatus: 486 },
      { index: 0, sipStatus: null, cause: "ring_timeout" },
    ]);
    expect(server.events.at(-1)).toMatchObject({ status: "busy", cause: "sip_486" });
  });

  it("an answered call without any cdr frame is closed at once, and somebody is told", async () => {
    const server = handedOver();
    await server.result({ finalStatus: 200, responses: [{ msgs: [answeredBy("sip:a@192.0.2.1", 200)] }] });
    await server.over;
    expect(server.events.at(-1)).toMatchObject({ status: "completed", cause: "end_not_reported", authority: 1 });
    expect(server.unreported()).toBe(1);
  });

  it("an answered call whose end never comes is closed when no call is that long", async () => {
    const server = handedOver();
    attempt(server, "sip:a@192.0.2.1");
    await server.result({ finalStatus: 200, responses: [{ msgs: [answeredBy("sip:a@192.0.2.1", 200)] }] });
    await vi.advanceTimersByTimeAsync(CALL_MS_MAX - 1);
    expect(server.events.at(-1)).toMatchObject({ kind: "answered" });
    await vi.advanceTimersByTimeAsync(1);
    await server.over;
    expect(server.events.at(-1)).toMatchObject({ status: "completed", cause: "max_call_duration", authority: 1 });
  });
});
