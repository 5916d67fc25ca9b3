import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Config, loadConfig } from "../config.js";
import type { CarrierVoice } from "../dev/carrier-voices/carrier-voice.js";
import { CARRIER_VOICES } from "../dev/carrier-voices/carrier-voices.js";
import { chooseVoices } from "../dev/demo-carriers.js";
import { type Tally, Traffic, type TrafficTarget } from "../dev/traffic.js";
import { authorityOf } from "../kernel/authority.js";
import { bearer } from "../kernel/bearer.js";
import { systemClock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import { systemRandom } from "../kernel/random.js";
import { startCallerPhone, udpAddressOf } from "./caller-phone.js";
import type { Command } from "./command.js";

/** Visitors that browse or call at the same moment; one more waits its turn. */
const CONCURRENT_MAX = 50;

export const demoCommand: Command = {
  help: `Usage: ringmatch demo [--rate VISITORS_PER_SECOND] [--seconds N] [--http URL] [--sip HOST:PORT] [--key ADMIN_KEY]
                      [--carriers NAME,NAME]

Visitors browse the demo landing page, some call over SIP or by carriers' signed webhooks, until Ctrl-C. The addresses default to HTTP_LISTEN and SIP_LISTEN,
the key to ADMIN_API_KEY or the one kept in the data directory, the carriers to all that can be spoken without an API of theirs. Sets credentials of the
demo account for these carriers.`,
  run: async (words) => {
    const { values } = parseArgs({
      args: [...words],
      options: {
        rate: { type: "string", default: "2" },
        seconds: { type: "string", default: "Infinity" },
        http: { type: "string" },
        sip: { type: "string" },
        key: { type: "string" },
        carriers: { type: "string" },
      },
    });
    const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
    if (!(rate > 0) || !(seconds > 0))
      throw new AppError("invalid_value", "--rate and --seconds must be numbers above 0.");
    const voices = chooseVoices(CARRIER_VOICES, values.carriers ?? null);
    const config = loadConfig();
    const httpUrl = values.http ?? `http://${authorityOf(config.httpListen)}`;
    const target = await prepare({
      config,
      httpUrl,
      sip: values.sip ?? udpAddressOf(config),
      key: values.key ?? keyOf(config),
      voices,
    });
    await run(target, { rate, seconds });
  },
};

async function run(target: TrafficTarget, { rate, seconds }: { rate: number; seconds: number }): Promise<void> {
  const phone = await startCallerPhone();
  const traffic = new Traffic({ target, phone, random: systemRandom, now: systemClock.now });
  const stopping = new AbortController();
  process.once("SIGINT", () => stopping.abort());
  process.once("SIGTERM", () => stopping.abort());
  const endAt = systemClock.monotonicMs() + seconds * 1000;
  const visits = new Set<Promise<void>>();
  while (!stopping.signal.aborted && systemClock.monotonicMs() < endAt) {
    if (visits.size < CONCURRENT_MAX) {
      const visit: Promise<void> = traffic.visit(stopping.signal).finally(() => visits.delete(visit));
      visits.add(visit);
    }
    show(traffic.tally, "\r");
    await new Promise((resolve) => setTimeout(resolve, 1000 / rate));
  }
  await Promise.all(visits);
  show(traffic.tally, "\n");
  await phone.stop();
}

async function prepare(input: {
  config: Config;
  httpUrl: string;
  sip: string;
  key: string;
  voices: readonly CarrierVoice[];
}): Promise<TrafficTarget> {
  const { config, httpUrl, sip, voices } = input;
  const accounts = await api(input, "GET", "/v1/accounts");
  const demo = (accounts["data"] as { id: string; name: string; tag_key: string }[]).find(
    ({ name }) => name === "Demo Plumbing",
  );
  if (demo === undefined)
    throw new AppError("not_found", "The service has no demo account; it is made by the first embedded start.");
  const carriers = voices.map((voice) => ({ voice, keys: voice.makeKeys(systemRandom) }));
  for (const { voice, keys } of carriers) {
    await api(input, "PUT", `/v1/carriers/${voice.carrier}`, { account_id: demo.id, ...keys.credential });
  }
  return { httpUrl, publicUrl: config.publicBaseUrl ?? httpUrl, sip, tagKey: demo.tag_key, carriers };
}

async function api(
  where: { httpUrl: string; key: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  let response: Response;
  try {
    response = await fetch(where.httpUrl + path, {
      method,
      headers: { authorization: bearer(where.key), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch (error) {
    const why = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
    throw new AppError(
      "invalid_value",
      `No service answers at ${where.httpUrl} (${why}); run \`npm start\` first, or give --http.`,
      { cause: error },
    );
  }
  if (!response.ok)
    throw new AppError("invalid_value", `${method} ${path} answered ${response.status}; give the right --key.`);
  return (await response.json()) as Record<string, unknown>;
}

function keyOf(config: Config): string {
  if (config.adminApiKey !== null) return config.adminApiKey;
  try {
    return readFileSync(join(config.dataDir, "admin-key"), "utf8").trim();
  } catch (error) {
    throw new AppError("invalid_value", "There is no admin key in the data directory; give --key or ADMIN_API_KEY.", {
      cause: error,
    });
  }
}

function show(tally: Tally, end: string): void {
  const { visitors, presented, renewed, overflow, calls, answered, failed } = tally;
  const byDoor = [...calls].map(([door, count]) => `${door} ${count}`).join(", ") || "none";
  const line = `visitors ${visitors}: presented ${presented}, renewed ${renewed}, overflow ${overflow} | calls: ${byDoor}; answered ${answered}, failed ${failed}`;
  process.stdout.write(process.stdout.isTTY || end === "\n" ? `\r${line}  ${end === "\n" ? "\n" : ""}` : "");
}
