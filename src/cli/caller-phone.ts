/** The SIP phone of commands that call a running service, and where that service takes calls. */
import { createSocket } from "node:dgram";
import { authorityOf } from "../kernel/authority.js";
import type { Config } from "../config.js";
import { SipPhone } from "../dev/sip-phone.js";
import { systemClock } from "../kernel/clock.js";
import { AppError } from "../kernel/errors.js";
import { createLog } from "../kernel/log.js";
import { systemRandom } from "../kernel/random.js";

/** Started on any free port of this machine; the caller stops it. */
export async function startCallerPhone(): Promise<SipPhone> {
  const phone = new SipPhone({
    host: "127.0.0.1",
    port: 0,
    clock: systemClock,
    random: systemRandom,
    log: createLog("warn"),
  });
  await phone.start();
  return phone;
}

/** @returns host:port of the first udp address. @throws AppError("invalid_value") when SIP_LISTEN names no fixed one */
export function udpAddressOf(config: Config): string {
  const udp = config.sipListen.find(({ transport }) => transport === "udp");
  if (udp === undefined || udp.port === 0) {
    throw new AppError("invalid_value", "SIP_LISTEN names no fixed udp address; give --sip HOST:PORT.");
  }
  return authorityOf(udp);
}

/** Long enough for this machine, and its network, to say that nobody listens; a host that says nothing is called. */
const REFUSAL_MS_MAX = 200;
const SIP_PORT = 5060;
/** What keeps a connection open and asks for nothing (RFC 5626 §4.4.1). */
const KEEP_ALIVE = "\r\n\r\n";

/**
 * SIP gives up after 32 s of silence; the system tells at once that no program has the port.
 * @param target host:port. @throws AppError("invalid_value") when nothing listens there
 */
export async function refuseDeadTarget(target: string): Promise<void> {
  if (!URL.canParse(`sip://${target}`)) return; // the call itself says what is wrong with it
  const { hostname, port } = new URL(`sip://${target}`);
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const error = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    setTimeout(resolve, REFUSAL_MS_MAX, null);
    socket.on("error", resolve);
    socket.on("connect", () => socket.send(KEEP_ALIVE));
    socket.connect(Number(port) || SIP_PORT, host);
  });
  socket.close();
  if (error?.code !== "ECONNREFUSED") return;
  throw new AppError("invalid_value", `No service answers at ${target}; run \`npm start\` first, or give --sip.`, {
    cause: error,
  });
}
