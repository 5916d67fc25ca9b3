/** Are the addresses free? Asked before anything is started, so that a taken port is a clear sentence after a tenth of a second. */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { Config } from "../config.js";
import type { HostPort } from "../config-fields.js";
import { authorityOf } from "../kernel/authority.js";
import { AppError, messageOf } from "../kernel/errors.js";

/** @throws AppError("address_taken") naming HTTP_LISTEN or SIP_LISTEN */
export async function checkListenAddresses(config: Config): Promise<void> {
  if (config.roles.includes("http")) await check("HTTP_LISTEN", config.httpListen, bindTcp);
  if (!config.roles.includes("sip") || config.drachtioServers.length > 0) return;
  for (const address of config.sipListen)
    await check("SIP_LISTEN", address, address.transport === "udp" ? bindUdp : bindTcp);
}

export function addressTaken(variable: string, address: HostPort, cause: unknown): AppError {
  const where = authorityOf(address);
  const code = (cause as { code?: unknown } | null)?.code;
  const why = code === "EADDRINUSE" ? "is in use" : `cannot be used (${messageOf(cause)})`;
  return new AppError(
    "address_taken",
    `${variable}: ${where} ${why}; free it, or set ${variable} to another address.`,
    { cause },
  );
}

async function check(variable: string, address: HostPort, bind: (address: HostPort) => Promise<void>): Promise<void> {
  if (address.port === 0) return;
  try {
    await bind(address);
  } catch (error) {
    throw addressTaken(variable, address, error);
  }
}

function bindTcp({ host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function bindUdp({ host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
