/** What carriers are told while nobody can decide: over HTTP, from memory, in each carrier's language. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { CARRIERS } from "../../../src/account/carrier-credentials.store.js";
import { updateDestination } from "../../../src/account/destinations.store.js";
import { openDatabase } from "../../../src/db/database.js";
import { hearTwiml } from "../../../src/dev/carrier-voices/twiml-family-voice.js";
import { createAddressLimit, FALLBACKS_PER_MINUTE_MAX } from "../../../src/http/address-limit.js";
import { systemClock } from "../../../src/kernel/clock.js";
import { silentLog } from "../../../src/kernel/log.js";
import { quarantineNumber } from "../../../src/pool/number-moves.js";
import { CARRIER_ADAPTERS } from "../../../src/webhooks/inbound/carrier-adapters.js";
import { documentAdapter } from "../../../src/webhooks/inbound/fallback-document.js";
import { numberFallback } from "../../../src/webhooks/inbound/fallback-route.js";
import { makeHttpWorld, problemIn } from "../../http/support/http-world.js";
import { freshDatabase, rows } from "../../support/database.js";
import { startRouting } from "../../support/routing.js";
import { startLink } from "../../support/severable-link.js";
import { until } from "../../support/until.js";
import { addInventory, makeWorld, tollFreeNumbers, type World } from "../../support/world.js";
import { putTwilio } from "../support/webhook-service.js";

const BUSINESS = "+18005550100";
const TALKING = CARRIERS.filter((carrier) => documentAdapter(CARRIER_ADAPTERS, carrier) !== null);

const { db, url } = await freshDatabase();
const link = await startLink(url);
const linked = openDatabase({ url: link.url, log: silentLog });
const routing = await startRouting(linked);
let isWithinLimit: (address: string) => boolean = () => true;
const deps = { table: routing.table, log: silentLog, isWithinLimit: (address: string) => isWithinLimit(address) };
const { request } = makeHttpWorld(db, { plugins: [numberFallback(deps, CARRIER_ADAPTERS)] });
afterEach(() => {
  link.mend();
  isWithinLimit = () => true;
});
afterAll(async () => {
  link.mend();
  await routing.stop();
  await linked.close();
  await link.close();
});

/** As a carrier asks: without a key. */
const ask = (number: string, query = "", method: "GET" | "POST" = "GET") =>
  request(method, `/v1/numbers/${encodeURIComponent(number)}/fallback${query}`, {
    key: null,
    ...(method === "GET"
      ? {}
      : { body: "CallSid=CA1&From=%2B1", headers: { "content-type": "application/x-www-form-urlencoded" } }),
  });

async function routed(): Promise<{ world: World; number: string }> {
  const world = await makeWorld(db, 1);
  const number = world.numbers[0] as string;
  await until("the routing table knows the number", () => routing.table.find(number)?.destination);
  return { world, number };
}

describe("the fallback of a number that rings a business", () => {
  it("rings it, by GET and POST, whatever the carrier appends", async () => {
    const { number } = await routed();
    const sent = "?carrier=twilio&CallSid=CA1&From=%2B14156739823&ErrorCode=11205&carriers=x";
    for (const answer of [await ask(number), await ask(number, sent), await ask(number, sent, "POST")]) {
      expect(answer.statusCode).toBe(200);
      expect(answer.headers["content-type"]).toBe("text/xml; charset=utf-8");
      expect(answer.headers["cache-control"]).toBe("no-store");
      expect(hearTwiml(answer.body)).toEqual({
        kind: "dial",
        target: BUSINESS,
        ringTimeoutS: 30,
        dialUrl: null,
        statusUrl: null,
        whisperUrl: null,
        isRecorded: false,
        announcement: null,
      });
    }
  });

  it("follows the destination, and says nothing of whispers and recordings", async () => {
    const { world, number } = await routed();
    const changes = { ringTimeoutS: 11, whisper: "Spring", recordAnnouncement: "Recorded." };
    await updateDestination(db, world.destination, changes);
    await until("the table knows it", () => routing.table.find(number)?.destination?.ringTimeoutS === 11);
    expect(hearTwiml((await ask(number)).body)).toMatchObject({
      ringTimeoutS: 11,
      announcement: null,
      isRecorded: false,
    });
    await rows(db, "update destination set number = '+18005550177' where id = $1", [world.destination.id]);
    await until("the table knows it", () => routing.table.find(number)?.destination?.number === "+18005550177");
    expect(hearTwiml((await ask(number)).body)).toMatchObject({ target: "+18005550177" });
  });

  it.each(TALKING)("is in the language of %s when it asks", async (carrier) => {
    const { number } = await routed();
    const answer = await ask(number, `?carrier=${carrier}`);
    const rendered = documentAdapter(CARRIER_ADAPTERS, carrier)?.renderFallback({
      number: BUSINESS as never,
      ringTimeoutS: 30,
    });
    expect([answer.statusCode, answer.body]).toEqual([200, rendered?.text]);
    expect(answer.body).toContain(BUSINESS.slice(1));
  });

  it("is in the language of the number's credential when nobody says, and in Twilio's when that is not known", async () => {
    const { number } = await routed();
    const credentialId = await putTwilio(db);
    for (const carrier of TALKING) {
      await rows(db, "update carrier_credential set carrier = $2 where id = $1", [credentialId, carrier]);
      await rows(db, "update promo_number set credential_id = null where e164 = $1", [number]);
      await rows(db, "update promo_number set credential_id = $2 where e164 = $1", [number, credentialId]);
      await until(`the table says ${carrier}`, () => routing.table.find(number)?.carrier === carrier);
      expect((await ask(number)).body).toBe((await ask(number, `?carrier=${carrier}`)).body);
    }
    await rows(db, "update promo_number set credential_id = null, carrier = 'elsewhere' where e164 = $1", [number]);
    await until("the table says elsewhere", () => routing.table.find(number)?.carrier === "elsewhere");
    expect((await ask(number)).body).toBe((await ask(number, "?carrier=twilio")).body);
  });

  it.each(CARRIERS.filter((carrier) => !TALKING.includes(carrier)))(
    "is refused in a sentence for %s",
    async (carrier) => {
      const problem = problemIn(await ask((await routed()).number, `?carrier=${carrier}`));
      expect(problem).toMatchObject({ status: 422, code: "invalid_value", errors: [{ path: "carrier" }] });
      expect(problem.detail).toContain(carrier);
    },
  );
});

describe.each(["cut", "silence"] as const)("with PostgreSQL away (%s)", (how) => {
  it("still rings the business, at once", async () => {
    const { number } = await routed();
    link[how]();
    const startedAt = performance.now();
    expect(hearTwiml((await ask(number)).body)).toMatchObject({ target: BUSINESS });
    expect(performance.now() - startedAt).toBeLessThan(100);
  });

  it("does not say that a number is none of ours when it cannot know", async () => {
    link[how]();
    expect(problemIn(await ask("+18887770088"))).toMatchObject({ status: 503, code: "database_unavailable" });
  });
});

describe("the fallback of a number that rings no business", () => {
  const NOT_IN_SERVICE = { kind: "announce", text: expect.stringContaining("not in service") as string };

  it("is announced as not in service: quarantined or available", async () => {
    const { world, number } = await routed();
    const why = { reason: "test", actor: "test" };
    await quarantineNumber({ db, schedule: world.schedule }, { e164: number, accountId: null, ...why });
    await until("the table knows it", () => routing.table.find(number)?.isRouted === false);
    const [free] = tollFreeNumbers(1);
    await addInventory(db, free === undefined ? [] : [free]);
    for (const one of [number, free ?? ""]) {
      const answer = await ask(one);
      expect(answer.statusCode).toBe(200);
      expect(hearTwiml(answer.body)).toEqual(NOT_IN_SERVICE);
      expect(answer.body).not.toContain(BUSINESS);
    }
  });

  it("is 404 when the number is none of ours, 422 when it is no number, or the carrier none", async () => {
    expect(problemIn(await ask("+18887770088"))).toMatchObject({ status: 404, code: "not_found" });
    expect(problemIn(await ask("911"))).toMatchObject({ status: 422, errors: [{ path: "number" }] });
    const { number } = await routed();
    for (const query of ["?carrier=acme", "?carrier=", "?carrier=twilio&carrier=twilio"]) {
      expect([query, problemIn(await ask(number, query))]).toMatchObject([
        query,
        { status: 422, errors: [{ path: "carrier" }] },
      ]);
    }
  });
});

describe("the route", () => {
  it("limits an address, far above what a carrier asks", async () => {
    const { number } = await routed();
    isWithinLimit = createAddressLimit({ ...systemClock, monotonicMs: () => 0 }, FALLBACKS_PER_MINUTE_MAX);
    for (let i = 1; i < FALLBACKS_PER_MINUTE_MAX; i++) isWithinLimit("127.0.0.1");
    expect((await ask(number)).statusCode).toBe(200);
    const refused = await ask(number);
    expect(problemIn(refused)).toMatchObject({ status: 503, code: "overloaded" });
    expect(refused.headers["retry-after"]).toBe("1");
  });

  it("is documented: public, with its documents and problems", async () => {
    const document = (await request("GET", "/openapi.json", { key: null })).json();
    const { errors } = await new Validator().validate(document);
    expect(errors ?? []).toEqual([]);
    const operations: Record<string, { parameters: { name: string }[]; security?: unknown }> =
      document.paths["/v1/numbers/{number}/fallback"];
    expect(Object.keys(operations).sort()).toEqual(["get", "post"]);
    for (const operation of Object.values(operations)) {
      expect(operation).toMatchObject({
        summary: expect.any(String),
        description: expect.stringContaining("Public"),
        responses: { 200: { content: { "text/xml": {}, "application/json": {} } }, "4XX": {} },
      });
      expect(operation.security).toBeUndefined();
      expect(operation.parameters.map(({ name }) => name).sort()).toEqual(["carrier", "number"]);
    }
  });

  it("takes no other method", async () => {
    const { number } = await routed();
    const refused = await request("DELETE", `/v1/numbers/${number}/fallback`, { key: null });
    expect(problemIn(refused).code).toBe("method_not_allowed");
  });
});
