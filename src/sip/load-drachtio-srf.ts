/**
 * drachtio-srf as the build leaves it (scripts/build-drachtio-srf.mjs): without the texts for its debug log, which cost a bare call 5 to 12 % of
 * its time whether anybody reads them or not. Where that file is not (nothing was built, or somebody wants the log of `DEBUG=drachtio:*`), the package itself.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Srf } from "./drachtio-types.js";

/** From src/sip and from dist/sip alike. */
const BUILT = fileURLToPath(new URL("../../dist/drachtio-srf.cjs", import.meta.url));

export function loadDrachtioSrf(built = BUILT): new () => Srf {
  return createRequire(import.meta.url)(existsSync(built) ? built : "drachtio-srf") as new () => Srf;
}
