/** What the business, the record and the disk get to know of a caller: real packets through the whole service. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, describe, expect, it, onTestFinished } from "vitest";
import { listTrunks, putTrunk, type Trunk } from "../../src/account/trunks.store.js";
import { openDatabase } from "../../src/db/database.js";
import { silentLog } from "../../src/kernel/log.js";
import { presentBatch } from "../../src/pool/presentations.store.js";
import { freshDatabase, rows } from "../support/database.js";
import { itOnEdge } from "../support/drachtio-server.js";
import { startLink } from "../support/severable-link.js";
import { placeOf, recordOf, setTargets, type SipWorld, startSipWorld } from "../support/sip-world.js";
import { until } from "../support/until.js";
import { allocationFor, makeWorld, secrets } from "../support/world.js";
import { certificateFor } from "./edge/support/certificate.js";
import { callTexts, field, rawPeer, respondTo } from "./edge/support/raw-peer.js";

const { db, url } = await freshDatabase();
const sip = await startSipWorld(db);
afterAll(() => sip.stop());

const [loopback] = await listTrunks(db);
if (loopback === undefined) throw new Error("there is no trunk");
afterEach(() => useTrunk({}));

async function useTrunk(changes: Partial<Trunk>, world: SipWorld = sip): Promise<void> {
  await putTrunk(db, { ...(loopback as Trunk), ...changes });
  await world.service.trunksChanged();
}

interface DestinationSettings {
  readonly callerId?: "caller" | "promo_number";
  readonly passIds?: boolean;
}

/** A number presented a minute ago to a visitor whose lock is over; the business is a raw peer. */
async function presented(settings: DestinationSettings = {}, world: SipWorld = sip) {
  const desk = await rawPeer(placeOf(world));
  const cast = await makeWorld(db, 1, { sessionLifetimeS: 1 });
  const { callerId = "caller", passIds = false } = settings;
  const { id } = cast.destination;
  await rows(db, "update destination set caller_id = $2, pass_ids = $3 where id = $1", [id, callerId, passIds]);
  await setTargets(db, id, [`sip:desk@127.0.0.1:${desk.port}`]);
  const [outcome] = await presentBatch(db, [allocationFor(cast)], Date.now() - 60_000);
  if (outcome?.kind !== "presented") throw new Error("nothing was presented");
  return { desk, cast, number: outcome.promoNumber, presentationId: outcome.presentationId };
}

const FROM = '"Jane Doe" <sip:+14155550123@carrier.example>';

interface Call {
  readonly headers?: readonly string[];
  readonly from?: string;
  readonly world?: SipWorld;
  readonly cseq?: number;
}

/** Calls the number, has the business say busy, and gives back what the business got. */
async function callAndSee(to: Awaited<ReturnType<typeof presented>>, call: Call = {}): Promise<string> {
  const { world = sip, from = FROM, headers = [] } = call;
  const peer = await rawPeer(placeOf(world));
  const texts = callTexts(peer, placeOf(world), to.number);
  const withFrom = (text: string) => text.replace(/^From: .*(?=;tag)/m, `From: ${from}`);
  peer.send(withFrom(texts.invite({ headers })));
  const invite = await to.desk.request("INVITE");
  to.desk.send(respondTo(invite, 486, "Busy Here", { tag: "desk" }));
  await to.desk.request("ACK");
  peer.send(withFrom(texts.ack(await peer.response(486))));
  return invite;
}

const headerNames = (text: string) =>
  (text.split("\r\n\r\n")[0] ?? "")
    .split("\r\n")
    .slice(1)
    .map((line) => line.split(":")[0]?.toLowerCase());

describe("the business's phone", () => {
  it("shows the number in the record, without the caller's display name", async () => {
    const to = await presented();
    const invite = await callAndSee(to);
    expect(field(invite, "From")).toMatch(/^<sip:\+14155550123@127\.0\.0\.1[^>]*>;tag=/);
    expect(field(invite, "Contact")).toMatch(/^<sip:\+14155550123@127\.0\.0\.1:\d+/);
    expect(invite).not.toContain("Jane");
    expect(headerNames(invite)).not.toContain("privacy");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: "0123" });
  });

  it.each([
    ["the asserted number of a trusted trunk, which the record has too", {}, "+14155550177", "0177"],
    ["From on a trunk that is not trusted", { trustIdentity: false }, "+14155550123", "0123"],
  ])("shows %s", async (_name, changes, user, last4) => {
    await useTrunk(changes);
    const to = await presented();
    const invite = await callAndSee(to, { headers: ["P-Asserted-Identity: <sip:+14155550177@carrier>"] });
    expect(field(invite, "From")).toContain(`<sip:${user}@`);
    expect(headerNames(invite)).not.toContain("p-asserted-identity");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: last4 });
  });

  it.each([
    ["Privacy: user", { headers: ["Privacy: user"] }],
    ["Privacy: header", { headers: ["Privacy: header;critical"] }],
    ["Privacy: id", { headers: ["P-Asserted-Identity: <tel:+14155550123>", "Privacy: id"] }],
    [
      "an anonymous From beside an asserted number",
      {
        from: '"Anonymous" <sip:anonymous@anonymous.invalid>',
        headers: ["P-Asserted-Identity: <tel:+14155550123>"],
      },
    ],
    ["a number that spells anonymous", { from: "<sip:+266696687@carrier.example>" }],
  ])("shows nobody for %s, and the record has nobody", async (_name, call) => {
    const to = await presented();
    const invite = await callAndSee(to, call);
    expect(field(invite, "From")).toMatch(/^"Anonymous" <sip:anonymous@anonymous\.invalid>;tag=/);
    expect(field(invite, "Privacy")).toBe("id");
    expect(invite).not.toContain("4155550123");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: null, caller_enc: null });
  });

  it("shows nobody for a From that is no number", async () => {
    const to = await presented();
    const invite = await callAndSee(to, { from: "<sip:alice@carrier.example>" });
    expect(field(invite, "From")).toContain("<sip:anonymous@anonymous.invalid>");
    expect(headerNames(invite)).not.toContain("privacy");
    expect(invite).not.toContain("alice");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: null });
  });

  it("shows the promo number, when the business wants to see which line it is", async () => {
    const to = await presented({ callerId: "promo_number" });
    const invite = await callAndSee(to);
    expect(field(invite, "From")).toContain(`<sip:${to.number}@`);
    expect(field(invite, "Contact")).toContain(`<sip:${to.number}@`);
    expect(invite).not.toContain("4155550123");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: "0123" });
  });
});

describe("our ids", () => {
  const forged = [
    "X-Ringmatch-Call-ID: call_forged",
    "X-Ringmatch-Presentation-ID: prs_forged",
    "X-Ringmatch-Promo-Number: +19995550100",
    "X-Ringmatch-Other: forged",
  ];

  it("reach a business that asked for them, and are ours whatever the caller wrote", async () => {
    const to = await presented({ passIds: true });
    const invite = await callAndSee(to, { headers: forged });
    const record = await recordOf(db, to.number, "busy");
    expect(field(invite, "X-Ringmatch-Call-ID")).toBe(record["id"]);
    expect(field(invite, "X-Ringmatch-Presentation-ID")).toBe(to.presentationId);
    expect(field(invite, "X-Ringmatch-Promo-Number")).toBe(to.number);
    expect(invite).not.toMatch(/forged|19995550100/);
    expect(headerNames(invite).filter((name) => name?.startsWith("x-ringmatch-"))).toHaveLength(4);
  });

  it("reach nobody else, nor do the caller's", async () => {
    const to = await presented();
    const invite = await callAndSee(to, { headers: forged });
    expect(headerNames(invite).filter((name) => name?.startsWith("x-ringmatch-"))).toEqual(["x-ringmatch-hops"]);
  });

  it("name no presentation where none is matched", async () => {
    const to = await presented({ passIds: true });
    await rows(db, "update promo_number set retained_until = now() - interval '1 second' where e164 = $1", [to.number]);
    const invite = await callAndSee(to);
    const record = await recordOf(db, to.number, "busy");
    expect(record).toMatchObject({ attribution: "expired" });
    expect(field(invite, "X-Ringmatch-Call-ID")).toBe(record["id"]);
    expect(headerNames(invite)).not.toContain("x-ringmatch-presentation-id");
  });

  it("of a further attempt are those of the record, also when somebody else was presented the number meanwhile", async () => {
    const to = await presented({ passIds: true });
    const peer = await rawPeer(placeOf(sip));
    const texts = callTexts(peer, placeOf(sip), to.number);
    const seen: string[] = [];
    for (const cseq of [1, 2]) {
      const branch = `z9hG4bKattempt${cseq}${peer.port}`;
      peer.send(texts.invite({ cseq, branch }));
      const invite = await to.desk.request("INVITE");
      to.desk.send(respondTo(invite, 486, "Busy Here", { tag: "desk" }));
      peer.send(texts.ack(await peer.response(486)).replace(/branch=\S+/, `branch=${branch}`));
      await until("the first is over", () => sip.service.liveCalls === 0);
      seen.push(invite);
      const [next] = await presentBatch(db, [allocationFor(to.cast)], Date.now() - 30_000 + cseq * 10_000);
      expect(next).toMatchObject({ kind: "presented", promoNumber: to.number });
    }
    const record = await until("both attempts are recorded", async () => {
      const known = await recordOf(db, to.number, "busy");
      return known.attempts.length === 2 ? known : null;
    });
    for (const invite of seen) {
      expect(field(invite, "X-Ringmatch-Call-ID")).toBe(record["id"]);
      expect(field(invite, "X-Ringmatch-Presentation-ID")).toBe(to.presentationId);
    }
  });
});

describe("while the database is silent", () => {
  it("the business gets the call's id as the record will have it, no presentation, and its choice of caller ID; the spool has no number in plain", async () => {
    const link = await startLink(url);
    const slow = openDatabase({ url: link.url, log: silentLog });
    const world = await startSipWorld(db, { routingDb: slow });
    try {
      const to = await presented({ passIds: true, callerId: "promo_number" }, world);
      // What is changed last: before it, the table sends calls where nobody is.
      const uri = `sip:desk@127.0.0.1:${to.desk.port}`;
      await until("the table knows", () => world.routing.table.find(to.number)?.destination?.sipUri === uri);
      link.silence();
      const invite = await callAndSee(to, {
        world,
        headers: ["Diversion: <sip:+12125550144@pbx>;reason=unconditional"],
      });
      const spooled = world.routing.spooled();
      expect(spooled).toContain(to.number);
      expect(spooled).not.toMatch(/4155550123|2125550144/);
      expect(field(invite, "From")).toContain(`<sip:${to.number}@`);
      expect(headerNames(invite)).not.toContain("x-ringmatch-presentation-id");
      link.mend();
      const record = await recordOf(db, to.number, "busy");
      expect(record).toMatchObject({ late: true, presentation_id: to.presentationId, diversion_last4: "0144" });
      expect(field(invite, "X-Ringmatch-Call-ID")).toBe(record["id"]);
    } finally {
      await world.stop();
      await slow.close();
      await link.close();
    }
  });
});

describe("who forwarded the call", () => {
  const headers = ["Diversion: <sip:+12125550144@pbx>;reason=unconditional, <sip:+12125550155@pbx>"];

  it("is on the record, sealed, and not told to the business", async () => {
    const to = await presented();
    const invite = await callAndSee(to, { headers });
    expect(invite).not.toContain("2125550144");
    const record = await recordOf(db, to.number, "busy");
    expect(record["diversion_last4"]).toBe("0144");
    expect(secrets.open(record["diversion_enc"] as Buffer)).toBe("+12125550144");
    const [text] = await rows<{ text: string }>(db, "select c::text as text from call c where id = $1", [record["id"]]);
    expect(text?.text).not.toContain("2125550144");
  });

  it("is not believed to a trunk that is not trusted, and nonsense there harms no call", async () => {
    await useTrunk({ trustIdentity: false });
    const untrusted = await presented();
    await callAndSee(untrusted, { headers });
    expect(await recordOf(db, untrusted.number, "busy")).toMatchObject({ diversion_enc: null, diversion_last4: null });
    await useTrunk({});
    const nonsense = await presented();
    await callAndSee(nonsense, { headers: ['Diversion: <<sip:%zz>;;"'] });
    expect(await recordOf(db, nonsense.number, "busy")).toMatchObject({ diversion_enc: null });
  });
});

describe("verstat", () => {
  it.each([
    [true, "TN-Validation-Passed-A"],
    [false, null],
  ])("of a trunk with trust_identity %s is %s on the record", async (trustIdentity, verstat) => {
    await useTrunk({ trustIdentity });
    const to = await presented();
    await callAndSee(to, { from: "<sip:+14155550123;verstat=TN-Validation-Passed-A@carrier.example;user=phone>" });
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ verstat, caller_last4: "0123" });
  });
});

describe("a trunk's transport", () => {
  it("tls: INVITEs over UDP and TCP are refused and counted, without a record", async () => {
    await useTrunk({ transport: "tls" });
    const before = sip.service.counters()["insecure_transport"] ?? 0;
    const { number } = await presented();
    const peer = await rawPeer(placeOf(sip));
    const texts = callTexts(peer, placeOf(sip), number);
    peer.send(texts.invite());
    peer.send(texts.ack(await peer.response(403)));
    const answer = await overTcp(callTexts(peer, placeOf(sip), number).invite());
    expect(answer).toContain("SIP/2.0 403 ");
    expect(sip.service.counters()["insecure_transport"]).toBe(before + 2);
    expect(await rows(db, "select 1 from call where promo_number = $1", [number])).toEqual([]);
  });

  itOnEdge("tls: calls over TLS are taken", "the server under test need not have a certificate", async () => {
    const certificate = await certificateFor("IP:127.0.0.1");
    const world = await startSipWorld(db, { tls: certificate });
    onTestFinished(() => world.stop());
    await useTrunk({ transport: "tls" }, world);
    const to = await presented({}, world);
    const socket = connectTls({ host: "127.0.0.1", port: world.tlsPort ?? 0, ca: certificate.cert });
    await once(socket, "secureConnect");
    const peer = await rawPeer(placeOf(world));
    const calling = sendInvite(socket, callTexts(peer, placeOf(world), to.number).invite(), "TLS");
    to.desk.send(respondTo(await to.desk.request("INVITE"), 486, "Busy Here", { tag: "desk" }));
    expect(await calling).toContain("SIP/2.0 486 ");
    expect(await recordOf(db, to.number, "busy")).toMatchObject({ caller_last4: "0100" });
  });

  it("tcp: calls may come over UDP, and those to plain numbers leave over TCP", async () => {
    const gateway = await tcpGateway();
    await useTrunk({ transport: "tcp", outboundUri: `sip:127.0.0.1:${gateway.port}` });
    const to = await presented();
    await setTargets(db, to.cast.destination.id, []);
    const peer = await rawPeer(placeOf(sip));
    const texts = callTexts(peer, placeOf(sip), to.number);
    peer.send(texts.invite());
    const invite = await gateway.invite;
    peer.send(texts.ack(await peer.response(486)));
    expect(invite).toMatch(/^INVITE sip:\+18005550100@127\.0\.0\.1:\d+;transport=tcp SIP\/2\.0/);
    expect(field(invite, "Via")).toContain("SIP/2.0/TCP");
    await recordOf(db, to.number, "busy");
  });

  it("udp: calls may come over TCP", async () => {
    await useTrunk({ transport: "udp" });
    const to = await presented();
    const peer = await rawPeer(placeOf(sip));
    const calling = overTcp(callTexts(peer, placeOf(sip), to.number).invite());
    to.desk.send(respondTo(await to.desk.request("INVITE"), 486, "Busy Here", { tag: "desk" }));
    expect(await calling).toContain("SIP/2.0 486 ");
  });
});

/** Sends one INVITE over TCP. @returns everything up to the final answer */
async function overTcp(invite: string): Promise<string> {
  const socket = connect(placeOf(sip));
  await once(socket, "connect");
  return sendInvite(socket, invite, "TCP");
}

function sendInvite(socket: Socket, invite: string, transport: "TCP" | "TLS"): Promise<string> {
  onTestFinished(() => void socket.destroy());
  let received = "";
  const final = new Promise<string>((resolve) =>
    socket.on("data", (data: Buffer) => {
      received += data.toString("latin1");
      if (/^SIP\/2\.0 [2-6]/m.test(received)) resolve(received);
    }),
  );
  socket.write(invite.replace("SIP/2.0/UDP", `SIP/2.0/${transport}`));
  return final;
}

/** Listens on TCP and says busy to the first INVITE. */
async function tcpGateway(): Promise<{ port: number; invite: Promise<string> }> {
  let got: (invite: string) => void = () => undefined;
  const invite = new Promise<string>((resolve) => {
    got = resolve;
  });
  const server = createServer((socket) => {
    let received = "";
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => {
      received += data.toString("latin1");
      if (!received.startsWith("INVITE ") || !received.includes("\r\n\r\n")) return;
      socket.write(respondTo(received, 486, "Busy Here", { tag: "gateway" }));
      got(received);
      received = "";
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, invite };
}
