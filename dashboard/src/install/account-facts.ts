/** What the installer page must know of an account: asked with an API key, or, of what is public, by the tag key alone. */
import type { Answer, Api } from "../common/api.js";
import type { Account, Destination, Pool, Tag } from "../common/api-shapes.js";
import { readAll } from "../common/read-all.js";
import type { TagFacts } from "../tester/verdict.js";

export interface AccountFacts {
  readonly tag: Tag;
  readonly facts: TagFacts;
}

/** With an API key: everything. */
export async function factsOfAccount(api: Api, account: Account): Promise<Answer<AccountFacts>> {
  const query = `account_id=${encodeURIComponent(account.id)}`;
  const tag = await api.get<Tag>(`/v1/tag?${query}`);
  if (tag.kind !== "ok") return tag;
  const destinations = await readAll<Destination>(api, `/v1/destinations?${query}`);
  if (destinations.kind !== "ok") return destinations;
  const pools = await readAll<Pool>(api, `/v1/pools?${query}`);
  if (pools.kind !== "ok") return pools;
  const { paused, live, snippet } = tag.body;
  const notToReplace = live.settings.numbers_not_to_replace;
  const of = (status: Destination["status"]): string[] =>
    destinations.body.all.filter((one) => one.status === status).map(({ number }) => number);
  const poolsOf = (kind: Pool["kind"]): string[] =>
    pools.body.all.filter((one) => one.kind === kind).map((one) => one.destination_number);
  const facts = {
    tagKey: account.tag_key,
    serviceOrigin: originOf(snippet),
    numbers: of("tracked").filter((number) => !notToReplace.includes(number)),
    discovered: of("discovered"),
    ignored: of("ignored"),
    notToReplace,
    pools: { automatic: poolsOf("automatic"), campaign: poolsOf("campaign") },
    allowedOrigins: account.allowed_origins,
    paused,
    slotsOnly: live.settings.slots_only,
  };
  return { kind: "ok", body: { tag: tag.body, facts } };
}

/** By the tag key: what every page's source may know. @returns null: no account has it, or the service is away */
export async function factsByTagKey(tagKey: string): Promise<TagFacts | null> {
  try {
    const response = await fetch(`/tag/config?key=${encodeURIComponent(tagKey)}`, { credentials: "omit" });
    if (!response.ok) return null;
    const {
      numbers,
      paused,
      slots_only: slotsOnly,
    } = (await response.json()) as { numbers: readonly string[]; paused: boolean; slots_only: boolean };
    const unknown = { discovered: [], ignored: [], notToReplace: [], pools: null, allowedOrigins: [] };
    return { tagKey, serviceOrigin: location.origin, numbers, paused, slotsOnly, ...unknown };
  } catch (error) {
    void error;
    return null;
  }
}

/** Where pages load the tag from: behind a proxy that is another address than this page's. */
function originOf(snippet: string): string {
  const src = new DOMParser().parseFromString(snippet, "text/html").querySelector("script")?.getAttribute("src") ?? "";
  return URL.canParse(src) ? new URL(src).origin : location.origin;
}
