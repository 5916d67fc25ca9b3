/** What the build makes of drachtio-srf is drachtio-srf, but for its debug log. That it works is what all other tests of this folder prove: they run on it. */
import { createRequire } from "node:module";
import { expect, it } from "vitest";
import { buildDrachtioSrf, withoutDebugTexts } from "../../scripts/build-drachtio-srf.mjs";
import { loadDrachtioSrf } from "../../src/sip/load-drachtio-srf.js";

const packaged = createRequire(import.meta.url)("drachtio-srf") as new () => object;

it.each([
  ["a text that is made of a message", "a(); debug(`msg: ${JSON.stringify(m)}`); b();", "a(); ; b();"],
  ["over several lines, so that each line keeps its number", "debug(`one` +\n  two);\nb();", ";\n\nb();"],
  ["all that an `if` has", "if (a) debug(b); else debugSocket(c);", "if (a) ; else ;"],
  ["in a function within a call", "each((x) => { debug(x); send(x); });", "each((x) => { ; send(x); });"],
  ["the logger itself stays", 'const debug = require("debug")("x");', 'const debug = require("debug")("x");'],
  ["a question of the logger stays", "if (debug.enabled) log(x);", "if (debug.enabled) log(x);"],
  ["what is done with its result stays", "const a = debug(b); c(debug(d));", "const a = debug(b); c(debug(d));"],
  ["another logger's words stay", "console.error(`debug(${a})`);", "console.error(`debug(${a})`);"],
])("statements of the debug log go: %s", (_what, source, left) => {
  expect(withoutDebugTexts(source)).toBe(left);
});

it("in the built module nothing is put into words for a debug log, and no header's name asks the environment", async () => {
  const built = await buildDrachtioSrf();
  expect(built.match(/^\s*debug\w*\(.*/gm)).toBeNull();
  expect(built).not.toContain("process.env.DRACHTIO");
  const module = { exports: packaged };
  new Function("module", "exports", "require", built)(module, module.exports, createRequire(import.meta.url));
  expect(module.exports).not.toBe(packaged);
  expect(Object.getOwnPropertyNames(module.exports)).toEqual(Object.getOwnPropertyNames(packaged));
  expect(Object.getOwnPropertyNames(module.exports.prototype)).toEqual(Object.getOwnPropertyNames(packaged.prototype));
});

it("what was built is loaded, and where nothing was, the package itself", () => {
  expect(loadDrachtioSrf()).not.toBe(packaged);
  expect(loadDrachtioSrf("/nowhere/drachtio-srf.cjs")).toBe(packaged);
});
