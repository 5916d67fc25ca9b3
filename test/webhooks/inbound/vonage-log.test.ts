/** A webhook by GET has the caller's number in its URL: the service's log must not have it, whatever becomes of the request. */
import { Registry } from "prom-client";
import { afterAll, expect, it } from "vitest";
import { putCredential } from "../../../src/account/carrier-credentials.store.js";
import { vonageGetVoice } from "../../../src/dev/carrier-voices/vonage-voice.js";
import { systemRandom } from "../../../src/kernel/random.js";
import { CARRIER_ADAPTERS } from "../../../src/webhooks/inbound/carrier-adapters.js";
import { carrierWebhooks } from "../../../src/webhooks/inbound/inbound-route.js";
import { makeHttpWorld } from "../../http/support/http-world.js";
import { type LogLine, logTo } from "../../support/recording-log.js";
import { freshDatabase, rows } from "../../support/database.js";
import { startRouting } from "../../support/routing.js";
import { ids, makeWorld, secrets } from "../../support/world.js";
import { CALLER } from "../support/caller.js";
import { PUBLIC_URL } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const routing = await startRouting(db);
afterAll(() => routing.stop());
const keys = vonageGetVoice.makeKeys(systemRandom);
await putCredential(
  { db, ids, secrets },
  { carrier: "vonage", accountId: null, secrets: keys.credential, intercept: "reject" },
);

/** One service with both logs in one list. */
const lines: LogLine[] = [];
const log = logTo((line) => lines.push(line));
const { app } = makeHttpWorld(db, {
  log,
  plugins: [
    carrierWebhooks(
      {
        ...{ ...routing.deps, log, publicBaseUrl: PUBLIC_URL, fallbackBaseUrl: () => PUBLIC_URL },
        ...{ metrics: new Registry(), sendCommands: () => Promise.resolve() },
      },
      CARRIER_ADAPTERS,
    ),
  ],
});

const logged = () => JSON.stringify(lines, (_key, value: unknown) => (value instanceof Error ? String(value) : value));

it("holds paths alone: answered, refused, unreadable, at an unknown path, and with the database away", async () => {
  const [to = ""] = (await makeWorld(db, 1)).numbers;
  const call = { id: "CON-1", to, from: CALLER, isVerified: false, callerName: null };
  const asked = vonageGetVoice.voice(call, PUBLIC_URL);
  const target = asked.url.slice(PUBLIC_URL.length);
  const get = (url: string, headers: Readonly<Record<string, string>> = {}) =>
    app.inject({ method: "GET", url, headers });
  const { headers } = keys.sign(asked, { nowMs: Date.now(), random: systemRandom });

  expect((await get(target, headers)).statusCode).toBe(200);
  expect((await get(target)).statusCode).toBe(403);
  expect((await get(`${target}&x=%ff`, headers)).statusCode).toBe(400);
  expect((await get(target.replace("voice", "vioce"), headers)).statusCode).toBe(404);
  expect((await app.inject({ method: "PUT", url: target, headers })).statusCode).toBe(405);
  await rows(db, "alter table carrier_credential rename to carrier_credential_away");
  expect((await get(target.replace(to.slice(1), "18887770099"), headers)).statusCode).toBeGreaterThanOrEqual(403);
  await rows(db, "alter table carrier_credential_away rename to carrier_credential");

  const requests = lines.filter(({ event }) => event === "http.request").map(({ fields }) => fields["path"]);
  expect(requests).toHaveLength(6);
  expect(requests[0]).toBe("/webhooks/vonage/voice");
  expect(logged()).not.toContain(CALLER.slice(1));
  expect(logged()).not.toContain("from=");
});
