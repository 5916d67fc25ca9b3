/** What /openapi.json says of the carriers' webhooks is what they answer. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { Registry } from "prom-client";
import { afterAll, expect, it } from "vitest";
import { CARRIERS } from "../../../src/account/carrier-credentials.store.js";
import { WEBHOOK_KINDS } from "../../../src/webhooks/inbound/carrier-adapter.js";
import { CARRIER_ADAPTERS } from "../../../src/webhooks/inbound/carrier-adapters.js";
import { carrierWebhooks } from "../../../src/webhooks/inbound/inbound-route.js";
import { makeHttpWorld, problemIn } from "../../http/support/http-world.js";
import { freshDatabase } from "../../support/database.js";
import { startRouting } from "../../support/routing.js";
import { PUBLIC_URL } from "../support/webhook-service.js";

const { db } = await freshDatabase();
const routing = await startRouting(db);
afterAll(() => routing.stop());
const deps = {
  ...{ ...routing.deps, publicBaseUrl: PUBLIC_URL, fallbackBaseUrl: () => PUBLIC_URL },
  ...{ metrics: new Registry(), sendCommands: () => Promise.resolve() },
};
const { request } = makeHttpWorld(db, { plugins: [carrierWebhooks(deps, CARRIER_ADAPTERS)] });

it("each webhook says what it is for, and that what nobody signed is refused with a problem", async () => {
  const document = (await request("GET", "/openapi.json", { key: null })).json();
  expect((await new Validator().validate(document)).errors ?? []).toEqual([]);
  for (const carrier of CARRIERS)
    for (const kind of WEBHOOK_KINDS) {
      const path = `/webhooks/${carrier}/${kind}`;
      expect(document.paths[path].post).toMatchObject({
        summary: expect.any(String),
        description: expect.stringContaining("403"),
        responses: { 200: {}, "4XX": { content: { "application/problem+json": {} } } },
      });
      expect(document.paths[path].post.security).toBeUndefined();
    }
  const unsigned = await request("POST", "/webhooks/twilio/voice", {
    key: null,
    body: "To=%2B18885550100&CallSid=CA1",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  expect(problemIn(unsigned).status).toBe(403);
});
