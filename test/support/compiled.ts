/**
 * The service's source as plain JavaScript, for tests that need it in a process of its own (to kill that process). Types are dropped file by
 * file, which takes a tenth of a second; the type check has its own command.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Compiled {
  /** Holds what `rooms` of src/ became, under the same names, `.js`. */
  readonly directory: string;
  remove(): void;
}

/** @param into where to put it; a directory of the project unless told, so that its node_modules are found */
export function compileSource(rooms: readonly string[] = ["kernel", "dev"], into = makeCacheDirectory()): Compiled {
  for (const room of rooms) {
    for (const entry of readdirSync(join(ROOT, "src", room), { recursive: true, encoding: "utf8" })) {
      if (entry.endsWith(".ts")) compileFile(join("src", room, entry), join(into, room, entry.replace(/\.ts$/, ".js")));
    }
  }
  writeFileSync(join(into, "package.json"), JSON.stringify({ type: "module" }));
  return { directory: into, remove: () => rmSync(into, { recursive: true, force: true }) };
}

function makeCacheDirectory(): string {
  const cache = join(ROOT, ".cache");
  mkdirSync(cache, { recursive: true });
  return mkdtempSync(join(cache, "compiled-"));
}

function compileFile(source: string, target: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(ROOT, source), "utf8"), {
    fileName: source,
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText);
}
