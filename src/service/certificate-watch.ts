/**
 * Certificates are renewed every few weeks by other programs, a phone line must not wait for a restart: both files are read again now and then, and what
 * is new in them goes to the SIP edge. Started by sip-side.ts.
 *
 * The rule kept here: a pair that cannot be used (half of it written yet, a key of another certificate) changes nothing, is told once, and is looked at again.
 */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf } from "../kernel/errors.js";
import type { Log } from "../kernel/log.js";
import type { TlsCertificate } from "../sip/edge/tls-context.js";

/** Renewals come days before the old one ends. */
const LOOK_EVERY_MS = 60_000;

export interface CertificateWatchOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** What is in use now. */
  readonly inUse: TlsCertificate;
  /** Rejects when the pair is of no use, and goes on with the one before. */
  readonly use: (certificate: TlsCertificate) => Promise<void>;
  readonly log: Log;
}

export class CertificateWatch {
  private inUse: TlsCertificate;
  /** Why there was nothing to be had at the last look; null when there was. */
  private trouble: string | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly options: CertificateWatchOptions) {
    this.inUse = options.inUse;
  }

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Never rejects. */
  async look(): Promise<void> {
    const { certFile, keyFile, use, log } = this.options;
    try {
      const [cert, key] = await Promise.all([readFile(certFile, "utf8"), readFile(keyFile, "utf8")]);
      if (cert !== this.inUse.cert || key !== this.inUse.key) {
        await use({ cert, key });
        this.inUse = { cert, key };
        log.info("sip.certificate_renewed", { validTo: new X509Certificate(cert).validTo });
      }
      this.trouble = null;
    } catch (error) {
      const trouble = messageOf(error);
      if (trouble !== this.trouble) log.warn("sip.certificate_not_renewed", { certFile, keyFile, error: trouble });
      this.trouble = trouble;
    }
  }
}
