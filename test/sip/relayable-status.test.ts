import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { relayableStatus } from "../../src/sip/relayable-status.js";

const require = createRequire(import.meta.url);
/** The very list that drachtio-srf asks before it sends an answer. */
const named = createRequire(require.resolve("drachtio-srf"))("sip-status") as Readonly<Record<number, string>>;
/** Of one hop, or of one phone of a fork: never said to the other leg. */
const NOT_RELAYED = ["100", "199"];

it("every status is said as one that drachtio-srf has a name for, of the same class", () => {
  for (let status = 101; status < 700; status++) {
    const said = relayableStatus(status);
    expect(named, String(status)).toHaveProperty(String(said));
    expect(Math.floor(said / 100)).toBe(Math.floor(status / 100));
  }
});

it("those that it has a name for stay as they are", () => {
  const statuses = Object.keys(named).filter((status) => !NOT_RELAYED.includes(status));
  expect(statuses.map((status) => relayableStatus(Number(status)))).toEqual(statuses.map(Number));
});
