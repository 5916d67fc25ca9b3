/** `ringmatch <command>`: finds the command, and turns what goes wrong into one sentence and an exit code. */
import { AppError } from "../kernel/errors.js";
import { callCommand } from "./call.js";
import type { Command } from "./command.js";
import { configCommand } from "./config-check.js";
import { demoCommand } from "./demo.js";
import { keysCommand } from "./keys-create.js";
import { migrateCommand } from "./migrate.js";
import { numbersCommand } from "./numbers-import.js";
import { startCommand } from "./start.js";

const COMMANDS: readonly Command[] = [
  startCommand,
  migrateCommand,
  keysCommand,
  configCommand,
  numbersCommand,
  callCommand,
  demoCommand,
];

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** @param words what follows `ringmatch` on the command line */
export async function runCommand(words: readonly string[]): Promise<void> {
  const command = COMMANDS.find(({ name }) => name.split(" ").every((word, i) => words[i] === word));
  if (command === undefined) return void usage(words);
  const rest = words.slice(command.name.split(" ").length);
  if (rest.includes("--help") || rest.includes("-h")) return console.log(command.help);
  try {
    await command.run(rest);
  } catch (error) {
    if (isUsageFault(error)) {
      console.error(`ringmatch ${command.name}: ${error.message}\n\n${command.help}`);
      process.exitCode = EXIT_USAGE;
      return;
    }
    // An AppError's sentence says what to do; anything else is ours and wants its stack.
    console.error(error instanceof AppError ? `ringmatch: ${error.message}` : error);
    process.exit(EXIT_FAILED);
  }
}

function usage(words: readonly string[]): void {
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`).join("\n");
  const text = `Usage: ringmatch <command> [options]\n\n${list}\n\n\`ringmatch <command> --help\` tells more.`;
  if (words.length === 0 || words[0] === "--help" || words[0] === "-h") return console.log(text);
  console.error(`ringmatch: there is no command "${words.join(" ")}".\n\n${text}`);
  process.exitCode = EXIT_USAGE;
}

/** What node:util's parseArgs throws for options it does not know. */
function isUsageFault(error: unknown): error is Error {
  return error instanceof Error && String((error as { code?: unknown }).code ?? "").startsWith("ERR_PARSE_ARGS");
}
