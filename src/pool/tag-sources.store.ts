/** Static numbers as a tag knows them: what stands for a visitor of whom nothing may be kept, by the campaign parameters of the page's URL. */
import { sql, type Queryable } from "../db/database.js";
import type { E164 } from "../telephony/e164.js";

export interface TagSource {
  readonly destination: E164;
  readonly number: E164;
  /** As the static number has it: utm_* and more. */
  readonly touch: Readonly<Record<string, string>>;
}

// In service, of a tracked destination, and recognisable on a page: a source without any utm_* is print or radio.
const SELECT = sql(
  "tag_sources_select",
  `select d.number as destination, n.e164 as number, s.touch
   from static_number s join promo_number n on n.id = s.number_id and n.ownership_epoch = s.ownership_epoch join destination d on d.id = s.destination_id
   where s.account_id = $1 and s.ended_at is null and n.state = 'assigned' and n.role = 'static' and d.status = 'tracked' and d.number <> all ($2)
     and exists (select from jsonb_object_keys(s.touch) k where k like 'utm\\_%')
   order by s.id limit $3`,
);

/** Oldest first. @param input.except destinations that pages keep as they are */
export async function listTagSources(
  db: Queryable,
  input: { accountId: string; except: readonly string[]; limit: number },
): Promise<TagSource[]> {
  return db.query<TagSource>(SELECT, [input.accountId, input.except, input.limit]);
}
