/** Starts Debian's Chromium, for the tests of a worker (browser.ts) and for `npm run bench -- tag`. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const LAUNCH_MS_MAX = 30_000;

/**
 * @param withBackForwardCache as people's browsers have it; Playwright turns it off, and loses track of a page that comes back
 * @throws Error when there is no chromium on the PATH
 */
export function launchChromium({ withBackForwardCache = false } = {}): Promise<Browser> {
  return chromium.launch({
    ...(withBackForwardCache && { ignoreDefaultArgs: ["--disable-back-forward-cache"] }),
    executablePath: chromiumOnPath(withBackForwardCache ? ["chromium"] : COMMANDS),
    timeout: LAUNCH_MS_MAX,
    // Tests run as root in CI, where Chromium's sandbox refuses to start; it only ever sees our own pages.
    chromiumSandbox: false,
  });
}

/** The shell first: the whole browser has a window even where nobody sees it, and draws it all the time. But it alone keeps pages to go back to. */
const COMMANDS = ["chromium-headless-shell", "chromium"];

function chromiumOnPath(commands: readonly string[]): string {
  for (const command of commands) {
    for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
      const path = join(directory, command);
      if (existsSync(path)) return path;
    }
  }
  throw new Error("chromium is missing: run scripts/bootstrap.sh test");
}
