/**
 * The torture messages of RFC 4475 (as shipped by the `sip` package), each with the answer it gets from an edge whose app says 200 to everything, and
 * thousands of mutations of them: never a crash, a leak, or a 2xx for what is no valid request.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type RunningEdge, startEdge, until } from "./support/edge.js";
import { whyNoRequest } from "./support/grammar-oracle.js";
import { mutate, mutations } from "./support/mutations.js";
import { callTexts, field, type RawPeer, rawPeer } from "./support/raw-peer.js";
import { connectSrf } from "./support/srf.js";

const folder = join(dirname(createRequire(import.meta.url).resolve("sip/package.json")), "test/messages");
const METHODS = [
  "invite",
  "options",
  "register",
  "message",
  "subscribe",
  "newmethod",
  "re%47ist%45r",
  "info",
  "update",
];

/** What becomes of a message: it reaches the app (and gets its 200), or the edge answers this status, or there is silence. */
type Expected = "delivered" | "silence" | number;

/** In the order of the RFC. `regbadct` and others are called "acceptable to reject" there: the edge is strict where strictness costs no real call. */
const TABLE: readonly (readonly [name: string, section: string, expected: Expected, why: string])[] = [
  ["wsinv", "3.1.1.1", 481, "valid; its To tag names a dialog that we do not have"],
  ["intmeth", "3.1.1.2", 405, "valid; a method that no app routes"],
  ["esc01", "3.1.1.3", "delivered", "escapes in the request URI"],
  ["escnull", "3.1.1.4", "delivered", "%00 in URIs"],
  ["esc02", "3.1.1.5", "delivered", "a method with percent signs in it"],
  ["lwsdisp", "3.1.1.6", "delivered", "no space between display name and <"],
  ["longreq", "3.1.1.7", "delivered", "long values everywhere"],
  ["dblreq", "3.1.1.8", "delivered", "bytes after the body belong to no message"],
  ["semiuri", "3.1.1.9", "delivered", "semicolons in the user part"],
  ["transports", "3.1.1.10", "delivered", "Vias of unknown transports below the top"],
  ["mpart01", "3.1.1.11", "delivered", "a binary multipart body"],
  ["unreason", "3.1.1.12", "silence", "a response to nothing"],
  ["noreason", "3.1.1.13", "silence", "a response to nothing"],
  ["badinv01", "3.1.2.1", "silence", "its Via cannot be read: there is nowhere to answer to"],
  ["clerr", "3.1.2.2", 400, "Content-Length beyond the datagram"],
  ["ncl", "3.1.2.3", 400, "a negative Content-Length"],
  ["scalar02", "3.1.2.4", 400, "numbers that overflow, in a request"],
  ["scalarlg", "3.1.2.5", "silence", "numbers that overflow, in a response"],
  ["quotbal", "3.1.2.6", 400, "an open quote"],
  ["ltgtruri", "3.1.2.7", 400, "<> around the request URI"],
  ["lwsruri", "3.1.2.8", 400, "white space inside the request URI"],
  ["lwsstart", "3.1.2.9", 400, "two spaces in the request line"],
  ["trws", "3.1.2.10", 400, "white space after the version"],
  ["escruri", "3.1.2.11", 400, "headers in the request URI"],
  ["baddate", "3.1.2.12", "delivered", "a Date in another zone, which is left out"],
  ["regbadct", "3.1.2.13", 400, "a Contact URI with a comma and a ? outside of <>"],
  ["badaspec", "3.1.2.14", 400, "spaces inside an address"],
  ["baddn", "3.1.2.15", 400, "an unquoted display name that is no token"],
  ["badvers", "3.1.2.16", 505, "SIP/7.0"],
  ["mismatch01", "3.1.2.17", 400, "CSeq names another method"],
  ["mismatch02", "3.1.2.18", 400, "CSeq names another, unknown method"],
  ["bigcode", "3.1.2.19", "silence", "a status of many digits"],
  ["badbranch", "3.2.1", "delivered", "a branch of the magic cookie alone"],
  ["insuf", "3.3.1", "silence", "no Call-ID, From or To, so no answer could be matched to it"],
  ["unkscm", "3.3.2", 416, "an unknown scheme in the request URI"],
  ["novelsc", "3.3.3", 416, "a known scheme that is not for SIP"],
  ["unksm2", "3.3.4", "delivered", "unknown schemes in To and Contact of a REGISTER"],
  ["bext01", "3.3.5", 420, "Require and Proxy-Require of unknown extensions"],
  ["invut", "3.3.6", "delivered", "an unknown body type: the app's matter"],
  ["regaut01", "3.3.7", "delivered", "an unknown Authorization scheme"],
  ["multi01", "3.3.8", 400, "header fields twice that may be there once"],
  ["mcl01", "3.3.9", 400, "two different Content-Lengths"],
  ["bcast", "3.3.10", "silence", "a 200 with somebody else's Via on top"],
  ["zeromf", "3.3.11", "delivered", "OPTIONS without hops left ends here, and we are its end"],
  ["cparam01", "3.3.12", "delivered", "an unknown Contact parameter"],
  ["cparam02", "3.3.13", "delivered", "an unknown Contact URI parameter"],
  ["regescrt", "3.3.14", "delivered", "an escaped header in a Contact URI"],
  ["sdp01", "3.3.15", "delivered", "several bodies are acceptable: the app's matter"],
  ["inv2543", "3.4.1", 400, "RFC 2543 allowed an INVITE without Contact; nothing could be sent back in its dialog"],
  ["badcseq", "not in the RFC", 400, "a CSeq that is no number"],
  ["test", "not in the RFC", "silence", "a request line without version"],
  ["baddn_sep", "not in the RFC", "silence", "an empty file"],
];

/** An app that says yes to everything that reaches it, and remembers it. */
async function agreeable(): Promise<{ running: RunningEdge; peer: RawPeer; reached: string[]; dates: unknown[] }> {
  const running = await startEdge();
  const reached: string[] = [];
  const dates: unknown[] = [];
  await connectSrf(running, (srf) => {
    for (const method of METHODS) {
      srf.use(method, (req, res) => {
        reached.push(req.get("call-id") ?? "");
        dates.push(req.get("date"));
        res.send(200);
      });
    }
  });
  return { running, peer: await rawPeer(running), reached, dates };
}

const PROBE_AGAIN_MS = 1_000;

/** Everything sent before has been dealt with by the edge: datagrams of one socket are handled in order. */
async function flush(peer: RawPeer, running: RunningEdge): Promise<void> {
  const probe = callTexts(peer, running);
  const text = probe.invite({ toTag: "unknown" }).replaceAll("INVITE", "INFO");
  peer.send(text);
  // As any request over UDP: a socket full of nonsense on a busy machine may have dropped it.
  const again = setInterval(() => peer.send(text), PROBE_AGAIN_MS);
  try {
    await peer.next("the probe's 481", (answer) => answer.includes(probe.callId), 20_000);
  } finally {
    clearInterval(again);
  }
}

/** `rport` in the top Via, so that the answer comes to the socket it was sent from and not to port 5060. */
function withRport(text: string): string {
  return text.replace(/\/\s*(UDP|TCP|TLS)\s+[^;,\r\n]+(?!.*rport)/, "$&;rport");
}

function readTorture(name: string): string {
  return readFileSync(join(folder, `${name}.dat`)).toString("latin1");
}

describe("the RFC 4475 torture messages", () => {
  it("are all in the table, the 49 of the RFC among them", () => {
    const files = readdirSync(folder).filter((name) => name.endsWith(".dat"));
    expect(TABLE.map(([name]) => `${name}.dat`).toSorted()).toEqual(files.toSorted());
    expect(TABLE.filter(([, section]) => section.startsWith("3."))).toHaveLength(49);
  });

  it.each(TABLE)("%s (%s): %s, %s", async (name, _section, expected) => {
    const { running, peer, reached } = await agreeable();
    peer.send(Buffer.from(withRport(readTorture(name)), "latin1"));
    if (expected === "delivered") await peer.response(200);
    await flush(peer, running);
    const statuses = new Set(peer.inbox.map((text) => Number(text.split(" ")[1])));
    if (expected === "silence") expect(statuses).toEqual(new Set());
    // A retransmitted 200 may have come as well.
    else if (expected === "delivered") expect([...statuses, 200]).toContain(200);
    else expect(statuses).toEqual(new Set([expected]));
    expect(reached).toHaveLength(expected === "delivered" ? 1 : 0);
    expect(running.edge.counters()["internal_errors"]).toBe(0);
  });

  it("baddate reaches the app without its Date", async () => {
    const { peer, dates } = await agreeable();
    peer.send(Buffer.from(withRport(readTorture("baddate")), "latin1"));
    await peer.response(200);
    expect(dates).toEqual([undefined]);
  });
});

/** Another seed is another ten thousand messages; a failure names the seed, the message's place and its text. */
const SEED = Number(process.env["TORTURE_SEED"] ?? 4475);
const RUNS = Number(process.env["TORTURE_RUNS"] ?? 10_000);
/** What is sent before waiting for the edge to have read it: stays below the smallest receive buffer. */
const BATCH = 40;

/** Where a mutated message's answers are recognised, in Via and in Call-ID. */
const idOf = (place: number): string => `m${String(place).padStart(7, "0")}x`;

/** Own branch, Call-ID and Contact, so that every message is a new one and nothing of it leaves this machine. */
function asNew(text: string, place: number, peer: RawPeer): string {
  const id = idOf(place);
  return withRport(text)
    .replace(/(;\s*branch\s*=\s*)[^;,\s]+/i, `$1z9hG4bK${id}`)
    .replace(/^(call-id|i)[ \t]*:[^\r]*/im, `$1: ${id}@torture`)
    .replace(/^(contact|m|route|record-route)([ \t]*:)[^\r]*/gim, `$1$2 <sip:peer@${peer.host}:${peer.port}>`);
}

function basesFor(peer: RawPeer, running: RunningEdge): string[] {
  const base = callTexts(peer, running);
  return [
    ...TABLE.map(([name]) => readTorture(name)).filter((text) => text !== ""),
    base.invite(),
    base.invite({ headers: ["Supported: 100rel, timer", "Session-Expires: 90", "Min-SE: 90"] }),
    base.invite().replaceAll("INVITE", "OPTIONS"),
    base.cancel(),
    base.invite().replaceAll("INVITE", "PRACK"),
    base.invite({ toTag: "x" }).replaceAll("INVITE", "BYE"),
    `SIP/2.0 200 OK\r\n${base.invite().split("\r\n").slice(1).join("\r\n")}`,
  ];
}

describe("anything at all", () => {
  it(`${RUNS} mutated messages (seed ${SEED}): no crash, no 2xx for nonsense, nothing left behind`, async () => {
    const { running, peer, reached } = await agreeable();
    const bases = basesFor(peer, running);
    const random = mutations(SEED);
    const sent: string[] = [];
    const judged = { accepted: 0, unattributable: 0 };
    const wrong: string[] = [];
    const judge = (): void => {
      for (const answer of peer.inbox.splice(0)) {
        if (!/^SIP\/2\.0 2/.test(answer)) continue;
        const place = /m(\d{7})x/.exec(`${field(answer, "Via")} ${field(answer, "Call-ID")}`)?.[1];
        const text = place === undefined ? undefined : sent[Number(place)];
        if (text === undefined) judged.unattributable += 1;
        else {
          judged.accepted += 1;
          const why = whyNoRequest(text);
          if (why !== null) wrong.push(`seed ${SEED}, message ${place} got a 2xx although ${why}:\n${text}`);
        }
      }
    };
    for (let place = 0; place < RUNS; place++) {
      const text = mutate(asNew(random.pick(bases), place, peer), random, bases);
      sent.push(text);
      peer.send(Buffer.from(text, "latin1"));
      if (place % BATCH === BATCH - 1) {
        await flush(peer, running);
        judge();
      }
    }
    await flush(peer, running);
    await until("no transaction, no dialog", () => isEmpty(running), 15_000);
    judge();
    expect(wrong.slice(0, 5)).toEqual([]);
    const counters = running.edge.counters();
    expect(counters).toMatchObject({ internal_errors: 0, active_dialogs: 0, active_requests: 0 });
    expect(counters["messages_received"] ?? 0).toBeGreaterThan(RUNS / 2);
    // Both kinds came through, so that the rules above have been put to the test.
    expect(counters["malformed"] ?? 0).toBeGreaterThan(RUNS / 20);
    expect(judged.accepted).toBeGreaterThan(RUNS / 50);
    expect(reached.length).toBeGreaterThan(RUNS / 50);
    // An answer whose message lost both marks is rare enough to be no hole.
    expect(judged.unattributable).toBeLessThan(judged.accepted / 10);
  });

  it("random bytes: counted and ignored", async () => {
    const { running, peer } = await agreeable();
    const random = mutations(SEED);
    for (let place = 0; place < 200; place++) {
      const bytes = Array.from({ length: 5 + random.below(295) }, () => random.below(256));
      peer.send(Buffer.from(bytes));
    }
    await flush(peer, running);
    expect(running.edge.counters()["malformed"]).toBeGreaterThan(150);
    expect(peer.inbox).toEqual([]);
  });
});

function isEmpty(running: RunningEdge): boolean {
  const counters = running.edge.counters();
  return (
    counters["active_server_transactions"] === 0 &&
    counters["active_client_transactions"] === 0 &&
    running.edge.activeDialogs() === 0
  );
}
