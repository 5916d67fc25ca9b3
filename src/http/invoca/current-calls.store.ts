/** Calls that are connected to their destination at this moment. */
import { type CallRecord, RECORD_COLUMNS, recordOf, type RecordRow } from "../../attribution/call-record.js";
import { sql, type Queryable } from "../../db/database.js";

const SELECT = sql(
  "invoca_current_calls",
  `select ${RECORD_COLUMNS}, i.campaign_id as "campaignId"
   from call c left join call_correction k on c.revision > 0 and k.call_id = c.id and k.revision = c.revision
     left join account a on a.id = c.account_id left join invoca_ring_pool i on i.pool_id = c.pool_id
   where c.account_id = $1 and c.status = 'in_progress' and ($2::text is null or c.id = $2)
     and ($3::bytea is null or c.caller_hash = $3) and ($4::text is null or c.destination_number = $4)
   order by c.answered_at desc, c.id desc limit $5`,
);

export interface CurrentCall {
  readonly record: CallRecord;
  readonly campaignId: string | null;
}

/** Newest connection first. */
export async function readCurrentCalls(
  db: Queryable,
  search: {
    accountId: string;
    callId: string | null;
    callerHash: Buffer | null;
    destinationNumber: string | null;
    limit: number;
  },
): Promise<CurrentCall[]> {
  const { accountId, callId, callerHash, destinationNumber, limit } = search;
  const values = [accountId, callId, callerHash, destinationNumber, limit];
  const rows = await db.query<RecordRow & { campaignId: string | null }>(SELECT, values);
  return rows.map(({ campaignId, ...row }) => ({ record: recordOf(row), campaignId }));
}
