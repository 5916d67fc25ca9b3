/** The browser tag: what runs on a business's page. scripts/build-tag.mjs makes one function of this file and what it imports. */
import type { TagConfig } from "../../src/http/contract/tag-config.js";

/** The argument of the function that the build makes: written there by `/tag.js`; undefined in the immutable file, which asks for it. */
declare const __config: TagConfig | undefined;

void __config;
