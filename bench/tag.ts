/**
 * What the browser tag costs a page of 5,000 text nodes in Chromium with the CPU slowed down four times: its first look and swap, for a new visitor and for one
 * whose numbers are in the browser, and its part of 100 re-renders; beside a naive replacer of the same numbers. Once more with 1,000 destinations. And
 * its size.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { tagCall } from "../src/account/tag-file.js";
import type { TagConfig } from "../src/http/contract/tag-config.js";
import { launchChromium } from "../test/support/chromium.js";
import { type LandingSite, presents, startLandingSite } from "../test/tag/support/landing-site.js";
import { type BenchResult, median } from "./result.js";
import { htmlReplacer, textWalker } from "./tag/naive.js";
import { benchPage, CUT_UP, NUMBERS, ON_PAGE, RENDERS } from "./tag/page.js";
import { type Contestant, firstLook, reRenders, type View } from "./tag/visit.js";

const ROUNDS = 9;
const ROUNDS_WITH_MANY = 3;
const ROUNDS_OF_RE_RENDERS = 3;
/** Destinations of an account of the usual size, and of one of the largest. */
const FEW = 10;
const MANY = 1_000;

const BYTES_MAX = 4_096;
const GOAL_MS = 10;
const TARGETS: BenchResult["targets"] = {
  first_look_to_naive: { atMost: 0.5 },
  returning_look_to_naive: { atMost: 0.5 },
  many_destinations_to_few: { atMost: 1.5 },
  re_renders_to_naive: { atMost: 0.25 },
  gzip_bytes_to_4096: { atMost: 1 },
};

export async function benchTag(report: (progress: string) => void): Promise<BenchResult> {
  const tag = await builtTag();
  const promos = new Map(ON_PAGE.map((number, index) => [number as string, `+1833555000${index}`]));
  const site = await startLandingSite(presents(Object.fromEntries(promos)));
  const browser = await launchChromium();
  try {
    const bench = { browser, site, report };
    put(site, tag, promos);
    const few = await lookRounds(bench);
    const many = await manyRounds(bench);
    const renders = await reRenderRounds(bench);
    return resultOf({ few, many, renders, gzipBytes: gzipSync(tagCall(tag), { level: 9 }).length });
  } finally {
    await browser.close();
    await site.stop();
  }
}

/** The function that the build makes. */
async function builtTag(): Promise<string> {
  // Found beside bench/ where scripts/bench.mjs puts what it compiles.
  const path = join(import.meta.dirname, "..", "scripts", "build-tag.mjs");
  const { buildTag } = (await import(pathToFileURL(path).href)) as { buildTag(): Promise<string> };
  return buildTag();
}

interface Bench {
  readonly browser: Browser;
  readonly site: LandingSite;
  readonly report: (progress: string) => void;
}

function put(site: LandingSite, tag: string, promos: ReadonlyMap<string, string>): void {
  site.put("/", { body: benchPage() });
  const script = (path: string, body: string) => site.put(path, { body, type: "text/javascript" });
  for (const [size, name] of [
    [FEW, "few"],
    [MANY, "many"],
  ] as const) {
    const others = Array.from(
      { length: size - promos.size },
      (_, i) => [`+1646${4_000_000 + i * 7}`, `+1833${4_000_000 + i * 7}`] as const,
    );
    const pairs = new Map([...others, ...promos]);
    script(`/tag-${name}.js`, tagCall(tag, JSON.stringify(configOf([...pairs.keys()]))));
    script(`/walker-${name}.js`, textWalker(pairs));
    script(`/html-${name}.js`, htmlReplacer(pairs));
  }
}

function configOf(numbers: readonly string[]): TagConfig {
  return {
    key: "tag_bench",
    revision: 1,
    paused: false,
    numbers,
    slots_only: false,
    discover: true,
    sources: [],
    consent: "assumed",
    visitor_days: 365,
    custom_data: [],
  };
}

/** By a name, as visitors know a site: on an address the tag would try its cookie for parts of it, one wait after another. Chromium needs no DNS for it. */
function pagesUrl({ url }: LandingSite): string {
  return url.replace("127.0.0.1", "www.shop.localhost");
}

type Look = (name: string, swaps: number, visit: "first" | "returning") => Promise<View>;

/** Each look has a browser context of its own; a returning visitor's has been on the page before. */
function looker({ browser, site }: Bench): Look {
  return async (name, swaps, visit) => {
    const contestant: Contestant = { scriptUrl: `${pagesUrl(site)}/${name}.js`, asks: false, swaps };
    const asking: Contestant = { ...contestant, asks: true };
    const context = await browser.newContext();
    try {
      if (visit === "returning") await firstLook(browser, context, pagesUrl(site), asking);
      const isTag = name.startsWith("tag");
      return await firstLook(browser, context, pagesUrl(site), isTag && visit === "first" ? asking : contestant);
    } finally {
      await context.close();
    }
  };
}

interface LookRounds {
  readonly first: View[];
  readonly returning: View[];
  readonly walker: View[];
  readonly html: View[];
}

async function lookRounds(bench: Bench): Promise<LookRounds> {
  const look = looker(bench);
  const rounds: LookRounds = { first: [], returning: [], walker: [], html: [] };
  const turns = [
    async () => rounds.first.push(await look("tag-few", NUMBERS, "first")),
    async () => rounds.returning.push(await look("tag-few", NUMBERS, "returning")),
    async () => rounds.walker.push(await look("walker-few", NUMBERS - CUT_UP, "first")),
    async () => rounds.html.push(await look("html-few", NUMBERS - CUT_UP, "first")),
  ];
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < turns.length; i++) await turns[(round + i) % turns.length]?.();
    bench.report(
      `round ${round + 1} of ${ROUNDS}: tag ${shown(rounds.first)} ms, returning ${shown(rounds.returning)} ms, naive ${shown(rounds.walker)} ms, HTML at once ${shown(rounds.html)} ms`,
    );
  }
  return rounds;
}

function shown(views: readonly View[]): string {
  return shownMs(views.map(({ scriptMs }) => scriptMs));
}

function shownMs(figures: readonly number[]): string {
  return (figures.at(-1) ?? Number.NaN).toFixed(1);
}

interface Pairs {
  readonly tag: number[];
  readonly walker: number[];
}

async function manyRounds(bench: Bench): Promise<Pairs> {
  const look = looker(bench);
  const pairs: Pairs = { tag: [], walker: [] };
  for (let round = 0; round < ROUNDS_WITH_MANY; round++) {
    pairs.tag.push((await look("tag-many", NUMBERS, "returning")).scriptMs);
    bench.report(`${MANY} destinations: tag ${shownMs(pairs.tag)} ms`);
  }
  // Once: with 1,000 expressions it takes many seconds.
  pairs.walker.push((await look("walker-many", NUMBERS - CUT_UP, "first")).scriptMs);
  bench.report(`${MANY} destinations: naive ${shownMs(pairs.walker)} ms`);
  return pairs;
}

async function reRenderRounds({ browser, site, report }: Bench): Promise<Pairs> {
  const pairs: Pairs = { tag: [], walker: [] };
  const run = async (name: string, asks: boolean, swaps: number) => {
    const context = await browser.newContext();
    try {
      return await reRenders(browser, context, pagesUrl(site), {
        scriptUrl: `${pagesUrl(site)}/${name}.js`,
        asks,
        swaps,
      });
    } finally {
      await context.close();
    }
  };
  for (let round = 0; round < ROUNDS_OF_RE_RENDERS; round++) {
    pairs.tag.push(await run("tag-few", true, NUMBERS));
    pairs.walker.push(await run("walker-few", false, NUMBERS - CUT_UP));
    report(`${RENDERS} re-renders: tag ${shownMs(pairs.tag)} ms, naive ${shownMs(pairs.walker)} ms`);
  }
  return pairs;
}

interface Measured {
  readonly few: LookRounds;
  readonly many: Pairs;
  readonly renders: Pairs;
  readonly gzipBytes: number;
}

function resultOf({ few, many, renders, gzipBytes }: Measured): BenchResult {
  const script = (views: readonly View[]) => median(views.map(({ scriptMs }) => scriptMs));
  const rendering = (views: readonly View[]) => median(views.map(({ renderingMs }) => renderingMs));
  const [first, returning, walker] = [script(few.first), script(few.returning), script(few.walker)];
  return {
    bench: "tag",
    figures: {
      first_look_ms: first,
      returning_look_ms: returning,
      naive_look_ms: walker,
      naive_html_look_ms: script(few.html),
      first_rendering_ms: rendering(few.first),
      naive_rendering_ms: rendering(few.walker),
      naive_html_rendering_ms: rendering(few.html),
      look_of_1000_destinations_ms: median(many.tag),
      naive_look_of_1000_destinations_ms: median(many.walker),
      re_renders_ms: median(renders.tag),
      naive_re_renders_ms: median(renders.walker),
      gzip_bytes: gzipBytes,
    },
    ratios: {
      first_look_to_naive: first / walker,
      returning_look_to_naive: returning / walker,
      many_destinations_to_few: median(many.tag) / returning,
      re_renders_to_naive: median(renders.tag) / median(renders.walker),
      gzip_bytes_to_4096: gzipBytes / BYTES_MAX,
    },
    targets: TARGETS,
    goals: { main_thread_ms_max: { measured: Math.max(first, returning), below: GOAL_MS } },
  };
}
