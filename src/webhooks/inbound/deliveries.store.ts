/** Answers given to carriers, by delivery: a repeated delivery, even one that comes at the same moment, gets the answer of the first. */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import { sql, type Queryable } from "../../db/database.js";
import type { CarrierAnswer } from "./carrier-adapter.js";

export interface DeliveryId {
  readonly carrier: Carrier;
  /** Starts with the credential's id: one customer's carrier account cannot reach another's deliveries. */
  readonly key: string;
}

const SELECT = sql(
  "webhook_delivery_select",
  `select content_type as "contentType", answer as text from webhook_delivery where carrier = $1 and delivery_key = $2`,
);
const INSERT = sql(
  "webhook_delivery_insert",
  `insert into webhook_delivery (carrier, delivery_key, call_id, content_type, answer) values ($1, $2, $3, $4, $5)
   on conflict (carrier, delivery_key) do nothing returning carrier`,
);

export async function findDelivery(db: Queryable, id: DeliveryId): Promise<CarrierAnswer | null> {
  const [row] = await db.query<CarrierAnswer>(SELECT, [id.carrier, id.key]);
  return row ?? null;
}

/** @returns the answer to give: this one, or the one stored before it */
export async function storeDelivery(
  db: Queryable,
  id: DeliveryId,
  input: { callId: string | null; answer: CarrierAnswer },
): Promise<CarrierAnswer> {
  const { callId, answer } = input;
  const rows = await db.query(INSERT, [id.carrier, id.key, callId, answer.contentType, answer.text]);
  if (rows.length > 0) return answer;
  return (await findDelivery(db, id)) ?? answer;
}
