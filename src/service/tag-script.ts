/** The browser tag that the build left in dist/, with the package's version. Read once, at the start of the HTTP role. */
import { readFileSync } from "node:fs";
import type { TagScript } from "../account/tag-file.js";
import { AppError } from "../kernel/errors.js";

/** From src/ as from dist/: both lie beside package.json. */
const ROOT = new URL("../../", import.meta.url);

/** @throws AppError("config_invalid") when it was not built */
export function readTagScript(): TagScript {
  try {
    const { version } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as { version: string };
    return { version, text: readFileSync(new URL("dist/tag/tag.js", ROOT), "utf8").trim() };
  } catch (cause) {
    throw new AppError("config_invalid", "dist/tag/tag.js cannot be read: run `npm run build`.", { cause });
  }
}
