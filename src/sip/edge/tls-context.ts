/**
 * The TLS side of a SIP listener (RFC 3261 §26.3.1): one certificate for what the edge accepts and what it shows where it connects. Made by
 * listeners.ts. A destination is believed only when its certificate is valid for the name in the URI (RFC 5922 §7.2).
 */
import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type SecureContext,
  type SecureVersion,
  TLSSocket,
} from "node:tls";
import { AppError, messageOf } from "../../kernel/errors.js";

export interface TlsOptions {
  /** PEM: our certificate, followed by those that lead to its root. */
  readonly cert: string;
  /** PEM, not encrypted. */
  readonly key: string;
  /** PEM: whom destinations must be certified by. Default: what Node trusts. */
  readonly ca?: string;
  /** Default TLSv1.2; RFC 8996 forbids what is older. */
  readonly minVersion?: Extract<SecureVersion, "TLSv1.2" | "TLSv1.3">;
  /** False connects to destinations whose certificate nobody vouches for; encrypted, but with whom is unknown. Default true. */
  readonly verifyPeers?: boolean;
}

/** What a TLS peer shows for itself. */
export type TlsCertificate = Pick<TlsOptions, "cert" | "key">;

export interface TlsContext {
  /** Around an accepted socket; "secure" is emitted once the handshake is done. */
  accept(socket: Socket): TLSSocket;
  /** "secureConnect" is emitted once the certificate was found good; before that nothing may be written. */
  connect(to: TlsPeer): TLSSocket;
  /**
   * For connections made from now on; those that are up go on with the one before. Throws as createTlsContext does, and keeps the one before.
   */
  useCertificate(certificate: TlsCertificate): void;
}

export interface TlsPeer {
  readonly address: string;
  readonly port: number;
  /** Host of the URI that led here: what the certificate must be valid for. */
  readonly name: string;
  readonly localAddress: string | null;
}

/** Throws AppError config_invalid when certificate and key are unusable or do not belong together. */
export function createTlsContext(options: TlsOptions): TlsContext {
  let secureContext = contextOf(options);
  return {
    accept(socket) {
      const secured = new TLSSocket(socket, { isServer: true, secureContext, requestCert: false });
      // A client that renegotiates again and again costs us far more than itself.
      secured.disableRenegotiation();
      return secured;
    },
    connect: (to) =>
      connect({
        host: to.address,
        port: to.port,
        secureContext,
        rejectUnauthorized: options.verifyPeers ?? true,
        checkServerIdentity: (_host, certificate) => checkServerIdentity(to.name, certificate),
        ...(isIP(to.name) === 0 ? { servername: to.name } : {}),
        ...(to.localAddress === null ? {} : { localAddress: to.localAddress }),
      }),
    useCertificate: ({ cert, key }) => {
      secureContext = contextOf({ ...options, cert, key });
    },
  };
}

function contextOf(options: TlsOptions): SecureContext {
  const { cert, key, ca, minVersion = "TLSv1.2" } = options;
  try {
    // As a file is for the moment in which it is written; a secure context may well be without them.
    if (cert === "" || key === "") throw new Error("it is empty");
    return createSecureContext({ cert, key, minVersion, ...(ca === undefined ? {} : { ca }) });
  } catch (cause) {
    throw new AppError(
      "config_invalid",
      `The TLS certificate or key of the SIP edge is not usable: ${messageOf(cause)}.`,
      {
        cause,
      },
    );
  }
}
