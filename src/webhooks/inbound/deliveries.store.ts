/** Answers given to carriers, by delivery: a repeated delivery, even one that comes at the same moment, gets the answer of the first. */
import type { Carrier } from "../../account/carrier-credentials.store.js";
import { sql, type Queryable } from "../../db/database.js";
import type { CarrierAnswer, CarrierCommand } from "./carrier-adapter.js";

export interface DeliveryId {
  readonly carrier: Carrier;
  /** Starts with the credential's id: one customer's carrier account cannot reach another's deliveries. */
  readonly key: string;
}

const SELECT = sql(
  "webhook_delivery_select",
  `select content_type as "contentType", answer as text, commands from webhook_delivery where carrier = $1 and delivery_key = $2`,
);
const USE_NONCE = sql(
  "webhook_nonce_use",
  // The update changes nothing; with it the row that is there already is returned as well.
  `insert into webhook_nonce as known (carrier, nonce, delivery_key) values ($1, $2, $3)
   on conflict (carrier, nonce) do update set delivery_key = known.delivery_key returning delivery_key as "deliveryKey"`,
);
const INSERT = sql(
  "webhook_delivery_insert",
  `insert into webhook_delivery (carrier, delivery_key, call_id, content_type, answer, commands) values ($1, $2, $3, $4, $5, $6)
   on conflict (carrier, delivery_key) do nothing returning carrier`,
);

export async function findDelivery(db: Queryable, id: DeliveryId): Promise<CarrierAnswer | null> {
  const [row] = await db.query<CarrierAnswer & { commands: readonly CarrierCommand[] }>(SELECT, [id.carrier, id.key]);
  return row ?? null;
}

/**
 * Whether a nonce is new, or was seen with this very delivery: a carrier that got no answer sends the same bytes again.
 * @param nonce as the carrier made it; kept under the credential
 */
export async function useNonce(
  db: Queryable,
  id: DeliveryId,
  input: { credentialId: string; nonce: string },
): Promise<boolean> {
  const { credentialId, nonce } = input;
  const [row] = await db.query<{ deliveryKey: string }>(USE_NONCE, [id.carrier, `${credentialId}|${nonce}`, id.key]);
  return row?.deliveryKey === id.key;
}

/** The answer to give; `isReplay`: another request of the same delivery was answered so before. */
export interface Received {
  readonly answer: CarrierAnswer;
  readonly isReplay: boolean;
}

/** @returns this answer, or the one stored before it */
export async function storeDelivery(
  db: Queryable,
  id: DeliveryId,
  input: { callId: string | null; answer: CarrierAnswer },
): Promise<Received> {
  const { callId, answer } = input;
  const { contentType, text, commands = [] } = answer;
  const rows = await db.query(INSERT, [id.carrier, id.key, callId, contentType, text, JSON.stringify(commands)]);
  if (rows.length > 0) return { answer, isReplay: false };
  return { answer: (await findDelivery(db, id)) ?? answer, isReplay: true };
}
