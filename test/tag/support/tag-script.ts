/** The tag as `/tag.js?key=` gives it, built from the source at hand: once a worker. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { TagConfig } from "../../../src/http/contract/tag-config.js";

const BUILD = resolve(import.meta.dirname, "../../../scripts/build-tag.mjs");

let building: Promise<string> | null = null;

/** A function expression, minified. */
export function builtTag(): Promise<string> {
  building ??= import(pathToFileURL(BUILD).href).then(({ buildTag }: { buildTag(): Promise<string> }) => buildTag());
  return building;
}

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
  return `!${await builtTag()}(${JSON.stringify({ ...CONFIG, ...changes })});`;
}
