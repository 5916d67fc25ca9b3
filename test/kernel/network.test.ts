import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { isWithin, parseNetwork } from "../../src/kernel/network.js";

describe("a network", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["0.0.0.0/0", "192.0.2.1", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "10.0.0.1", false],
    ["::/0", "10.0.0.1", false],
    ["::ffff:10.0.0.0/104", "10.255.0.1", true],
    ["::ffff:a00:0/104", "11.0.0.1", false],
    ["::ffff:0:0/96", "192.0.2.1", true],
  ])("%s, and %s in it: %s", (cidr, address, isIn) => {
    const network = parseNetwork(cidr);
    expect(network !== null && isWithin(ipaddr.parse(address), network)).toBe(isIn);
  });

  it.each([
    "10.0.0.0",
    "10/8",
    "10.0.0/8",
    "010.0.0.0/8",
    "0x0a.0.0.0/8",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "10.0.0.0/ 8",
    " 10.0.0.0/8",
    "10.0.0.0/",
    "/8",
    "2001:db8::/129",
    "fe80::1%eth0/64",
    "example.com/8",
    "",
  ])("%j is none", (text) => expect(parseNetwork(text)).toBeNull());
});
