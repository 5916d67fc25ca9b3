/** The browser tag, built from the source at hand: once a worker. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const BUILD = resolve(import.meta.dirname, "../../scripts/build-tag.mjs");

let building: Promise<string> | null = null;

/** @returns a function expression, minified */
export function builtTag(): Promise<string> {
  building ??= import(pathToFileURL(BUILD).href).then(({ buildTag }: { buildTag(): Promise<string> }) => buildTag());
  return building;
}
