import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Config, loadConfig } from "../config.js";
import { type Tally, Traffic, type TrafficTarget } from "../dev/traffic.js";
import { systemClock } from "../kernel/clock.js";
import { AppError, messageOf } from "../kernel/errors.js";
import { systemRandom } from "../kernel/random.js";
import { startCallerPhone, udpAddressOf } from "./caller-phone.js";
import type { Command } from "./command.js";

/** Visitors that browse or call at the same moment; one more waits its turn. */
const CONCURRENT_MAX = 50;
const TOKEN_BYTES = 16;

export const demoCommand: Command = {
  help: `Usage: ringmatch demo [--rate VISITORS_PER_SECOND] [--seconds N] [--http URL] [--sip HOST:PORT] [--key ADMIN_KEY]

Visitors browse the demo landing page, some call over SIP or by signed Twilio webhooks, until Ctrl-C. The addresses default to HTTP_LISTEN and SIP_LISTEN,
the key to ADMIN_API_KEY or the one kept in the data directory. Sets a Twilio credential of the demo account.`,
  run: async (words) => {
    const { values } = parseArgs({
      args: [...words],
      options: {
        rate: { type: "string", default: "2" },
        seconds: { type: "string", default: "Infinity" },
        http: { type: "string" },
        sip: { type: "string" },
        key: { type: "string" },
      },
    });
    const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
    if (!(rate > 0) || !(seconds > 0))
      throw new AppError("invalid_value", "--rate and --seconds must be numbers above 0.");
    const config = loadConfig();
    const httpUrl = values.http ?? `http://${config.httpListen.host}:${config.httpListen.port}`;
    const target = await prepare({
      config,
      httpUrl,
      sip: values.sip ?? udpAddressOf(config),
      key: values.key ?? keyOf(config),
    });
    await run(target, { rate, seconds });
  },
};

async function run(target: TrafficTarget, { rate, seconds }: { rate: number; seconds: number }): Promise<void> {
  const phone = await startCallerPhone();
  const traffic = new Traffic({ target, phone, random: systemRandom });
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

async function prepare(input: { config: Config; httpUrl: string; sip: string; key: string }): Promise<TrafficTarget> {
  const { config, httpUrl, sip, key } = input;
  const accounts = await api(input, "GET", "/v1/accounts");
  const demo = (accounts["data"] as { id: string; name: string; tag_key: string }[]).find(
    ({ name }) => name === "Demo Plumbing",
  );
  if (demo === undefined)
    throw new AppError("not_found", "The service has no demo account; it is made by the first embedded start.");
  const twilioToken = systemRandom.bytes(TOKEN_BYTES).toString("hex");
  await api({ httpUrl, key }, "PUT", "/v1/carriers/twilio", { account_id: demo.id, auth_tokens: [twilioToken] });
  return { httpUrl, publicUrl: config.publicBaseUrl ?? httpUrl, sip, tagKey: demo.tag_key, twilioToken };
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
      headers: { authorization: `Bearer ${where.key}`, "content-type": "application/json" },
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
  const { visitors, presented, renewed, overflow, sipCalls, webhookCalls, answered, failed } = tally;
  const line = `visitors ${visitors}: presented ${presented}, renewed ${renewed}, overflow ${overflow} | calls: SIP ${sipCalls}, webhook ${webhookCalls}, answered ${answered}, failed ${failed}`;
  process.stdout.write(process.stdout.isTTY || end === "\n" ? `\r${line}  ${end === "\n" ? "\n" : ""}` : "");
}
