/** The tag as `/tag.js?key=` gives it, built from the source at hand, for pages whose service is a stand-in. */
import { tagCall } from "../../../src/account/tag-file.js";
import type { TagConfig } from "../../../src/http/contract/tag-config.js";
import { builtTag } from "../../support/built-tag.js";

const CONFIG: TagConfig = {
  key: "tag_test",
  revision: 1,
  paused: false,
  numbers: [],
  slots_only: false,
  discover: false,
  sources: [],
  consent: "assumed",
  visitor_days: 365,
  custom_data: [],
};

export async function tagScript(changes: Partial<TagConfig>): Promise<string> {
  return tagCall(await builtTag(), JSON.stringify({ ...CONFIG, ...changes }));
}
