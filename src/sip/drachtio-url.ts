/** DRACHTIO_URL read into an address. Called by config-fields.ts, hence without drachtio-srf: what it refuses, `ringmatch config check` finds before `start`. */

export interface DrachtioAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export const DRACHTIO_URL_FORM = "must be drachtio://:SECRET@host:9022, or a comma list of them";

/** The secret in every copy of drachtio-server's sample configuration. */
const SAMPLE_SECRET = "cymru";
const USUAL_PORT = 9022;

/** @returns the address, or what is wrong with it, to be read after the variable's name */
export function parseDrachtioUrl(text: string): DrachtioAddress | string {
  if (!URL.canParse(text)) return DRACHTIO_URL_FORM;
  const { protocol, hostname, port, password } = new URL(text);
  const secret = decoded(password);
  if (protocol !== "drachtio:" || hostname === "" || port === "0" || secret === null) return DRACHTIO_URL_FORM;
  if (secret === "") return `${DRACHTIO_URL_FORM}; the SECRET is missing`;
  if (secret === SAMPLE_SECRET)
    return "uses the secret of drachtio-server's sample configuration; set another on both sides";
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? USUAL_PORT : Number(port), secret };
}

/** Null for a % that begins no byte. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
