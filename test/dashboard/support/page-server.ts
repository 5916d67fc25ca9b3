/** The pages as the service serves them, built in memory, on a real port over a test's database. */
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll } from "vitest";
import { tagFileOf } from "../../../src/account/tag-file.js";
import { publishTagFile } from "../../../src/account/tag-files.store.js";
import { closePagesAfterwards } from "../../support/browser.js";
import { builtTag } from "../../support/built-tag.js";
import type { Database } from "../../../src/db/database.js";
import type { HttpDeps } from "../../../src/http/http-deps.js";
import { type PageFiles, pages, type PagesInput } from "../../../src/http/pages.js";
import { makeHttpWorld } from "../../http/support/http-world.js";

const BUILD = resolve(import.meta.dirname, "../../../scripts/build-dashboard.mjs");

let building: Promise<PageFiles> | null = null;

export function builtPages(): Promise<PageFiles> {
  building ??= import(pathToFileURL(BUILD).href).then(({ buildDashboard }: { buildDashboard(): Promise<PageFiles> }) =>
    buildDashboard(),
  );
  return building;
}

/** @param demo the demo account, where there is one */
export async function startPages(db: Database, input: { demo?: PagesInput["demo"]; deps?: Partial<HttpDeps> } = {}) {
  const { demo = async () => null, deps = {} } = input;
  const files = await builtPages();
  const tagFile = tagFileOf({ version: "0.0.0", text: await builtTag() });
  await publishTagFile(db, tagFile);
  const plugins = [...(deps.plugins ?? []), pages({ files, demo })];
  const world = makeHttpWorld(db, { tagFile, ...deps, plugins });
  // Before the server closes, which waits for connections, and those of an open page stay open. Hooks run in reverse.
  afterAll(() => world.app.server.closeAllConnections());
  closePagesAfterwards();
  await world.app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = world.app.server.address() as AddressInfo;
  return { ...world, url: `http://127.0.0.1:${port}` };
}

/** What axe-core finds wrong; injected by the debugger, which the page's policy does not bind. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: here } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await here.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  });
}
