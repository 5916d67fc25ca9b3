/** What the build of test/tag/support/page-half.js makes of the page's half alone: `window.watchPage`. */
import { watchPage } from "../../../tag/src/page/watch-page.js";

Object.assign(globalThis, { watchPage });
