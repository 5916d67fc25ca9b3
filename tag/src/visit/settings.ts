/** What the account says of its tag, and where the service is. One tag runs on a page, so these are the module's. Set once, by tag.ts. */
import type { TagConfig } from "../../../src/http/contract/tag-config.js";

export let config: TagConfig;
/** Scheme, host and port of the service: that of the script's own address. */
export let origin: string;

export function setOrigin(url: string): void {
  origin = new URL(url).origin;
}

export function setConfig(given: TagConfig): void {
  config = given;
}
