/** RFC 3263 without NAPTR: addresses, names with and without a port, and the order of answers. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/kernel/clock.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { chooseSrv, createLocate, type Located, type NameService } from "../../../src/sip/edge/next-hop.js";
import { parseSipUri } from "../../../src/sip/edge/sip-uri.js";

interface Names extends NameService {
  readonly asked: string[];
}

function names(
  srv: Record<string, { name: string; port: number; priority: number; weight: number }[]>,
  addresses: Record<string, string>,
): Names {
  const asked: string[] = [];
  return {
    asked,
    srv: async (name) => {
      asked.push(`SRV ${name}`);
      return srv[name] ?? Promise.reject(new Error("ENODATA"));
    },
    address: async (name) => {
      asked.push(`A ${name}`);
      return addresses[name] ?? Promise.reject(new Error(`no address of ${name}`));
    },
  };
}

function locate(service: NameService): (uri: string) => Promise<Located> {
  const find = createLocate(service, systemClock, systemRandom);
  return (text) => {
    const uri = parseSipUri(text);
    if (uri === null) throw new Error("no URI");
    return new Promise((resolve) => find(uri, resolve));
  };
}

describe("the next hop", () => {
  const service = names(
    {
      "_sip._udp.example.com": [
        { name: "b.example.com", port: 5080, priority: 20, weight: 0 },
        { name: "a.example.com", port: 5070, priority: 10, weight: 0 },
      ],
    },
    {
      "a.example.com": "192.0.2.1",
      "b.example.com": "192.0.2.2",
      "example.com": "192.0.2.3",
      "plain.example.com": "192.0.2.4",
    },
  );
  it.each([
    ["sip:x@192.0.2.9", { transport: "udp", address: "192.0.2.9", port: 5060 }],
    ["sip:x@192.0.2.9:5099;transport=tcp", { transport: "tcp", address: "192.0.2.9", port: 5099 }],
    ["sips:x@192.0.2.9", { transport: "tls", address: "192.0.2.9", port: 5061, name: "192.0.2.9" }],
    [
      "sip:x@plain.example.com;transport=tls",
      { transport: "tls", address: "192.0.2.4", port: 5061, name: "plain.example.com" },
    ],
    ["sip:x@[2001:db8::1]", { transport: "udp", address: "2001:db8::1", port: 5060 }],
    ["sip:x@example.com", { transport: "udp", address: "192.0.2.1", port: 5070 }],
    ["sip:x@example.com:5062", { transport: "udp", address: "192.0.2.3", port: 5062 }],
    ["sip:x@plain.example.com;transport=TCP", { transport: "tcp", address: "192.0.2.4", port: 5060 }],
  ])("of %s", async (uri, hop) => {
    expect(await locate(service)(uri)).toEqual({ kind: "found", hop });
  });

  it.each([
    ["sips:x@192.0.2.9;transport=udp", "requested protocol/transport not available"],
    ["sip:x@192.0.2.9;transport=ws", "requested protocol/transport not available"],
    ["sip:x@nowhere.example.com", "no address of nowhere.example.com"],
  ])("of %s there is none", async (uri, reason) => {
    expect(await locate(service)(uri)).toEqual({ kind: "failed", reason });
  });

  it("of one name is asked for once, and told in the order of the questions", async () => {
    const asked = names({}, { "example.com": "192.0.2.3" });
    const find = createLocate(asked, systemClock, systemRandom);
    const uri = parseSipUri("sip:x@example.com:5060");
    if (uri === null) throw new Error("no URI");
    const order: number[] = [];
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 5; i++) find(uri, () => order.push(i) === 5 && resolve());
    });
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(asked.asked).toEqual(["A example.com"]);
    let isAtOnce = false;
    find(uri, () => {
      isAtOnce = true;
    });
    expect(isAtOnce).toBe(true);
  });

  it("by SRV goes by priority, then by weight", () => {
    const record = (name: string, priority: number, weight: number) => ({ name, port: 5060, priority, weight });
    const records = [record("heavy", 1, 90), record("light", 1, 10), record("later", 2, 1_000)];
    const counts = new Map<string, number>();
    for (let i = 0; i < 2_000; i++) {
      const name = chooseSrv(records, systemRandom)?.name ?? "";
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(counts.get("later")).toBeUndefined();
    expect((counts.get("heavy") ?? 0) / 2_000).toBeGreaterThan(0.8);
    expect(counts.get("light") ?? 0).toBeGreaterThan(50);
    expect(chooseSrv([], systemRandom)).toBeNull();
  });
});
