import { parseArgs } from "node:util";
import { type Config, loadConfig, SECRET_VARIABLES, VARIABLES } from "../config.js";
import { authorityOf } from "../kernel/authority.js";
import type { Command } from "./command.js";

export const configCommand: Command = {
  help: "Usage: ringmatch config check\n\nLists every variable with its meaning, then what is in force. Exits 1 when something is not usable. Shows no secret.",
  run: async (words) => {
    parseArgs({ args: [...words] });
    for (const [name, meaning] of Object.entries(VARIABLES)) console.log(`${name}\n    ${meaning}`);
    console.log(
      `${SECRET_VARIABLES.map((name) => `${name}_FILE`).join(", ")}\n    a file that holds it, instead of the variable itself`,
    );
    console.log("\nIn force:");
    for (const [name, value] of Object.entries(shown(loadConfig()))) console.log(`  ${name.padEnd(20)}${value}`);
  },
};

const set = (value: unknown): string => (value === null ? "not set" : "set");

function fallbackShown({ fallbackBaseUrl, publicBaseUrl }: Config): string {
  if (fallbackBaseUrl === null) return "not set: carriers ask the service for the fallback of a number";
  return publicBaseUrl === null
    ? `${fallbackBaseUrl}, but nothing is set at carriers without PUBLIC_BASE_URL`
    : fallbackBaseUrl;
}

function shown(config: Config): Record<string, string> {
  const { httpListen, sipListen, drachtioServers } = config;
  return {
    mode: config.isEmbedded ? "embedded (own PostgreSQL)" : "with DATABASE_URL",
    http: authorityOf(httpListen),
    sip:
      drachtioServers.length > 0
        ? `${drachtioServers.length} drachtio-server`
        : sipListen.map((address) => `${address.transport}/${authorityOf(address)}`).join(", "),
    redis: config.redisUrl === null ? "own" : "with REDIS_URL",
    roles: config.roles.join(", "),
    drain_s: String(config.drainMs / 1000),
    data_dir: config.dataDir,
    public_base_url: config.publicBaseUrl ?? "not set: carriers' signatures are checked against the listening address",
    fallback_base_url: fallbackShown(config),
    admin_api_key: set(config.adminApiKey),
    secrets_key: config.secretsKey === null ? "kept in the data directory" : "set",
    intercept_uri: config.interceptUri ?? "not set: 404",
    trusted_cidrs: config.presentTrustedCidrs.join(", ") || "none",
    webhook_allow_cidrs: config.webhookAllowCidrs.join(", ") || "none",
    number_carrier: config.numberCarrier ?? "twilio",
    twilio_api_url: config.twilioApiUrl,
    telnyx_api_url: config.telnyxApiUrl,
    ga4_url: config.networkUrls.ga4,
    google_ads_url: config.networkUrls.googleAds,
    google_oauth_url: config.networkUrls.googleOauth,
    meta_url: config.networkUrls.meta,
    log_level: config.logLevel,
  };
}
