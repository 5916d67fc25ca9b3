/**
 * Runs the tests that drachtio-srf ships in its own package against our SIP edge, unchanged: `npm run build && node scripts/srf-suite.mjs [--dist DIR]
 * [--write]`. They are made for a network of containers with fixed names; here every name becomes a loopback port while a file is loaded, each business
 * is a sipp of this machine, and `tape` and `config` are stood in for by the little of them that is used. `--write` puts the table into docs/srf-suite.md.
 */
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = resolve(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const SUITE = join(dirname(require.resolve("drachtio-srf/package.json")), "test");
const FILES = ["b2b", "reinvite-tests", "uac", "uas", "proxy", "refer"];
/** Their longest waits 32 s for an ACK timeout, twice. */
const FILE_MS_MAX = 200_000;

const argument = (name) => process.argv[process.argv.indexOf(name) + 1];

/** One process a file: an uncaught error of one is not the end of the others. */
async function runAll(dist) {
  const only = process.argv.includes("--only") ? argument("--only").split(",") : FILES;
  const results = [];
  for (const file of only) {
    const child = spawn(process.execPath, [import.meta.filename, "--file", file, "--dist", dist], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    const timer = setTimeout(() => child.kill("SIGKILL"), FILE_MS_MAX);
    const code = await new Promise((done) => child.on("exit", done));
    clearTimeout(timer);
    const rows = output.split("\n").flatMap((line) => (line.startsWith("@") ? [JSON.parse(line.slice(1))] : []));
    if (code !== 0) rows.push({ ok: false, what: `the file did not come to its end (${code ?? "killed"})` });
    // Their chains of promises skip to the next `catch`, which may even say "pass": what was skipped has not passed.
    const text = readFileSync(join(SUITE, `${file}.js`), "utf8");
    for (const [, what] of text.matchAll(/t\.pass\('([^']+)'\)/g))
      if (!rows.some((row) => row.what === what)) rows.push({ ok: false, what: `${what} (not reached)` });
    for (const row of rows) results.push({ file, ...row });
  }
  const table = ["| file | what | result |", "|---|---|---|"];
  for (const { file, ok, what } of results)
    table.push(`| ${file}.js | ${what.replaceAll("|", "/")} | ${ok ? "passes" : "fails"} |`);
  const failed = results.filter(({ ok }) => !ok).length;
  const summary = `${results.length - failed} passed, ${failed} failed`;
  process.stdout.write(`${table.join("\n")}\n\n${summary}\n`);
  if (process.argv.includes("--write")) writeTable(table, summary);
  process.exitCode = failed === 0 ? 0 : 1;
}

function writeTable(table, summary) {
  const { version } = require("drachtio-srf/package.json");
  const intro = `# drachtio-srf's own tests against our SIP edge\nVersion ${version}, its files unchanged, made by \`node scripts/srf-suite.mjs --write\`: ${summary}.\n`;
  const path = join(ROOT, "docs/srf-suite.md");
  const repairs = REPAIRS.map(
    ({ why, files }) => `- ${files.source === "." ? "all" : files.source.replace(/[\\^$]/g, "")}: ${why}`,
  );
  const end = `\nScenarios put right in the copy that runs:\n${repairs.join("\n")}\n`;
  writeFileSync(path, `${intro}\n${table.join("\n")}\n${end}`);
}

async function runFile(file, dist) {
  const say = (ok, what) => process.stdout.write(`@${JSON.stringify({ ok, what: String(what) })}\n`);
  const load = (path) => import(pathToFileURL(join(dist, path)).href);
  const [{ SipEdge }, { systemClock }, { systemRandom }, { silentLog }] = await Promise.all(
    ["sip/edge/sip-edge.js", "kernel/clock.js", "kernel/random.js", "kernel/log.js"].map(load),
  );
  const edges = [];
  const startEdge = async () => {
    const edge = new SipEdge({
      listen: ["udp", "tcp"].map((transport) => ({ transport, host: "127.0.0.1", port: 0 })),
      admin: { host: "127.0.0.1", port: 0, secret: "cymru" },
      sourceCidrs: ["127.0.0.0/8"],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    edges.push(edge);
    return edge.start();
  };
  const sut = await startEdge();
  const second = await startEdge();
  const dir = mkdtempSync(join(tmpdir(), "srf-suite-"));
  const children = new Set();
  const places = await namedPlaces();
  places.set("drachtio-sut", { port: sut.sip[0].port }).set("172.29.0.10", { port: sut.sip[0].port });
  places.set("drachtio-uas", { port: second.sip[0].port }).set("172.29.0.19", { port: second.sip[0].port });
  const localize = localizer(places);
  const run = (scenario, args) => {
    const path = join(dir, `${children.size}-${scenario}`);
    writeFileSync(path, repair(scenario, localize(readFileSync(join(SUITE, "scenarios", scenario), "utf8"))));
    const child = spawn("sipp", ["-sf", path, "-i", "127.0.0.1", "-nostdin", ...args], { cwd: dir, stdio: "ignore" });
    children.add(child);
    return child;
  };
  const done = (child) =>
    new Promise((ok, no) => child.on("exit", (code) => (code === 0 ? ok() : no(new Error(`sipp ended with ${code}`)))));
  for (const { port, scenario } of places.values()) if (scenario) run(scenario, ["-p", String(port)]);

  const admin = (edge) => ({ host: edge.admin.host, port: edge.admin.port, secret: "cymru" });
  const finish = async (code) => {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(edges.map((edge) => edge.stop()));
    rmSync(dir, { recursive: true, force: true });
    process.exit(code);
  };
  let calls = 0;
  const standIns = {
    tape: tapeStandIn(say, finish),
    config: { get: (name) => admin(name.includes("uas") ? second : sut) },
    "./sipp": () => ({
      output: () => "",
      sippUac: async (scenario) =>
        done(
          run(scenario, [
            ...["-m", "1", "-sleep", "1", "-p", String(await freePort()), "-cid_str", `%u-%p@%s-${calls++}`],
            `127.0.0.1:${sut.sip[0].port}`,
          ]),
        ),
      sippUas: (scenario, name) => done(run(scenario, ["-m", "1", "-p", String(places.get(name).port)])),
    }),
  };
  install(standIns, localize);
  process.on("uncaughtException", (error) => {
    say(false, `uncaught: ${error.message}`);
    void finish(1);
  });
  require(join(SUITE, `${file}.js`));
}

/** Mistakes of their scenarios, put right in the copy that runs; the table says so. */
const REPAIRS = [
  {
    files: /./,
    why: "`<` inside an attribute is no XML; Debian's sipp refuses it",
    apply: (text) => text.replaceAll('regexp="<sip:(.*)>"', 'regexp="&lt;sip:(.*)&gt;"'),
  },
  {
    files: /^uac-prack\.xml$/,
    why: "its RAck ends in `INVITE INVITE`, which is no RAck (RFC 3262 §7.2)",
    apply: (text) => text.replaceAll("RAck: [$1] [$2] INVITE", "RAck: [$1] [$2]"),
  },
  {
    files: /^uas-reinvite-overlap\.xml$/,
    why: "its answers inside the dialog have a second To tag (RFC 3261 §7.3.1: a parameter is there once)",
    apply: (text) => {
      const [first, ...rest] = text.split('<recv request="ACK"');
      const later = rest.map((part) => part.replaceAll(/(\[last_To:\]);tag=\S+/g, "$1"));
      return [first, ...later].join('<recv request="ACK"');
    },
  },
];

function repair(scenario, text) {
  return REPAIRS.filter(({ files }) => files.test(scenario)).reduce((fixed, { apply }) => apply(fixed), text);
}

/** The containers of their compose file, by name and by address, and those that their tests start by themselves. */
async function namedPlaces() {
  const places = new Map();
  const compose = readFileSync(join(SUITE, "docker-compose-testbed.yaml"), "utf8");
  for (const [, name, rest] of compose.matchAll(/^  ([\w-]+):\n((?:    .*\n|\s*\n)+)/gm)) {
    const scenario = /-sf \/tmp\/([\w.-]+)/.exec(rest)?.[1];
    const address = /ipv4_address: ([\d.]+)/.exec(rest)?.[1];
    if (scenario === undefined) continue;
    const place = { port: await freePort(), scenario };
    places.set(name, place);
    if (address !== undefined) places.set(address, { port: place.port });
  }
  for (const file of FILES) {
    const text = readFileSync(join(SUITE, `${file}.js`), "utf8");
    for (const [, name] of text.matchAll(/sippUas\('[\w.-]+', '([\w-]+)'\)/g))
      if (!places.has(name)) places.set(name, { port: await freePort() });
  }
  return places;
}

/** Names of containers become loopback ports, in their code and in their scenarios; the name alone stays where it only names a container. */
function localizer(places) {
  const names = [...places.keys()].toSorted((a, b) => b.length - a.length).map((name) => name.replaceAll(".", "\\."));
  const inUri = new RegExp(`(sips?:(?:[^@\\s'"<>]*@)?)(${names.join("|")})(?![\\w.-])`, "g");
  const bare = new RegExp(`((?:proxy\\w+\\(|createB2BUA\\(req, res, |expectFailure\\()')(${names.join("|")})'`, "g");
  const at = (name) => `127.0.0.1:${places.get(name).port}`;
  return (text) =>
    text
      .replace(inUri, (_all, before, name) => `${before}${at(name)}`)
      .replace(bare, (_all, before, name) => `${before}sip:${at(name)}'`);
}

function install(standIns, localize) {
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

/** One test a file; assertions are said as they come. */
function tapeStandIn(say, finish) {
  return (_name, run) => {
    let timer;
    let failures = 0;
    const check = (ok, what) => {
      if (!ok) failures += 1;
      say(Boolean(ok), what);
    };
    const end = (error) => {
      clearTimeout(timer);
      if (error) check(false, error.message ?? error);
      void finish(0);
    };
    run({
      timeoutAfter: (ms) =>
        (timer = setTimeout(() => end(new Error(`nothing more came in ${ms} ms: the rest was not reached`)), ms)),
      pass: (what) => check(true, what),
      fail: (what) => check(false, what),
      ok: check,
      notOk: (value, what) => check(!value, what),
      equal: (a, b, what) => check(a === b, what),
      comment: () => undefined,
      error: (error, what) => {
        if (error) end(error);
        else check(true, what ?? "no error");
      },
      end,
    });
  };
}

async function freePort() {
  const socket = createSocket("udp4");
  await new Promise((bound) => socket.bind(0, "127.0.0.1", bound));
  const { port } = socket.address();
  await new Promise((closed) => socket.close(closed));
  return port;
}

if (process.argv.includes("--file")) await runFile(argument("--file"), argument("--dist"));
else await runAll(process.argv.includes("--dist") ? resolve(argument("--dist")) : join(ROOT, "dist"));
