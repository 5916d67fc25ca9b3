/** Which columns an answer has: Invoca's default ones, the account's custom ones, and what include_columns and exclude_columns make of them. Pure. */
import { TOUCH_PARAMETERS } from "../../attribution/touch.js";

const PARAMETERS_MAX = 25;
const REFERRER = "dynamic_number_pool_referrer";

/** Invoca's fields in Invoca's order. What we have nothing for is empty: its columns stay, so that a client's table keeps its shape. */
export const DEFAULT_COLUMNS: readonly string[] = [
  ..."transaction_id,transaction_type,complete_call_id,corrects_transaction_id,corrected_at,original_order_id".split(
    ",",
  ),
  ..."start_time_local,start_time_utc,start_time_xml,start_time_network_timezone,start_time_network_timezone_xml".split(
    ",",
  ),
  ..."duration,connect_duration,ivr_duration,keypress_1,keypress_2,keypress_3,keypress_4,keypresses".split(","),
  ..."calling_phone_number,destination_phone_number,city,region,qualified_regions,verified_zip,mobile".split(","),
  ..."repeat_calling_phone_number,call_source_description,media_type,promo_line_description,virtual_line_id".split(","),
  ..."transfer_from_type,call_result_description_detail,hangup_cause,real_time_response".split(","),
  ..."advertiser_id,advertiser_id_from_network,advertiser_name,advertiser_payin_localized".split(","),
  ..."advertiser_call_fee_localized,advertiser_campaign_id,advertiser_campaign_id_from_network".split(","),
  ..."advertiser_campaign_name,advertiser_campaign_country,affiliate_id,affiliate_id_from_network,affiliate_name".split(
    ",",
  ),
  ..."affiliate_payout_localized,affiliate_call_volume_ranking,affiliate_commissions_ranking".split(","),
  ..."affiliate_conversion_rate_ranking,affiliate_campaign_id_from_network,call_fee_localized,margin_localized".split(
    ",",
  ),
  ..."matching_advertiser_payin_policies,matching_affiliate_payout_policies,payin_conditions,payout_conditions".split(
    ",",
  ),
  ..."recording,recording_download_url,notes,opt_in_SMS".split(","),
  ..."dynamic_number_pool_id,dynamic_number_pool_pool_type".split(","),
  ...[
    "search_engine",
    "search_keywords",
    "search_keywords_id",
    "search_type",
    "ad",
    "ad_group",
    "ad_group_id",
    "ad_id",
  ].map((name) => `${REFERRER}_${name}`),
  ...["referrer_campaign", "referrer_campaign_id", "keyword_match_type"].map((name) => `${REFERRER}_${name}`),
  ...Array.from({ length: PARAMETERS_MAX }, (_, index) => parameterColumns(index + 1)).flat(),
  ..."name,address1,address2,order_city,state_or_province,zip_code,country,home_phone_number,cell_phone_number".split(
    ",",
  ),
  ..."email_address,sale_amount,reason_code,sku_list,quantity_list".split(","),
  ..."signal_name,signal_description,signal_partner_unique_id,signal_occurred_at,signal_source,signal_value".split(","),
  ..."signal_custom_parameter_1,signal_custom_parameter_2,signal_custom_parameter_3,revenue".split(","),
];

/** Only when asked for. */
export const CUSTOM_DATA_COLUMN = "custom_data";

const CUSTOM = "$invoca_custom_columns";
const SOURCES = "$invoca_custom_source_columns";
const DEFAULTS = "$invoca_default_columns";

export function parameterColumns(place: number): [name: string, value: string] {
  return [`${REFERRER}_param${place}_name`, `${REFERRER}_param${place}_value`];
}

/** One more column for each custom one, where it is asked for. */
export function sourceColumn(name: string): string {
  return `${name}.source`;
}

/**
 * @param found custom fields of the rows shown. We keep no dictionary of them: utm_* and click ids are always custom columns, others when a row has them
 * @returns each column once, in order; one that is named in `include` is not excluded by a constant, as in Invoca's own example
 */
export function chooseColumns(input: {
  include: readonly string[];
  exclude: readonly string[];
  found: readonly string[];
}): string[] {
  const { include, exclude, found } = input;
  const custom = [...new Set([...TOUCH_PARAMETERS, ...found])].filter((name) => !STANDARD.has(name));
  const expand = (names: readonly string[]): string[] => names.flatMap((name) => expanded(name, custom));
  const asked = include.length === 0 ? [...DEFAULT_COLUMNS, ...custom] : expand(include);
  const named = new Set(include.filter((name) => !name.startsWith("$")));
  const excludedByName = new Set(exclude.filter((name) => !name.startsWith("$")));
  const excluded = new Set(expand(exclude));
  const isKept = (name: string): boolean => !excludedByName.has(name) && (named.has(name) || !excluded.has(name));
  return [...new Set(asked)].filter(isKept);
}

function expanded(name: string, custom: readonly string[]): readonly string[] {
  if (name === CUSTOM) return custom;
  if (name === SOURCES) return custom.map(sourceColumn);
  return name === DEFAULTS ? DEFAULT_COLUMNS : [name];
}

/** A custom field of that name never takes a standard column's place: pages could otherwise write transaction ids. */
export const STANDARD: ReadonlySet<string> = new Set([...DEFAULT_COLUMNS, CUSTOM_DATA_COLUMN]);
