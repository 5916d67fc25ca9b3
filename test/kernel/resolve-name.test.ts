/** Names of other people's servers, of which some do not answer: asked of a real name server on loopback. */
import { createSocket, type RemoteInfo } from "node:dgram";
import { lookup } from "node:dns/promises";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { createResolve, type Resolve } from "../../src/kernel/resolve-name.js";
import { wordFor } from "../../src/webhooks/outbound/send.js";

const A = 1;
const AAAA = 28;
const [NO_ERROR, SERVER_FAILED, NO_SUCH_NAME] = [0, 2, 3];

/** What it says by the first label; `silent` and everything below it is never answered. */
const ANSWERS: Readonly<Record<string, { code: number; [A]?: number[]; [AAAA]?: number[] }>> = {
  both: { code: NO_ERROR, [A]: [192, 0, 2, 1], [AAAA]: [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 1] },
  four: { code: NO_ERROR, [A]: [192, 0, 2, 4] },
  none: { code: NO_ERROR },
  failed: { code: SERVER_FAILED },
};

const asked: string[] = [];
const server = createSocket("udp4", (question: Buffer, from: RemoteInfo) => {
  const labels: string[] = [];
  let at = 12;
  for (let length = question[at] as number; length > 0; length = question[at] as number) {
    labels.push(question.subarray(at + 1, at + 1 + length).toString());
    at += length + 1;
  }
  const type = question.readUInt16BE(at + 1) as typeof A | typeof AAAA;
  const [first = ""] = labels;
  asked.push(first);
  if (first === "silent") return;
  const { code, [type]: address } = ANSWERS[first] ?? { code: NO_SUCH_NAME };
  const head = Buffer.from([0, 0, 0x81, 0x80 | code, 0, 1, 0, address === undefined ? 0 : 1, 0, 0, 0, 0]);
  question.copy(head, 0, 0, 2);
  const record =
    address === undefined ? [] : [Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, 0, address.length, ...address])];
  server.send(Buffer.concat([head, question.subarray(12, at + 5), ...record]), from.port, from.address);
});
await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
afterAll(() => server.close());
const servers = [`127.0.0.1:${server.address().port}`];
const hostsFile = join(await mkdtemp(join(tmpdir(), "hosts-")), "hosts");
await writeFile(
  hostsFile,
  "# ours\nfd00::7 crm.internal\n10.0.0.7\tcrm.internal Hooks # both\n\nnonsense crm.internal\n",
);

const toSystem: string[] = [];
const askedOfSystem: Resolve = (name) => {
  toSystem.push(name);
  return Promise.resolve([{ address: "10.0.0.9", family: 4 }]);
};
const resolve = createResolve({ servers, hostsFile, system: askedOfSystem });

beforeEach(() => {
  asked.length = 0;
  toSystem.length = 0;
});

it("of the hosts file are asked of nobody", async () => {
  const found = [
    { address: "10.0.0.7", family: 4 },
    { address: "fd00::7", family: 6 },
  ];
  expect(await resolve("crm.internal.")).toEqual(found);
  expect(await resolve("hooks")).toEqual(found.slice(0, 1));
  expect([...asked, ...toSystem]).toEqual([]);
});

it("are known by all of their addresses, IPv4 first", async () => {
  expect(await resolve("both.test")).toEqual([
    { address: "192.0.2.1", family: 4 },
    { address: "2001:db8::1", family: 6 },
  ]);
  expect(await resolve("four.test")).toEqual([{ address: "192.0.2.4", family: 4 }]);
  expect(toSystem).toEqual([]);
});

it("that DNS does not know, the system may", async () => {
  expect(await resolve("unknown.test")).toEqual([{ address: "10.0.0.9", family: 4 }]);
  expect(await resolve("none.test")).toEqual([{ address: "10.0.0.9", family: 4 }]);
  const withoutServer = createResolve({ servers: ["127.0.0.1:1"], hostsFile, system: askedOfSystem });
  expect(await withoutServer("four.test")).toEqual([{ address: "10.0.0.9", family: 4 }]);
  expect(toSystem).toEqual(["unknown.test", "none.test", "four.test"]);
});

it("whose servers fail, or do not answer, hold up neither others nor the system's own look-ups", async () => {
  const silent = Array.from({ length: 20 }, (_, n) => resolve(`silent.${n}.test`).catch(wordFor));
  expect(wordFor(await resolve("failed.test").catch((error: unknown) => error))).toBe("name_not_found");
  const startedAt = performance.now();
  await Promise.all([resolve("four.test"), lookup("localhost")]);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(await Promise.all(silent)).toEqual(Array.from({ length: 20 }, () => "name_not_found"));
  expect(toSystem).toEqual([]);
});

it("are asked of the system one at a time, and not without end", async () => {
  let open = 0;
  let openMax = 0;
  const slow = createResolve({
    servers,
    hostsFile,
    system: async (name) => {
      openMax = Math.max(openMax, ++open);
      await new Promise((done) => setTimeout(done, 5));
      open--;
      if (name.startsWith("bad")) throw Object.assign(new Error("not found"), { code: "ENOTFOUND" });
      return [{ address: "10.0.0.9", family: 4 }];
    },
  });
  const names = Array.from({ length: 40 }, (_, n) => `${n % 2 === 0 ? "bad" : "good"}.${n}.test`);
  const outcomes = await Promise.all(names.map((name) => slow(name).then(() => "found", wordFor)));
  expect(openMax).toBe(1);
  expect(outcomes.filter((outcome) => outcome === "found")).toHaveLength(16);
  expect(new Set(outcomes)).toEqual(new Set(["found", "name_not_found"]));
  expect(await slow("good.again.test")).toHaveLength(1);
});
