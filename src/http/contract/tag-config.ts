/**
 * What the browser tag is told of its account: written into `/tag.js`, or asked for by the immutable file. Types alone, since the browser's side
 * (tag/) imports them as well. Everything in here is public: it stands in every page's source.
 */

export interface TagConfig {
  readonly key: string;
  /** Of the account's tag, counted from 1; 0: a draft that is not live. */
  readonly revision: number;
  /** Then the page stays as it is, and nothing is asked or stored. */
  readonly paused: boolean;
  /** The account's tracked destinations in E.164: what to look for on the page, less what the account wants left alone. */
  readonly numbers: readonly string[];
  /** Only elements with data-ringmatch-number; text and links are left alone. */
  readonly slots_only: boolean;
  /** Numbers in tel: links that are not in `numbers` are asked for too, so that the account learns of them. */
  readonly discover: boolean;
  /** What stands for a visitor who did not consent: the static number of the source they came from. */
  readonly sources: readonly SourceNumber[];
  /** assumed: a page without any consent signal counts as consented. required: it does not. */
  readonly consent: "assumed" | "required";
  /** How long the visitor id is kept after the last visit, in days. */
  readonly visitor_days: number;
  /** Sent with each presentation as `custom_data`. */
  readonly custom_data: readonly CustomDataSource[];
}

/** A static number that belongs to a source instead of a visitor. */
export interface SourceNumber {
  /** E.164. */
  readonly destination: string;
  /** E.164. */
  readonly number: string;
  /** utm_* that the page's URL must all have, with these values; never empty. */
  readonly touch: Readonly<Record<string, string>>;
}

export interface CustomDataSource {
  /** The field of the call record. */
  readonly name: string;
  readonly from: "url_parameter" | "cookie" | "data_layer" | "local_storage";
  /** The parameter, cookie, item or data layer key. */
  readonly key: string;
}
