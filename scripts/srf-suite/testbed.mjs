/** What drachtio-srf's tests find in their compose file: two edges of ours in the place of two drachtio-servers, and a sipp for every business. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freePort, localizer, namedPlaces, SUITE } from "./places.mjs";
import { repair } from "./repairs.mjs";

const SECRET = "cymru";
/** As in their own sipp.js: an app that was made just now connects first. */
const APP_CONNECTS_MS = 250;

/** @param text of the file to run: what it names is started */
export async function startTestbed(text, dist) {
  const startEdge = await edgeStarter(dist);
  const [sut, uas] = [await startEdge(), await startEdge()];
  const places = await namedPlaces(text, { sut: sut.sip[0].port, uas: uas.sip[0].port });
  const localize = localizer(places);
  const dir = mkdtempSync(join(tmpdir(), "srf-suite-"));
  const children = new Set();
  let calls = 0;

  const run = (scenario, args) => {
    const path = join(dir, `${children.size}-${scenario}`);
    writeFileSync(path, repair(scenario, localize(readFileSync(join(SUITE, "scenarios", scenario), "utf8"))));
    const child = spawn("sipp", ["-sf", path, "-i", "127.0.0.1", "-nostdin", ...args], { cwd: dir, stdio: "ignore" });
    children.add(child);
    return child;
  };
  for (const { port, scenario } of places.values()) if (scenario) run(scenario, ["-p", String(port)]);

  return {
    localize,
    /** How an app finds the drachtio-server of that name. */
    admin: (name) => ({ ...(name.includes("uas") ? uas : sut).admin, secret: SECRET }),
    async sippUac(scenario) {
      await new Promise((connected) => setTimeout(connected, APP_CONNECTS_MS));
      const own = ["-m", "1", "-p", String(await freePort()), "-cid_str", `%u-%p@%s-${calls++}`];
      return ended(run(scenario, [...own, `127.0.0.1:${sut.sip[0].port}`]));
    },
    sippUas: (scenario, name) => ended(run(scenario, ["-m", "1", "-p", String(places.get(name).port)])),
    async stop() {
      for (const child of children) child.kill("SIGKILL");
      await Promise.all([sut.edge.stop(), uas.edge.stop()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function ended(sipp) {
  return new Promise((ok, no) => sipp.on("exit", (code) => (code === 0 ? ok() : no(new Error(`sipp ended with ${code}`)))));
}

async function edgeStarter(dist) {
  const load = (path) => import(pathToFileURL(join(dist, path)).href);
  const paths = ["sip/edge/sip-edge.js", "kernel/clock.js", "kernel/random.js", "kernel/log.js"];
  const [{ SipEdge }, { systemClock }, { systemRandom }, { silentLog }] = await Promise.all(paths.map(load));
  return async () => {
    const edge = new SipEdge({
      listen: ["udp", "tcp"].map((transport) => ({ transport, host: "127.0.0.1", port: 0 })),
      admin: { host: "127.0.0.1", port: 0, secret: SECRET },
      sourceCidrs: ["127.0.0.0/8"],
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    return { edge, ...(await edge.start()) };
  };
}
