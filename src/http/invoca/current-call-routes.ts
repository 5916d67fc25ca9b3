/**
 * `GET /api/<date>/calls_in_progress/current_calls.json`: calls from their connection to the destination until they end, newest first. Setting an external
 * id or custom data on a live call is not offered here: a record's data is judged at its end, and may be corrected from then on.
 */
import type { FastifyRequest } from "fastify";
import type { Account } from "../../account/accounts.store.js";
import { normalizeNumber } from "../../telephony/e164.js";
import type { CallView } from "../contract/call.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import { callerView } from "../reveal-caller.js";
import { type CurrentCall, readCurrentCalls } from "./current-calls.store.js";
import { accountNamed } from "./invoca-auth.js";
import { InvocaError } from "./invoca-error.js";
import { masked } from "./national-number.js";
import { firstOf } from "./read-values.js";
import { transactionIdOf, transactionKeyOf } from "./transaction-id.js";
import { xmlText } from "./zoned-time.js";

/** The answer has no pages. */
const CALLS_MAX = 1_000;

export function addCurrentCallRoutes(app: HttpApp, deps: HttpDeps): void {
  app.get<{ Querystring: Record<string, unknown> }>(
    "/:date/calls_in_progress/current_calls.json",
    { config: { access: "read" }, schema: { hide: true } },
    async (request) => {
      const account = await organizationOf(deps, request, request.query);
      const search = searchOf(deps, account, request.query);
      const calls = search === null ? [] : await readCurrentCalls(deps.db, { ...search, limit: CALLS_MAX });
      const view = callerView(deps, request);
      const shown = calls.map((call) => show(call, account, view));
      await view.audit();
      return { current_calls: shown };
    },
  );
}

async function organizationOf(
  deps: HttpDeps,
  request: FastifyRequest,
  query: Record<string, unknown>,
): Promise<Account> {
  const type = (firstOf(query["organization_type"]) ?? "").toLowerCase();
  const id = firstOf(query["id"]) ?? "";
  if (type !== "network" && type !== "advertiser") {
    throw new InvocaError("InvalidInput", "organization_type must be Network or Advertiser");
  }
  if (id === "") throw new InvocaError("InvalidInput", "id must not be empty");
  return accountNamed(deps, request, { what: type === "network" ? "Network" : "Advertiser", id });
}

/** @returns null for what no call can be */
function searchOf(deps: HttpDeps, account: Account, query: Record<string, unknown>) {
  const all = { accountId: account.id, callId: null, callerHash: null, destinationNumber: null };
  const given = (name: string): string => firstOf(query[name]) ?? "";
  // Nobody can have set one.
  if (given("external_unique_id") !== "") return null;
  if (given("transaction_id") !== "") {
    const key = transactionKeyOf(given("transaction_id"));
    return key?.kind === "record" ? { ...all, callId: key.id } : null;
  }
  const [calling, destination] = [given("calling_phone_number"), given("destination_phone_number")];
  if (calling === "" && destination === "") return all;
  if (calling === "" || destination === "") {
    throw new InvocaError("InvalidInput", "calling_phone_number and destination_phone_number are required together");
  }
  const [caller, called] = [normalizeNumber(calling), normalizeNumber(destination)];
  if (caller === null || called === null) return null;
  return { ...all, callerHash: deps.secrets.hash(account.id, caller), destinationNumber: called };
}

function show({ record, campaignId }: CurrentCall, account: Account, view: CallView): Record<string, unknown> {
  const { touch, customData } = record.attribution;
  const caller = view.reveal({ callId: record.callId, enc: record.caller.enc });
  const { last4 } = record.caller;
  const source = record.poolId === null ? "VirtualLine" : "DynamicAttribution";
  const fields = Object.entries({ ...customData, ...touch }).map(([name, value]) => [name, { value, source }]);
  return {
    transaction_id: transactionIdOf(record.id),
    call_status: "bridged",
    external_unique_id: null,
    calling_phone_number: caller ?? (last4 === null ? null : masked(last4)),
    destination_phone_number: record.destinationNumber,
    called_phone_number: record.promoNumber,
    bridge_start_time: record.answeredAt === null ? null : xmlText(record.answeredAt, account.timeZone),
    call_record_id: transactionIdOf(record.callId),
    phone_type: null,
    advertiser_campaign_id: campaignId,
    advertiser_campaign_id_from_network: campaignId,
    advertiser_campaign_name: campaignId,
    advertiser_id: account.id,
    advertiser_id_from_network: account.id,
    advertiser_name: account.name,
    start_time: xmlText(record.receivedAt, account.timeZone),
    custom_data: { ...Object.fromEntries(fields), demographics_data: {} },
  };
}
