/**
 * Numbers at Twilio: AvailablePhoneNumbers and IncomingPhoneNumbers (twilio.com/docs/phone-numbers/api). Buying has no idempotency key, so our mark goes
 * into FriendlyName. A POST for a number that the account owns already is answered 201 and treated as an update: asking again for the same number
 * is harmless, asking for another one is not.
 */
import type Twilio from "twilio/lib/rest/Twilio.js";
import type { IncomingPhoneNumberInstance } from "twilio/lib/rest/api/v2010/account/incomingPhoneNumber.js";
import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import countries from "libphonenumber-js/min/metadata";
import { messageOf } from "../../kernel/errors.js";
import { type E164, parseE164 } from "../../telephony/e164.js";
import { CarrierFault } from "./carrier-fault.js";
import type {
  BuyOutcome,
  NewCarrierNumber,
  NumberCarrier,
  OrderProgress,
  OwnedNumber,
  OwnedPage,
  StockQuery,
} from "./number-carrier.js";
import type { NumberWebhooks } from "./number-webhooks.js";
import { type TwilioAccess, TwilioHttp, type TwilioPlace, TwilioRefusal } from "./twilio-http.js";

/** Twilio's largest page. */
const OWNED_PAGE = 1000;
/** One mark has one number; more would be a fault worth seeing. */
const FOUND_MAX = 20;

/** twilio.com/docs/api/errors: the number is not for sale (any more), or is none. */
const TAKEN = new Set([21422, 21421]);
/** No number matches (21452 and 21453 come for area codes). */
const NO_STOCK = new Set([21452, 21453, 20404]);

export class TwilioCarrier implements NumberCarrier {
  readonly name = "twilio";
  private client: Promise<Twilio> | null = null;

  constructor(
    private readonly access: TwilioAccess,
    private readonly place: TwilioPlace,
  ) {}

  async searchStock(query: StockQuery): Promise<readonly E164[]> {
    const { available } = await this.account();
    const country = available(countryOf(query));
    const filter = {
      ...(query.npa === null ? {} : { areaCode: Number(query.npa) }),
      voiceEnabled: true,
      // Who must give an address first cannot buy by API alone.
      excludeAllAddressRequired: true,
      pageSize: query.limit,
    };
    try {
      const { instances } =
        query.type === "toll_free" ? await country.tollFree.page(filter) : await country.local.page(filter);
      return numbersIn(instances.map(({ phoneNumber }) => phoneNumber)).slice(0, query.limit);
    } catch (error) {
      if (error instanceof TwilioRefusal && NO_STOCK.has(error.code ?? 0)) return [];
      throw understood(error);
    }
  }

  async buy({ number, mark, webhooks }: NewCarrierNumber): Promise<BuyOutcome> {
    const { owned } = await this.account();
    try {
      const bought = await owned.create({
        phoneNumber: number,
        friendlyName: mark,
        ...(webhooks === null ? {} : fieldsOf(webhooks)),
      });
      if (bought.phoneNumber !== number)
        throw new CarrierFault("unknown_outcome", "Twilio answered for another number.");
      return { kind: "bought", ref: bought.sid };
    } catch (error) {
      if (error instanceof TwilioRefusal) {
        return TAKEN.has(error.code ?? 0) ? { kind: "taken" } : { kind: "refused", reason: error.message };
      }
      throw understood(error);
    }
  }

  /** Twilio delivers at once. */
  checkOrder(): Promise<OrderProgress> {
    return Promise.resolve({ kind: "delivered" });
  }

  async findOwned(by: { readonly mark: string } | { readonly number: E164 }): Promise<readonly OwnedNumber[]> {
    const { owned } = await this.account();
    const filter = "mark" in by ? { friendlyName: by.mark } : { phoneNumber: by.number };
    try {
      const { instances } = await owned.page({ ...filter, pageSize: FOUND_MAX });
      // The filter of PhoneNumber also takes patterns: what is not exactly it is not it.
      return instances
        .flatMap(ownedOf)
        .filter((one) => ("mark" in by ? one.mark === by.mark : one.number === by.number));
    } catch (error) {
      throw understood(error);
    }
  }

  async listOwned(page: string | null): Promise<OwnedPage> {
    const { owned } = await this.account();
    try {
      const read = page === null ? await owned.page({ pageSize: OWNED_PAGE }) : await owned.getPage(page);
      return { numbers: read.instances.flatMap(ownedOf), next: read.nextPageUrl ?? null };
    } catch (error) {
      throw understood(error);
    }
  }

  async configure(ref: string, webhooks: NumberWebhooks): Promise<boolean> {
    return this.unlessGone(async (owned) => void (await owned(ref).update(fieldsOf(webhooks))));
  }

  async release(ref: string): Promise<boolean> {
    return this.unlessGone(async (owned) => void (await owned(ref).remove()));
  }

  private async unlessGone(work: (owned: Twilio["incomingPhoneNumbers"]) => Promise<void>): Promise<boolean> {
    const { owned } = await this.account();
    try {
      await work(owned);
      return true;
    } catch (error) {
      if (error instanceof TwilioRefusal && error.status === 404) return false;
      throw understood(error);
    }
  }

  /** The package is loaded when somebody first asks: 20 MB that a service without Twilio never needs. */
  private async account() {
    this.client ??= connect(this.access, this.place);
    const { availablePhoneNumbers, incomingPhoneNumbers } = (await this.client).api.v2010.accounts(
      this.access.accountSid,
    );
    return { available: availablePhoneNumbers, owned: incomingPhoneNumbers };
  }
}

async function connect(access: TwilioAccess, place: TwilioPlace): Promise<Twilio> {
  const { default: Client } = await import("twilio/lib/rest/Twilio.js");
  const httpClient = new TwilioHttp(access, place);
  // No settings from the environment: TWILIO_REGION and the like would lead elsewhere than TWILIO_API_URL says.
  return new Client(access.accountSid, access.tokens[0] ?? "", { httpClient, edge: "", region: "", logLevel: "" });
}

function fieldsOf(webhooks: NumberWebhooks) {
  return {
    voiceUrl: webhooks.voiceUrl,
    voiceMethod: "POST",
    voiceFallbackUrl: webhooks.fallbackUrl,
    // A fallback that can be answered by any static host.
    voiceFallbackMethod: "GET",
    statusCallback: webhooks.statusUrl,
    statusCallbackMethod: "POST",
  };
}

function ownedOf(instance: IncomingPhoneNumberInstance): OwnedNumber[] {
  const number = parseE164(instance.phoneNumber);
  // Short codes and the like are no numbers of ours.
  if (number === null) return [];
  return [
    {
      ref: instance.sid,
      number,
      mark: instance.friendlyName,
      webhooks: {
        voiceUrl: textOf(instance.voiceUrl),
        statusUrl: textOf(instance.statusCallback),
        fallbackUrl: textOf(instance.voiceFallbackUrl),
      },
      steeredBy:
        textOf(instance.trunkSid) !== "" ? "trunk" : textOf(instance.voiceApplicationSid) !== "" ? "application" : null,
    },
  ];
}

/** Twilio writes null or "" for what is not set, whatever its types say. */
function textOf(value: string | null | undefined): string {
  return value ?? "";
}

function numbersIn(texts: readonly string[]): E164[] {
  return texts.flatMap((text) => parseE164(text) ?? []);
}

/** The list of a country has only its own area codes, and the plan +1 has several countries. Of those that share another code, the main one. */
function countryOf({ npa, callingCode }: StockQuery): string {
  if (callingCode !== null) {
    const [country] = countries.country_calling_codes[callingCode.slice(1)] ?? [];
    if (country === undefined) throw new CarrierFault("refused", `Twilio lists no numbers of ${callingCode}.`);
    return country;
  }
  return (npa === null ? undefined : parsePhoneNumberFromString(`+1${npa}5550100`)?.country) ?? "US";
}

/** Answers the package could not read: what was asked may have been done. */
function understood(error: unknown): CarrierFault {
  if (error instanceof CarrierFault) return error;
  return new CarrierFault("unknown_outcome", `Twilio's answer could not be read: ${messageOf(error)}`, {
    cause: error,
  });
}
