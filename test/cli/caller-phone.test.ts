import { expect, it } from "vitest";
import { udpAddressOf } from "../../src/cli/caller-phone.js";
import { loadConfig } from "../../src/config.js";

it.each([
  ["udp/[::1]:5080,tcp/127.0.0.1:5080", "[::1]:5080"],
  ["tcp/127.0.0.1:5080,udp/127.0.0.1:5081", "127.0.0.1:5081"],
])("of %s a caller takes %s", (listen, address) => {
  expect(udpAddressOf(loadConfig({ SIP_LISTEN: listen }))).toBe(address);
});

it.each(["tcp/127.0.0.1:5080", "udp/127.0.0.1:0"])("%s is no address to call", (listen) => {
  expect(() => udpAddressOf(loadConfig({ SIP_LISTEN: listen }))).toThrow("give --sip");
});
