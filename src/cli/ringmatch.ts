/** `ringmatch <command>`: finds the command, and turns what goes wrong into one sentence and an exit code. */
import { AppError } from "../kernel/errors.js";
import type { Command } from "./command.js";

/** SQLSTATE. Not asked of db/database.ts: a command that needs no database loads none. */
const UNDEFINED_TABLE = "42P01";

interface Entry {
  /** As typed after `ringmatch`: one word or two. */
  readonly name: string;
  readonly summary: string;
  /** Loaded when it is asked for: most commands need a small part of the service. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
  { name: "start", summary: "run the service", load: async () => (await import("./start.js")).startCommand },
  {
    name: "migrate",
    summary: "bring the database to the newest schema",
    load: async () => (await import("./migrate.js")).migrateCommand,
  },
  { name: "keys create", summary: "make an API key", load: async () => (await import("./keys-create.js")).keysCommand },
  {
    name: "config check",
    summary: "explain the configuration and check it",
    load: async () => (await import("./config-check.js")).configCommand,
  },
  {
    name: "numbers import",
    summary: "add promo numbers to the available inventory",
    load: async () => (await import("./numbers-import.js")).numbersCommand,
  },
  {
    name: "fallback export",
    summary: "write what numbers answer while the service does not, for another host",
    load: async () => (await import("./fallback-export.js")).fallbackCommand,
  },
  {
    name: "pool size",
    summary: "plan how many numbers a pool should have",
    load: async () => (await import("./pool-size.js")).poolSizeCommand,
  },
  {
    name: "replay",
    summary: "prove that records are what the log says; try other pool settings",
    load: async () => (await import("./replay.js")).replayCommand,
  },
  {
    name: "export",
    summary: "write calls to a CSV, NDJSON or Parquet file",
    load: async () => (await import("./export.js")).exportCommand,
  },
  {
    name: "call",
    summary: "place one real SIP call to a running service",
    load: async () => (await import("./call.js")).callCommand,
  },
  {
    name: "demo",
    summary: "simulated traffic against a running service",
    load: async () => (await import("./demo.js")).demoCommand,
  },
];

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** @param words what follows `ringmatch` on the command line */
export async function runCommand(words: readonly string[]): Promise<void> {
  // A reader that went away (`| head`) misses what is said; what is done goes on. Unheard, the failed write would be an exception.
  process.stdout.on("error", () => {});
  if (words[0] === "help") return runCommand([...words.slice(1), "--help"]);
  const entry = COMMANDS.find(({ name }) => name.split(" ").every((word, i) => words[i] === word));
  if (entry === undefined) return void usage(words);
  const rest = words.slice(entry.name.split(" ").length);
  const command = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) return console.log(command.help);
  try {
    await command.run(rest);
  } catch (error) {
    if (isUsageFault(error)) {
      console.error(`ringmatch ${entry.name}: ${error.message}\n\n${command.help}`);
      process.exitCode = EXIT_USAGE;
      return;
    }
    // An AppError's sentence says what to do; anything else is ours and wants its stack.
    const isEmpty = (error as { code?: unknown } | null)?.code === UNDEFINED_TABLE;
    const sentence = isEmpty ? "The database has no tables of this version; run `ringmatch migrate` first." : null;
    console.error(error instanceof AppError ? `ringmatch: ${error.message}` : (sentence ?? error));
    process.exit(EXIT_FAILED);
  }
}

function usage(words: readonly string[]): void {
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(18)}${summary}`).join("\n");
  const text = `Usage: ringmatch <command> [options]\n\n${list}\n\n\`ringmatch <command> --help\` tells more.`;
  const isHelp = ["--help", "-h"].includes(words.at(-1) ?? "--help");
  const named = isHelp ? words.slice(0, -1) : words;
  // Of `keys create`, `keys` alone is where somebody begins who asks.
  const isBegun = named.length === 0 || COMMANDS.some(({ name }) => name.startsWith(`${named.join(" ")} `));
  if (isHelp && isBegun) return console.log(text);
  console.error(`ringmatch: there is no command "${named.join(" ")}".\n\n${text}`);
  process.exitCode = EXIT_USAGE;
}

/** What node:util's parseArgs throws for options it does not know. */
function isUsageFault(error: unknown): error is Error {
  return error instanceof Error && String((error as { code?: unknown }).code ?? "").startsWith("ERR_PARSE_ARGS");
}
