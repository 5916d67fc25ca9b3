/** The SIP phone of commands that call a running service, and where that service takes calls. */
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
