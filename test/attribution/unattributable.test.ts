import { expect, it } from "vitest";
import { freshDatabase, rows } from "../support/database.js";
import { callTo, presentTo } from "../support/judged.js";
import { ids, makeWorld, type World } from "../support/world.js";

const { db } = await freshDatabase();
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A pool of one number, held for ten days, presented some hours ago to one visitor after the other. */
async function heldWorld(hoursAgo: readonly number[]) {
  const world = await makeWorld(db, 1);
  await rows(db, "update number_event set at = at - interval '10 days' where account_id = $1", [world.account.id]);
  const visitors = hoursAgo.map(() => ids.next("vis"));
  const now = Date.now();
  for (const [i, hours] of hoursAgo.entries()) {
    await presentTo(db, world, visitors[i] as string, { at: now - hours * HOUR });
  }
  return { world, visitors, now };
}

const lateCall = async (world: World, at: number) =>
  (await callTo(db, world.numbers[0] as string, { late: at })).attribution;
const keptFrom = (world: World, at: number) =>
  rows(db, "update account set presentations_kept_from = $2 where id = $1", [
    world.account.id,
    new Date(at).toISOString(),
  ]);
const erase = (visitorId: string | undefined) =>
  rows(db, "delete from presentation where visitor_id = $1", [visitorId]);

it("a late call whose presentations may have been removed from the log is unattributable, not never_presented", async () => {
  const { world, now } = await heldWorld([]);
  expect(await lateCall(world, now - HOUR)).toMatchObject({ outcome: "never_presented" });
  await keptFrom(world, now - 2 * DAY);
  const attribution = await lateCall(world, now - HOUR);
  expect(attribution).toMatchObject({ outcome: "unattributable", visitorId: null, confidence: null, channel: null });
});

it("removing presentations older than any match could have found takes nothing away", async () => {
  const { world, visitors, now } = await heldWorld([5]);
  await keptFrom(world, now - 4 * DAY);
  expect(await lateCall(world, now - 6 * HOUR)).toMatchObject({ outcome: "never_presented" });
  expect(await lateCall(world, now - 4 * HOUR)).toMatchObject({ outcome: "matched", visitorId: visitors[0] });
  // What is found in a log that was cut before it is found all the same.
  await keptFrom(world, now - DAY);
  expect(await lateCall(world, now - 4 * HOUR)).toMatchObject({ outcome: "matched", visitorId: visitors[0] });
});

it("a number that came into the pool after the log was cut has all of its log", async () => {
  const world = await makeWorld(db, 1);
  await keptFrom(world, Date.now() - DAY);
  expect(await lateCall(world, Date.now())).toMatchObject({ outcome: "never_presented" });
});

it.each([
  ["followed by somebody else's presentation", [5, 3, 1]],
  ["the number's latest", [5, 3]],
])("an erased presentation, %s, does not make the visitor before it the caller", async (_, hoursAgo) => {
  const { world, visitors, now } = await heldWorld(hoursAgo);
  await erase(visitors[1]);
  expect(await lateCall(world, now - 2 * HOUR)).toMatchObject({ outcome: "unattributable", visitorId: null });
});

it("an erasure before the latest presentation changes nothing, nor does what a later owner was presented", async () => {
  const { world, visitors, now } = await heldWorld([5, 3, 1]);
  await erase(visitors[0]);
  const third = { outcome: "matched", visitorId: visitors[2] };
  expect(await lateCall(world, now)).toMatchObject(third);
  await rows(
    db,
    `update promo_number set state = 'quarantined', quarantined_at = now(), role = null, account_id = null, pool_id = null, held_by = null, visitor_id = null,
       presentation_id = null, ownership_epoch = ownership_epoch + 1, presentation_seq = presentation_seq + 5, locked_until = '-infinity'
     where e164 = $1`,
    [world.numbers[0]],
  );
  expect(await lateCall(world, now)).toMatchObject(third);
});

it("a number that was not ours when it was called is unattributable", async () => {
  const { attribution, disposition } = await callTo(db, "+18005559999");
  expect([attribution.outcome, disposition]).toEqual(["unattributable", "unknown_number"]);
});
