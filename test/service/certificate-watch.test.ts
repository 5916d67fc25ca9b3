/** Renewed certificates are found in their files and handed on; what is no good changes nothing. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { CertificateWatch } from "../../src/service/certificate-watch.js";
import { createTlsContext, type TlsCertificate } from "../../src/sip/edge/tls-context.js";
import { type Certificate, certificateFor } from "../sip/edge/support/certificate.js";
import { recordingLog } from "../support/recording-log.js";

async function watched() {
  const folder = await mkdtemp(join(tmpdir(), "ringmatch-certificate-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const write = async ({ cert, key }: Certificate): Promise<void> => {
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
  };
  const first = await certificateFor("IP:127.0.0.1");
  await write(first);
  const used: TlsCertificate[] = [];
  const { log, events } = recordingLog();
  // As the edge does: what is no good is refused.
  const context = createTlsContext(first);
  const use = async (certificate: TlsCertificate): Promise<void> => {
    context.useCertificate(certificate);
    used.push(certificate);
  };
  return { write, first, used, events, watch: new CertificateWatch({ certFile, keyFile, inUse: first, use, log }) };
}

it("the pair in use is left alone, another one is used, once", async () => {
  const { write, used, events, watch } = await watched();
  await watch.look();
  expect(used).toEqual([]);
  const second = await certificateFor("IP:127.0.0.1");
  await write(second);
  await watch.look();
  await watch.look();
  expect(used).toEqual([second]);
  expect(events).toEqual(["info sip.certificate_renewed"]);
});

it("half of a new pair changes nothing and is told once; the whole is used when it is there", async () => {
  const { write, first, used, events, watch } = await watched();
  const second = await certificateFor("IP:127.0.0.1");
  await write({ cert: second.cert, key: first.key });
  await watch.look();
  await watch.look();
  expect([used, events]).toEqual([[], ["warn sip.certificate_not_renewed"]]);
  await write(second);
  await watch.look();
  expect(used).toEqual([second]);
});

it("files that are gone change nothing, and are told of again when they are gone once more", async () => {
  const { write, first, used, events, watch } = await watched();
  await write({ cert: "", key: "" });
  await watch.look();
  await write(first);
  await watch.look();
  await write({ cert: "", key: "" });
  await watch.look();
  expect(used).toEqual([]);
  expect(events).toEqual(["warn sip.certificate_not_renewed", "warn sip.certificate_not_renewed"]);
});
