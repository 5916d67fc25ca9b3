/**
 * The containers of drachtio-srf's tests as loopback ports. Its code and scenarios name containers and their addresses; a localizer puts the port in
 * their place while a file is loaded.
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export const SUITE = join(dirname(createRequire(import.meta.url).resolve("drachtio-srf/package.json")), "test");

/**
 * Name or address → port, and for a business the scenario it runs. Only what the text names gets one.
 * @param edges ports of the two drachtio-servers
 */
export async function namedPlaces(text, edges) {
  const places = new Map();
  const named = (name) => name !== undefined && new RegExp(`(?<![\\w.-])${name.replaceAll(".", "\\.")}(?![\\w.-])`).test(text);
  const compose = readFileSync(join(SUITE, "docker-compose-testbed.yaml"), "utf8");
  for (const [, name, rest] of compose.matchAll(/^  ([\w-]+):\n((?:    .*\n|\s*\n)+)/gm)) {
    const scenario = /-sf \/tmp\/([\w.-]+)/.exec(rest)?.[1];
    const address = /ipv4_address: ([\d.]+)/.exec(rest)?.[1];
    if (scenario === undefined || (!named(name) && !named(address))) continue;
    const place = { port: await freePort(), scenario };
    places.set(name, place);
    if (address !== undefined) places.set(address, { port: place.port });
  }
  // Those that a test starts by itself.
  for (const [, name] of text.matchAll(/sippUas\('[\w.-]+', '([\w-]+)'\)/g))
    if (!places.has(name)) places.set(name, { port: await freePort() });
  places.set("drachtio-sut", { port: edges.sut }).set("172.29.0.10", { port: edges.sut });
  places.set("drachtio-uas", { port: edges.uas }).set("172.29.0.19", { port: edges.uas });
  return places;
}

/** Text → text with ports for names; the name alone stays where it only names a container. */
export function localizer(places) {
  const names = [...places.keys()].toSorted((a, b) => b.length - a.length).map((name) => name.replaceAll(".", "\\."));
  const inUri = new RegExp(`(sips?:(?:[^@\\s'"<>]*@)?)(${names.join("|")})(?![\\w.-])`, "g");
  const bare = new RegExp(`((?:proxy\\w+\\(|createB2BUA\\(req, res, |expectFailure\\()')(${names.join("|")})'`, "g");
  const at = (name) => `127.0.0.1:${places.get(name).port}`;
  return (text) =>
    text
      .replace(inUri, (_all, before, name) => `${before}${at(name)}`)
      .replace(bare, (_all, before, name) => `${before}sip:${at(name)}'`);
}

export async function freePort() {
  const socket = createSocket("udp4");
  await new Promise((bound) => socket.bind(0, "127.0.0.1", bound));
  const { port } = socket.address();
  await new Promise((closed) => socket.close(closed));
  return port;
}
