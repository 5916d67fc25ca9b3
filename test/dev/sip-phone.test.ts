/** Two development phones talking to each other, without anything between them. */
import { describe, expect, it, onTestFinished } from "vitest";
import { type CallEnd, type IncomingCall, SipPhone, type SipPhoneOptions } from "../../src/dev/sip-phone.js";
import { systemClock } from "../../src/kernel/clock.js";
import { silentLog } from "../../src/kernel/log.js";
import { systemRandom } from "../../src/kernel/random.js";

async function phone(options: Partial<SipPhoneOptions> = {}): Promise<{ phone: SipPhone; uri: string }> {
  const one = new SipPhone({
    host: "127.0.0.1",
    port: 0,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    timers: { t1Ms: 50, t4Ms: 100 },
    ...options,
  });
  const { host, port } = await one.start();
  onTestFinished(() => one.stop());
  return { phone: one, uri: `sip:+18005550100@${host}:${port}` };
}

const CALL = { fromUser: "+14155550100", ringTimeoutMs: 3_000 };

describe("a phone", () => {
  it("calls, is answered and hangs up", async () => {
    const seen: unknown[] = [];
    const desk = await phone({
      onCall: (call) => {
        seen.push([
          call.calledUser,
          call.fromUser,
          call.headers("x-note"),
          call.headers("from")?.includes('"Ann Oné"'),
        ]);
        call.onEnd((by) => seen.push(by));
        call.ring();
        call.ring(183);
        call.answer();
      },
    });
    const caller = await phone({ displayName: "Ann Oné" });
    const result = await caller.phone.call({ ...CALL, targetUri: desk.uri, headers: { "X-Note": "héllo" } });
    if (result.kind !== "answered") throw new Error(JSON.stringify(result));
    expect(new Set(result.provisional)).toEqual(new Set([100, 180, 183]));
    expect(result.pddMs).toBeGreaterThan(0);
    await result.call.hangUp();
    expect(await result.call.waitEnd()).toBe("local");
    expect(seen).toEqual([["+18005550100", "+14155550100", "héllo", true], "remote"]);
  });

  it("is hung up on", async () => {
    let incoming: IncomingCall | undefined;
    const desk = await phone({
      onCall: (call) => {
        incoming = call;
        call.answer();
      },
    });
    const caller = await phone();
    const result = await caller.phone.call({ ...CALL, targetUri: desk.uri });
    if (result.kind !== "answered") throw new Error(JSON.stringify(result));
    const end = result.call.waitEnd();
    await incoming?.hangUp();
    expect(await end).toBe("remote");
    expect(await new Promise<CallEnd>((resolve) => incoming?.onEnd(resolve))).toBe("local");
  });

  it("is refused, with the reason and the headers", async () => {
    const desk = await phone({ onCall: (call) => call.reject(486, "Busy Here") });
    const caller = await phone();
    const result = await caller.phone.call({ ...CALL, targetUri: desk.uri });
    expect(result).toMatchObject({
      kind: "refused",
      status: 486,
      reason: "Busy Here",
      headers: { cseq: expect.stringContaining("INVITE") },
    });
  });

  it("gets 480 from a phone that takes no calls", async () => {
    const desk = await phone();
    const caller = await phone();
    expect(await caller.phone.call({ ...CALL, targetUri: desk.uri })).toMatchObject({ kind: "refused", status: 480 });
  });

  it("cancels when nobody answers in time", async () => {
    const ends: CallEnd[] = [];
    const desk = await phone({
      onCall: (call) => {
        call.ring();
        call.onEnd((by) => ends.push(by));
      },
    });
    const caller = await phone();
    expect(await caller.phone.call({ ...CALL, targetUri: desk.uri, ringTimeoutMs: 100 })).toEqual({ kind: "timeout" });
    expect(ends).toEqual(["canceled"]);
  });

  it("cancels when told to", async () => {
    const abort = new AbortController();
    const desk = await phone({
      onCall: (call) => {
        call.ring();
        abort.abort();
      },
    });
    const caller = await phone();
    expect(await caller.phone.call({ ...CALL, targetUri: desk.uri, signal: abort.signal })).toEqual({
      kind: "canceled",
    });
    expect(await caller.phone.call({ ...CALL, targetUri: desk.uri, signal: abort.signal })).toEqual({
      kind: "canceled",
    });
  });

  it("gives up on a dead address without waiting for timer B", async () => {
    const caller = await phone({ timers: {} });
    expect(await caller.phone.call({ ...CALL, targetUri: "sip:x@127.0.0.1:9", ringTimeoutMs: 50 })).toEqual({
      kind: "timeout",
    });
  });

  it("says what is wrong with a target", async () => {
    const caller = await phone();
    await expect(caller.phone.call({ ...CALL, targetUri: "nonsense" })).rejects.toMatchObject({
      code: "invalid_value",
    });
    await expect(caller.phone.call({ ...CALL, targetUri: "sips:x@127.0.0.1" })).rejects.toMatchObject({
      code: "invalid_value",
    });
  });

  it("hangs up what is left when it stops", async () => {
    const ends: CallEnd[] = [];
    const desk = await phone({
      onCall: (call) => {
        call.onEnd((by) => ends.push(by));
        call.answer();
      },
    });
    const caller = await phone();
    const result = await caller.phone.call({ ...CALL, targetUri: desk.uri });
    expect(result.kind).toBe("answered");
    await caller.phone.stop();
    expect(ends).toEqual(["remote"]);
  });

  it("names the address that is taken", async () => {
    const first = await phone();
    const port = Number(first.uri.split(":").at(-1));
    await expect(phone({ port })).rejects.toMatchObject({
      code: "address_taken",
      message: expect.stringContaining(String(port)),
    });
  });
});
