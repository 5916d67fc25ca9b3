/** What a revision of an account's tag says. Stored as JSON in these words; rows are never changed, so a new setting needs a default that is the former behaviour. */

export const CUSTOM_DATA_ORIGINS = ["url_parameter", "cookie", "data_layer", "local_storage"] as const;

export interface CustomDataField {
  /** The field of the call record. */
  readonly name: string;
  readonly from: (typeof CUSTOM_DATA_ORIGINS)[number];
  /** The parameter, cookie, item or data layer key. */
  readonly key: string;
}

export interface TagSettings {
  /** Only elements with data-ringmatch-number are touched. */
  readonly slotsOnly: boolean;
  /** E.164: tracked destinations that pages keep as they are. */
  readonly numbersNotToReplace: readonly string[];
  readonly customData: readonly CustomDataField[];
  /** The version whose code runs behind `/tag.js`; latest: the service's own. */
  readonly file: string;
}

export const LATEST_FILE = "latest";

export const TAG_SETTINGS_DEFAULT: TagSettings = {
  slotsOnly: false,
  numbersNotToReplace: [],
  customData: [],
  file: LATEST_FILE,
};

/** A row may be older than a setting. */
export function readTagSettings(stored: Partial<TagSettings>): TagSettings {
  return { ...TAG_SETTINGS_DEFAULT, ...stored };
}
