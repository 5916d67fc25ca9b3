/** Self-signed certificates, made for one test run with the openssl command; no private key is kept anywhere. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @param names subject alternative names: `IP:127.0.0.1`, `DNS:pbx.example.com` */
export async function certificateFor(names: string): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), "ringmatch-tls-"));
  const at = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  try {
    await promisify(execFile)("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", "/CN=ringmatch test", "-addext", `subjectAltName=${names}`, "-keyout", at.key, "-out", at.cert],
    ]);
    return { cert: await readFile(at.cert, "utf8"), key: await readFile(at.key, "utf8") };
  } finally {
    await rm(folder, { recursive: true });
  }
}
