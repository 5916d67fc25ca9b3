import { expect, it } from "vitest";
import { PRIOR_MODEL } from "../../src/attribution/judging/delay-model.js";
import { freshDatabase } from "../support/database.js";
import { endCalls, openTo, presentTo } from "../support/judged.js";
import { ids, makeWorld } from "../support/world.js";
import { makeHttpWorld, problemIn } from "./support/http-world.js";

const { db } = await freshDatabase();
const { request, keyOf } = makeHttpWorld(db);

it("a record says where its visitor came from and who called before, once it is over; the log shows page and consent", async () => {
  const world = await makeWorld(db, 1);
  const visitorId = ids.next("vis");
  const consent = { ads: false };
  const context = { url: "https://shop.test/a", referrer: "https://www.bing.com/", consent };
  const number = await presentTo(db, world, visitorId, { touch: { msclkid: "m1" }, context });
  const ref = await openTo(db, number);
  const get = async (path: string) => (await request("GET", path)).json();
  const ringing = await get(`/v1/calls/${ref.callId}`);
  expect(ringing).toMatchObject({ repeat: null, attribution: { channel: null, first_touch: null, consent: null } });
  await endCalls(db, [ref]);
  const record = await get(`/v1/calls/${ref.callId}`);
  expect(record.repeat).toEqual({ is_repeat: false, previous_call_id: null, calls_before: 0 });
  expect(record.attribution).toMatchObject({
    ...{
      touch: { msclkid: "m1" },
      first_touch: { msclkid: "m1" },
      landing_page: context.url,
      referrer: context.referrer,
    },
    ...{ source: "bing", medium: "cpc", campaign: null, channel: "paid_search", consent },
  });
  const [again] = await endCalls(db, [await openTo(db, number)]);
  expect((await get(`/v1/calls/${again?.id}`)).repeat).toEqual({
    ...{ is_repeat: true, previous_call_id: ref.callId, calls_before: 1 },
  });
  expect((await get(`/v1/calls/${ref.callId}/explanation`)).model).toEqual({
    ...{ kind: "prior", id: null, calls: 0, call_share: PRIOR_MODEL.callShare },
    background_rate_per_s: PRIOR_MODEL.backgroundPerS,
  });
  const { data } = await get(`/v1/presentations?visitor_id=${visitorId}`);
  expect(data[0]).toMatchObject(context);
});

it("an account chooses how its calls are judged", async () => {
  const { account } = await makeWorld(db, 1);
  const key = await keyOf(account.id, ["read", "write"]);
  const patch = (body: object) => request("PATCH", `/v1/accounts/${account.id}`, { key, body });
  const settings = { repeat_caller_days: 0, custom_data_models: { plan: "unique" } };
  expect((await patch({})).json()).toMatchObject({ repeat_caller_days: 30, custom_data_models: {} });
  expect((await patch(settings)).json()).toMatchObject(settings);
  expect((await patch({ name: "Renamed" })).json()).toMatchObject(settings);
  expect((await patch({ custom_data_models: {} })).json().custom_data_models).toEqual({});
  for (const body of [
    { repeat_caller_days: -1 },
    { repeat_caller_days: 1.5 },
    { custom_data_models: { plan: "best" } },
  ])
    expect(problemIn(await patch(body)).code).toBe("invalid_value");
});
