import { describe, expect, it } from "vitest";
import { credentialOfNumber, putCredential } from "../../../src/account/carrier-credentials.store.js";
import { type Database, openDatabase } from "../../../src/db/database.js";
import { silentLog } from "../../../src/kernel/log.js";
import { RoutingTable } from "../../../src/routing/routing-table.js";
import type { RoutedNumber } from "../../../src/routing/routed-numbers.store.js";
import { CREDENTIAL_TTL_MS, CredentialBook } from "../../../src/webhooks/inbound/credential-book.js";
import { freshDatabase, rows } from "../../support/database.js";
import { startLink } from "../../support/severable-link.js";
import { until } from "../../support/until.js";
import { ids, makeWorld, secrets } from "../../support/world.js";

const { db, url } = await freshDatabase();

class HandClock {
  ms = 0;
  monotonicMs(): number {
    return this.ms;
  }
}

const put = (accountId: string | null, token: string, carrier: "twilio" | "plivo" = "twilio") =>
  putCredential({ db, ids, secrets }, { carrier, accountId, secrets: { auth_tokens: [token] }, intercept: "reject" });

async function bookOn(database: Database = db, clock = new HandClock()): Promise<CredentialBook> {
  const book = new CredentialBook({ db: database, secrets, clock, log: silentLog });
  await book.read();
  return book;
}

type Named = Pick<RoutedNumber, "credentialId" | "hostAccountId" | "accountId">;
const of = (changes: Partial<Named>): Named => ({
  credentialId: null,
  hostAccountId: null,
  accountId: null,
  ...changes,
});

describe("the book of credentials", () => {
  it("chooses as the database does: named, else its host's or owner's, else the platform's", async () => {
    const [owner, host, third] = [await makeWorld(db, 1), await makeWorld(db, 1), await makeWorld(db, 1)];
    const platform = await put(null, "platform");
    const owners = await put(owner.account.id, "owner");
    const hosts = await put(host.account.id, "host");
    const plivo = await put(third.account.id, "plivo", "plivo");
    const table = new RoutingTable({ database: db, log: silentLog, onChange: () => undefined });
    await table.start();
    try {
      const number = owner.numbers[0] as string;
      const cases: [Partial<Record<"credential_id" | "host_account_id", string | null>>, string | null][] = [
        [{}, owners],
        [{ host_account_id: host.account.id }, hosts],
        [{ host_account_id: third.account.id }, platform],
        [{ credential_id: hosts, host_account_id: third.account.id }, hosts],
        // Named, but another carrier's: nobody may speak for it at this one.
        [{ credential_id: plivo }, null],
      ];
      for (const [changes, expected] of cases) {
        const { credential_id = null, host_account_id = null } = changes;
        await rows(db, "update promo_number set credential_id = $2, host_account_id = $3 where e164 = $1", [
          number,
          credential_id,
          host_account_id,
        ]);
        await until("the table knows", () => {
          const found = table.find(number);
          return found?.credentialId === credential_id && found.hostAccountId === host_account_id;
        });
        const book = await bookOn();
        expect(book.find("twilio", table.find(number) as RoutedNumber)?.id ?? null).toBe(expected);
        expect((await credentialOfNumber({ db, secrets }, { carrier: "twilio", e164: number }))?.id ?? null).toBe(
          expected,
        );
      }
      expect((await credentialOfNumber({ db, secrets }, { carrier: "twilio", e164: "+18887770099" }))?.id).toBe(
        platform,
      );
      expect(await credentialOfNumber({ db, secrets }, { carrier: "sinch", e164: number })).toBe(null);
    } finally {
      await table.stop();
    }
  });

  it("speaks for a day without the database, counted from when it was last heard of", async () => {
    const clock = new HandClock();
    const world = await makeWorld(db, 1);
    const id = await put(world.account.id, "a");
    const book = await bookOn(db, clock);
    const number = of({ accountId: world.account.id });
    clock.ms = CREDENTIAL_TTL_MS - 1;
    expect(book.find("twilio", number)?.id).toBe(id);
    clock.ms++;
    expect(book.find("twilio", number)).toBe(null);
    book.confirm();
    expect(book.find("twilio", number)?.id).toBe(id);
  });

  it("has a replaced secret when it was read again, and forgets all when that fails", async () => {
    const link = await startLink(url);
    const linked = openDatabase({ url: link.url, log: silentLog });
    try {
      const world = await makeWorld(db, 1);
      await put(world.account.id, "old");
      const book = await bookOn(linked);
      const tokens = () => book.find("twilio", of({ accountId: world.account.id }))?.secrets["auth_tokens"];
      await put(world.account.id, "new");
      expect(tokens()).toEqual(["old"]);
      // Asked many times at once, it reads at most twice.
      await Promise.all(Array.from({ length: 20 }, () => book.read()));
      expect(tokens()).toEqual(["new"]);
      link.cut();
      await book.read();
      expect(tokens()).toBe(undefined);
      link.mend();
      await book.read();
      expect(tokens()).toEqual(["new"]);
    } finally {
      link.mend();
      await linked.close();
      await link.close();
    }
  });
});
