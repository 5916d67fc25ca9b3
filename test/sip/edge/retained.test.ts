/**
 * What a finished transaction holds while it absorbs retransmissions, for up to 64*T1: no message, no dialog, no datagram. Memory is looked at after a
 * full garbage collection, so nothing here depends on speed.
 */
import { setImmediate } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { silentLog } from "../../../src/kernel/log.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { createAppRouter } from "../../../src/sip/edge/app-router.js";
import { createStack, type EdgeContext } from "../../../src/sip/edge/edge-context.js";
import { openIncoming, refuse } from "../../../src/sip/edge/incoming.js";
import { matchResponse } from "../../../src/sip/edge/match-transaction.js";
import { checkRequest } from "../../../src/sip/edge/message-check.js";
import { startInvite } from "../../../src/sip/edge/outbound-invite.js";
import { startRequest } from "../../../src/sip/edge/outgoing.js";
import { createProxiedCalls } from "../../../src/sip/edge/proxied-calls.js";
import { searchRules } from "../../../src/sip/edge/search-rules.js";
import type { SipRequest } from "../../../src/sip/edge/sip-message.js";
import { parseDatagram } from "../../../src/sip/edge/sip-parser.js";
import type { Flow } from "../../../src/sip/edge/transport.js";

v8.setFlagsFromString("--expose-gc");
const collectGarbage = vm.runInNewContext("gc") as () => void;

async function isGone(ref: WeakRef<object>): Promise<boolean> {
  // A WeakRef that was made or read holds its target until the turn is over.
  await setImmediate();
  collectGarbage();
  return ref.deref() === undefined;
}

/** An edge without sockets, and what it sends. */
function world() {
  const stack = createStack({ clock: systemClock, random: systemRandom, log: silentLog });
  onTestFinished(() => stack.scheduler.stop());
  const ctx: EdgeContext = {
    ...stack,
    apps: createAppRouter(),
    proxied: createProxiedCalls(),
    searchRules: searchRules("proxy"),
    transports: [],
    isDraining: false,
  };
  ctx.sources.allow(["192.0.2.0/24"]);
  const sent: Buffer[] = [];
  const flow: Flow = {
    transport: {
      kind: "udp",
      host: "192.0.2.1",
      port: 5060,
      send: (text) => void sent.push(Buffer.from(text, "latin1")),
      localHostFor: (_address, done) => done("192.0.2.1"),
      stop: () => Promise.resolve(),
    },
    localHost: "192.0.2.1",
    peer: { address: "192.0.2.9", port: 5060 },
    isTrusted: true,
  };
  return { ctx, sent, flow };
}

/** Decoded from bytes, as it arrives: a text put together would share its body with others. */
function request(method: string, id: string, body = ""): SipRequest {
  const bytes = Buffer.from(
    `${method} sip:callee@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-a-long-branch-${id}\r\n` +
      `From: <sip:caller@192.0.2.9>;tag=a-long-from-tag-${id}\r\nTo: <sip:callee@192.0.2.9>\r\n` +
      `Call-ID: a-long-call-id-${id}@192.0.2.9\r\nCSeq: 1 ${method}\r\nContact: <sip:caller@192.0.2.9>\r\n\r\n${body}`,
  );
  const parsed = parseDatagram(bytes.toString("latin1"));
  if (parsed.kind !== "message" || parsed.message.kind !== "request") throw new Error("no request");
  return parsed.message;
}

/** Without Vias, as an app's request is started. */
function ownRequest(method: string): SipRequest {
  const message = request(method, "own");
  return { ...message, headers: message.headers.filter((one) => one.key !== "via") };
}

/** The peer's answer to the request that was sent last. */
function answerTo(sent: readonly Buffer[], status: number): Parameters<typeof matchResponse>[1] {
  const parsed = parseDatagram(
    (sent.at(-1) ?? "")
      .toString("latin1")
      .replace(/^.*/, `SIP/2.0 ${status} Answer`)
      .replace(/\r\nTo: .*/, "$&;tag=callee"),
  );
  if (parsed.kind !== "message" || parsed.message.kind !== "response") throw new Error("no response");
  return parsed.message;
}

describe("a transaction that is over but for retransmissions", () => {
  it.each(["INVITE", "BYE"])("holds nothing of the %s it answered", async (method) => {
    const { ctx, flow } = world();
    const ref = ((): WeakRef<object> => {
      const check = checkRequest(request(method, "1"));
      if (check.kind !== "ok") throw new Error("refused");
      const incoming = openIncoming(ctx, check.request, flow);
      refuse(ctx, incoming, 481);
      return new WeakRef(check.request.message);
    })();
    expect(await isGone(ref)).toBe(true);
    expect(ctx.transactions.servers.size).toBe(1);
  });

  it.each([
    ["BYE", 200],
    ["INVITE", 486],
  ])("holds nothing of its own %s after a %i, nor of who sent it", async (method, status) => {
    const { ctx, sent, flow } = world();
    const refs = ((): WeakRef<object>[] => {
      const owner = { answers: 0 };
      const started = startRequest(ctx, ownRequest(method), flow, {
        onResponse: () => void (owner.answers += 1),
        onFailed: () => void (owner.answers = -1),
      });
      if (started === null) throw new Error("not started");
      matchResponse(ctx, answerTo(sent, status), null);
      expect(owner.answers).toBe(1);
      return [new WeakRef(owner), new WeakRef(started.request)];
    })();
    for (const ref of refs) expect(await isGone(ref)).toBe(true);
    expect(ctx.transactions.clients.size).toBe(1);
  });

  it("holds nothing of an app's INVITE and its dialog once the call is up and over", async () => {
    const { ctx, sent, flow } = world();
    const app = { isOpen: true, isCongested: false, send: () => undefined };
    const refs = ((): WeakRef<object>[] => {
      const invite = ownRequest("INVITE");
      startInvite(ctx, app, "m1", { request: invite, flow, dialog: null });
      const ringing = new WeakRef([...ctx.transactions.outgoing.values()][0]?.request ?? {});
      matchResponse(ctx, answerTo(sent, 200), null);
      const dialog = [...ctx.dialogs.byId.values()][0];
      expect(dialog?.state).toBe("confirmed");
      if (dialog === undefined) throw new Error("no dialog");
      // As after the app's ACK and the peer's BYE.
      for (const one of dialog.toAck.splice(0)) one.timer?.cancel();
      ctx.dialogs.remove(dialog);
      return [ringing, new WeakRef(dialog)];
    })();
    for (const ref of refs) expect(await isGone(ref)).toBe(true);
    expect(ctx.transactions.clients.size).toBe(1);
  });

  it("keeps no datagram alive by a piece cut out of it", async () => {
    const { ctx, flow } = world();
    const body = "x".repeat(20_000);
    await setImmediate();
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 2_000; i++) {
      const check = checkRequest(request("INVITE", String(i), body));
      if (check.kind !== "ok") throw new Error("refused");
      refuse(ctx, openIncoming(ctx, check.request, flow), 481);
    }
    expect(ctx.transactions.servers.size).toBe(2_000);
    await setImmediate();
    collectGarbage();
    // With its datagrams 40 MB.
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(15);
  });
});
