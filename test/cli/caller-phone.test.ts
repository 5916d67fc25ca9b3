import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it } from "vitest";
import { refuseDeadTarget, udpAddressOf } from "../../src/cli/caller-phone.js";
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

it("a port that no program has is refused at once, with what to do; one that listens is not", async () => {
  const listener = createSocket("udp4").bind(0, "127.0.0.1");
  await once(listener, "listening");
  const target = `127.0.0.1:${listener.address().port}`;
  await expect(refuseDeadTarget(target)).resolves.toBeUndefined();
  listener.close();
  await once(listener, "close");
  await expect(refuseDeadTarget(target)).rejects.toThrow(`No service answers at ${target}; run \`npm start\` first`);
});

it.each(["no host", "name.invalid:5060"])("%s is left to the call to complain of", async (target) => {
  await expect(refuseDeadTarget(target)).resolves.toBeUndefined();
});
