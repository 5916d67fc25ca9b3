import { beforeEach, expect, it } from "vitest";
import { systemRandom } from "../../src/kernel/random.js";
import { createSecrets } from "../../src/kernel/secrets.js";
import { assertSecretsKey } from "../../src/service/secrets-key-check.js";
import { freshDatabase, rows } from "../support/database.js";

const { db } = await freshDatabase();
const FIRST = "the key of the first start";
const NEWER = "the key after a rotation";
const startWith = (secretsKey: string): Promise<void> => assertSecretsKey(db, createSecrets(secretsKey, systemRandom));
beforeEach(() => rows(db, "delete from platform_setting where name = 'secrets_key_mark'"));

it("the key that the database was begun with is taken again, also behind newer ones", async () => {
  for (const key of [FIRST, FIRST, `${NEWER},${FIRST}`, FIRST]) await expect(startWith(key)).resolves.toBeUndefined();
});

it.each([
  ["another one", NEWER],
  ["it in front of a newer one", `${FIRST},${NEWER}`],
])("%s is refused: callers would not be found again", async (_what, key) => {
  await startWith(FIRST);
  await expect(startWith(key)).rejects.toMatchObject({ code: "config_invalid" });
  await expect(startWith(FIRST)).resolves.toBeUndefined();
});

it("of two first starts at the same moment with different keys one is refused", async () => {
  const both = await Promise.allSettled([startWith(FIRST), startWith(NEWER)]);
  expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

it("a lost key is made up for as the refusal says", async () => {
  await startWith(FIRST);
  const refusal = await startWith(NEWER).catch((error: Error) => error.message);
  const [statement = ""] = /delete from .*'(?=\.)/.exec(String(refusal)) ?? [];
  await rows(db, statement);
  await expect(startWith(NEWER)).resolves.toBeUndefined();
});
