/** Binds the SIP listeners of one edge, all or none. Called by SipEdge.start. */
import { isIP } from "node:net";
import { AppError } from "../../kernel/errors.js";
import { createTlsContext, type TlsContext, type TlsOptions } from "./tls-context.js";
import { SHARED_PORT_ATTEMPTS } from "./limits.js";
import { isWildcard } from "./local-address.js";
import type { SipListen, Transport, TransportKind } from "./transport.js";
import { type TcpDeps, TcpTransport } from "./transport-tcp.js";
import { UdpTransport } from "./transport-udp.js";

/**
 * In the order of `listen`. UDP and TCP of one host that both leave the port to the system get the same number.
 * Throws AppError address_taken naming the address and SIP_LISTEN; nothing stays bound then.
 * @param tls as tlsContextFor made it for the same `listen`
 */
export async function bindListeners(
  listen: readonly SipListen[],
  tcpDeps: TcpDeps,
  tls: TlsContext | null = null,
): Promise<Transport[]> {
  const deps: BindDeps = { ...tcpDeps, tls };
  const bound = new Map<SipListen, Transport>();
  try {
    for (const one of listen) {
      if (bound.has(one)) continue;
      const twin = listen.find((other) => isTwin(one, other) && !bound.has(other));
      if (one.port === 0 && twin !== undefined) await bindTogether(one, twin, deps, bound);
      else bound.set(one, await bindOne(one, one.port, deps));
    }
  } catch (error) {
    await Promise.all([...bound.values()].map((transport) => transport.stop()));
    throw error;
  }
  return listen.flatMap((one) => bound.get(one) ?? []);
}

/**
 * The listener to reach an address from: right transport and family; loopback only for loopback peers, where there is a choice.
 * Null when the edge has no such transport.
 */
export function listenerFor(transports: readonly Transport[], kind: TransportKind, address: string): Transport | null {
  const family = isIP(address);
  const fitting = transports.filter(
    (one) => one.kind === kind && (isIP(one.host) === family || (one.host === "::" && family === 4)),
  );
  const preferred = fitting.find((one) => isWildcard(one.host) || isLoopback(one.host) === isLoopback(address));
  return preferred ?? fitting[0] ?? null;
}

function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1";
}

function isTwin(one: SipListen, other: SipListen): boolean {
  if (one.transport === "tls" || other.transport === "tls") return false;
  return other.port === 0 && other.host === one.host && other.transport !== one.transport;
}

async function bindTogether(
  one: SipListen,
  twin: SipListen,
  deps: BindDeps,
  bound: Map<SipListen, Transport>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const first = await bindOne(one, 0, deps);
    try {
      bound.set(twin, await bindOne(twin, first.port, deps));
      bound.set(one, first);
      return;
    } catch (error) {
      await first.stop();
      if (attempt === SHARED_PORT_ATTEMPTS) throw error;
    }
  }
}

async function bindOne(listen: SipListen, port: number, deps: BindDeps): Promise<Transport> {
  const transport =
    listen.transport === "udp"
      ? new UdpTransport(listen.host, port, deps)
      : new TcpTransport(listen.host, port, deps, listen.transport === "tls" ? deps.tls : null);
  try {
    await transport.start();
    return transport;
  } catch (error) {
    throw bindError(`SIP_LISTEN ${listen.transport}/${listen.host}:${port}`, error);
  }
}

interface BindDeps extends TcpDeps {
  /** Never null when a tls address is among what is bound. */
  readonly tls: TlsContext | null;
}

/** Null without a tls address. Throws AppError config_invalid for one without a usable certificate. */
export function tlsContextFor(listen: readonly SipListen[], options: TlsOptions | null): TlsContext | null {
  if (listen.every((one) => one.transport !== "tls")) return null;
  if (options === null)
    throw new AppError("config_invalid", "A tls address of SIP_LISTEN needs a certificate and its key.");
  return createTlsContext(options);
}

/** The sentence that says what to do about a failed bind. `what` names the setting and the address. */
export function bindError(what: string, cause: unknown): AppError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return new AppError("address_taken", `${what} is in use: stop the program that has it, or choose another port.`, {
      cause,
    });
  }
  if (code === "EACCES") {
    return new AppError("address_taken", `${what} needs more rights: choose a port of 1024 or above.`, { cause });
  }
  return new AppError(
    "address_taken",
    `${what} cannot be opened (${code ?? "unknown error"}): is it an address of this machine?`,
    { cause },
  );
}
