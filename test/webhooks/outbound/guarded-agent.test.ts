/** Names that lead where they must not, and names that change their mind. */
import type { LookupAddress } from "node:dns";
import { afterEach, describe, expect, it } from "vitest";
import { createTargetGuard } from "../../../src/account/outgoing/target-guard.js";
import { systemClock } from "../../../src/kernel/clock.js";
import { createGuardedAgent, type GuardedAgent } from "../../../src/webhooks/outbound/guarded-agent.js";
import { sendBody } from "../../../src/webhooks/outbound/send.js";
import { startReceiver } from "../../support/webhook-receiver.js";

const receiver = await startReceiver();
const port = new URL(receiver.url).port;
const made: GuardedAgent[] = [];
afterEach(async () => {
  for (const agent of made.splice(0)) await agent.close();
});

/** A name server that gives one answer after the other, and the last one for ever. */
function sender(answers: readonly (readonly string[])[], allowCidrs = ["127.0.0.1/32"]) {
  const asked: string[] = [];
  const resolve = async (name: string): Promise<LookupAddress[]> => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(name);
    return answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  const agent = createGuardedAgent({ guard: createTargetGuard(allowCidrs), connectTimeoutMs: 500, resolve });
  made.push(agent);
  const send = (url: string) =>
    sendBody({ agent, clock: systemClock, timeoutMs: 1_000 }, { url, headers: {}, body: "{}" });
  return { asked, send };
}

describe("a name", () => {
  it("that leads to a listed address is sent to, resolved once for as long as the connection is kept", async () => {
    // The second answer is what an attacker gives after the check.
    const { asked, send } = sender([["127.0.0.1"], ["169.254.169.254"]]);
    for (let n = 0; n < 2; n++) {
      expect(await send(`http://hooks.test:${port}/`)).toMatchObject({ kind: "answered", status: 200 });
      // The connection is free again in the next turn of the event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(asked).toEqual(["hooks.test"]);
  });

  it.each([
    [["10.0.0.1"]],
    [["169.254.169.254"]],
    [["::ffff:127.0.0.2"]],
    [["fe80::1"]],
    [["fd00::1"]],
    [["64:ff9b::7f00:2"]],
    [["127.0.0.1", "10.0.0.1"]],
    [[]],
  ])("that resolves to %j is refused", async (addresses) => {
    const { send } = sender([addresses]);
    expect(await send("https://hooks.test/")).toMatchObject({ kind: "unanswered", error: "forbidden_address" });
  });

  it("that changes its mind is judged anew by the next connection", async () => {
    const { asked, send } = sender([["127.0.0.1"], ["127.0.0.2"]]);
    receiver.reply = (response) => void response.writeHead(200, { connection: "close" }).end();
    expect(await send(`http://hooks.test:${port}/`)).toMatchObject({ status: 200 });
    expect(await send(`http://hooks.test:${port}/`)).toMatchObject({ error: "forbidden_address" });
    expect(asked).toHaveLength(2);
  });

  it("over http, or to another port, must lead to a listed address; a public one is not enough", async () => {
    const { send } = sender([["93.184.215.14"]]);
    expect(await send("http://hooks.test/")).toMatchObject({ error: "forbidden_address" });
    expect(await send("https://hooks.test:22/")).toMatchObject({ error: "forbidden_address" });
  });
});

it("a literal address is refused without a look-up, in whatever notation", async () => {
  const { asked, send } = sender([["127.0.0.1"]]);
  for (const host of ["10.0.0.1", "167772161", "0xa.1", "[::ffff:10.0.0.1]", "[fe80::1]"])
    expect(await send(`https://${host}/`)).toMatchObject({ kind: "unanswered", error: "forbidden_address" });
  expect(asked).toEqual([]);
});
