/**
 * One of drachtio-srf's test files in a process of its own: `run-file.mjs FILE DIST`. Its `tape`, `config` and `./sipp` are stood in for while it is
 * loaded; every assertion is printed as a line `@{"ok":…,"what":…}` for run-all.mjs.
 */
import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { join, sep } from "node:path";
import { SCENARIO_TESTS } from "./more-scenarios.mjs";
import { SUITE } from "./places.mjs";
import { tapeStandIn } from "./tape.mjs";
import { startTestbed } from "./testbed.mjs";

const require = createRequire(import.meta.url);
const [file, dist] = process.argv.slice(2);
const say = (ok, what) => process.stdout.write(`@${JSON.stringify({ ok, what: String(what) })}\n`);

const more = SCENARIO_TESTS[file];
const testbed = await startTestbed(more?.names ?? readFileSync(join(SUITE, file), "utf8"), dist);
const finish = async () => {
  await testbed.stop();
  // Their apps keep sockets open.
  process.exit(0);
};
process.on("uncaughtException", (error) => {
  say(false, `uncaught: ${error.message}`);
  void finish();
});
standIn(
  {
    tape: tapeStandIn(say, () => void finish()),
    config: { get: testbed.admin },
    "./sipp": () => ({ output: () => "", sippUac: testbed.sippUac, sippUas: testbed.sippUas }),
  },
  testbed.localize,
);
if (more === undefined) require(join(SUITE, file));
else {
  const outcome = await more.run(testbed, (path) => require(join(SUITE, path))).then(
    () => true,
    () => false,
  );
  say(outcome, more.what);
  await finish();
}

function standIn(standIns, localize) {
  const load = Module._load;
  Module._load = function (name, parent, ...rest) {
    const isTheirs = parent?.filename?.startsWith(SUITE + sep);
    return isTheirs && name in standIns ? standIns[name] : load.call(this, name, parent, ...rest);
  };
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (text, path, ...rest) {
    return compile.call(this, path.startsWith(SUITE + sep) ? localize(text) : text, path, ...rest);
  };
}
