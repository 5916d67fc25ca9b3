/** Which carrier sells us numbers, and under which credential. The only place that makes adapters. */
import {
  type CarrierCredential,
  findCredential,
  getCredential,
  listCredentials,
} from "../../account/carrier-credentials.store.js";
import { sql, type Database } from "../../db/database.js";
import type { Clock } from "../../kernel/clock.js";
import { AppError } from "../../kernel/errors.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { NumberCarrier } from "./number-carrier.js";
import { SimulatedCarrier } from "./simulated.js";
import { TwilioCarrier } from "./twilio.js";
import type { TwilioAccess } from "./twilio-http.js";

/** Carriers that numbers can be bought from. */
export const SELLERS = ["twilio", "simulated"] as const;
export type Seller = (typeof SELLERS)[number];

export interface Shop {
  readonly carrier: Seller;
  /** Null: the simulated carrier, which needs none. */
  readonly credentialId: string | null;
}

export interface Carriers {
  /**
   * Where to buy.
   * @param input.carrier null: NUMBER_CARRIER, else Twilio
   * @param input.isOwnFirst the account's own credential before the platform's; numbers of the platform serve every account
   * @returns null when nobody sells to us there
   */
  choose(input: { carrier: Seller | null; accountId: string | null; isOwnFirst: boolean }): Promise<Shop | null>;
  /** @returns null when the credential is gone or cannot buy */
  open(shop: { carrier: string; credentialId: string | null }): Promise<NumberCarrier | null>;
  /** Every carrier account that has a list to compare ours with. */
  accounts(): Promise<readonly (Shop & { credentialId: string; accountId: string | null })[]>;
}

export interface CarriersOptions {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly clock: Clock;
  /** TWILIO_API_URL. */
  readonly twilioApiUrl: string;
  /** NUMBER_CARRIER: what is bought from when nobody says. */
  readonly defaultCarrier: Seller;
  /** Its numbers ring nowhere else: only where somebody asked for it, or on one machine to try things out. */
  readonly allowsSimulated: boolean;
}

/** Carrier accounts with an open client. */
const OPEN_MAX = 200;

const SELECT_SIMULATED = sql("carriers_select_simulated", `select e164 from promo_number where carrier = 'simulated'`);

export function createCarriers(options: CarriersOptions): Carriers {
  const { db, clock } = options;
  const soldBefore = async () => (await db.query<{ e164: string }>(SELECT_SIMULATED)).map(({ e164 }) => e164);
  const simulated = options.allowsSimulated ? new SimulatedCarrier({ clock, soldBefore }) : null;
  const open = new Map<string, { readonly secrets: string; readonly carrier: NumberCarrier }>();
  const openTwilio = (credential: CarrierCredential): NumberCarrier | null => {
    const access = twilioAccess(credential);
    if (access === null) return null;
    const secrets = JSON.stringify(access);
    const known = open.get(credential.id);
    if (known?.secrets === secrets) return known.carrier;
    if (open.size >= OPEN_MAX) open.delete(open.keys().next().value as string);
    const carrier = new TwilioCarrier(access, { apiUrl: options.twilioApiUrl, now: clock.now });
    open.set(credential.id, { secrets, carrier });
    return carrier;
  };
  return {
    choose: async ({ carrier, accountId, isOwnFirst }) => {
      if ((carrier ?? options.defaultCarrier) === "simulated") {
        return simulated === null ? null : { carrier: "simulated", credentialId: null };
      }
      const owners = accountId === null ? [null] : isOwnFirst ? [accountId, null] : [null, accountId];
      for (const owner of owners) {
        const credential = await findCredential(options, { carrier: "twilio", accountId: owner });
        if (credential !== null && twilioAccess(credential) !== null) {
          return { carrier: "twilio", credentialId: credential.id };
        }
      }
      return null;
    },
    open: async ({ carrier, credentialId }) => {
      if (carrier === "simulated") return simulated;
      if (carrier !== "twilio" || credentialId === null) return null;
      const credential = await getCredential(options, credentialId).catch(nullIfGone);
      return credential === null ? null : openTwilio(credential);
    },
    accounts: async () =>
      (await listCredentials(options, { carrier: "twilio", accountId: null }))
        .filter((credential) => twilioAccess(credential) !== null)
        .map(({ id, accountId }) => ({ carrier: "twilio" as const, credentialId: id, accountId })),
  };
}

/** A credential that only verifies webhooks has no account_sid. */
function twilioAccess({ carrier, secrets }: CarrierCredential): TwilioAccess | null {
  const { account_sid: accountSid, auth_tokens: tokens } = secrets;
  if (carrier !== "twilio" || typeof accountSid !== "string" || !Array.isArray(tokens)) return null;
  return { accountSid, tokens: tokens.filter((token): token is string => typeof token === "string" && token !== "") };
}

function nullIfGone(error: unknown): null {
  if (error instanceof AppError && error.code === "not_found") return null;
  throw error;
}
