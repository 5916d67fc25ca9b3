/**
 * The same SIP tests on a real drachtio-server instead of the embedded edge (`npm run test:drachtio`, which sets the variable). A server gives INVITEs to
 * its apps in turn, so only one world of test/support/sip-world.ts is connected at a time.
 */
import { once } from "node:events";
import { it } from "vitest";
import { loadConfig } from "../../src/config.js";
import type { DrachtioAddress } from "../../src/sip/drachtio-url.js";
import { newSrf } from "../sip/edge/support/srf.js";

const url = process.env["RINGMATCH_TEST_DRACHTIO_URL"] ?? "";

/** Null: tests run on the embedded edge. */
export const drachtioServer: DrachtioAddress | null = loadConfig({ DRACHTIO_URL: url }).drachtioServers[0] ?? null;

/** host:port where it takes calls over UDP (and, for our tests, TCP): it says so to every app that connects. */
export async function sipAddressOf(server: DrachtioAddress): Promise<string> {
  const srf = newSrf();
  srf.on("error", () => undefined);
  srf.connect(server);
  const [error, endpoints] = (await once(srf, "connect")) as [Error | null, string | readonly string[]];
  if (error) throw error;
  srf.disconnect();
  const udp = String(endpoints)
    .split(",")
    .find((endpoint) => endpoint.startsWith("udp/"));
  if (udp === undefined) throw new Error(`this drachtio-server has no UDP address: ${String(endpoints)}`);
  return udp.slice("udp/".length);
}

/**
 * A test that holds on the embedded edge only. On a drachtio-server it is skipped, and its name, which `npm run test:drachtio` prints, says why.
 * @param reason what drachtio-server does instead
 */
export function itOnEdge(name: string, reason: string, test: () => Promise<void>): void {
  if (drachtioServer === null) it(name, test);
  else it.skip(`${name} [edge-only: ${reason}]`, test);
}
