import { expect, it } from "vitest";
import type { Trunk } from "../../src/account/trunks.store.js";
import { TrunkGuard } from "../../src/sip/trunk-guard.js";

const trunk = (name: string, ...sourceCidrs: string[]): Trunk => ({
  name,
  sourceCidrs,
  transport: "udp",
  defaultCountry: "US",
  maxCps: null,
  maxCalls: null,
  outboundUri: null,
  mode: "b2bua",
  trustIdentity: true,
});

const guard = new TrunkGuard();
guard.setTrunks([
  trunk("wide", "10.0.0.0/8", "2001:db8::/32"),
  trunk("narrow", "10.1.2.3"),
  trunk("mapped", "::ffff:172.16.0.0/108"),
  trunk("broken", "not-a-network", "172/8"),
]);

it.each([
  ["10.9.9.9", "wide"],
  ["10.1.2.3", "narrow"],
  ["2001:db8::1", "wide"],
  ["::ffff:10.9.9.9", "wide"],
  ["172.16.9.9", "mapped"],
  ["172.32.0.1", null],
  ["192.0.2.1", null],
  ["::1", null],
  ["garbage", null],
])("a packet from %s belongs to %s", (address, name) => {
  expect(guard.find(address)?.name ?? null).toBe(name);
});

it("tells the edge every network", () => {
  expect([...guard.cidrs].sort()).toEqual(["10.0.0.0/8", "10.1.2.3/32", "172.16.0.0/12", "2001:db8::/32"]);
});
