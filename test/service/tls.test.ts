/** A carrier on TLS, through the service as users run it: certificate and key from files, a call answered and hung up over the one connection. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { certificateFor } from "../sip/edge/support/certificate.js";
import { callTexts, field } from "../sip/edge/support/raw-peer.js";
import {
  build,
  completed,
  makeDataDirectory,
  presentedNumber,
  type RunningService,
  startService,
} from "../support/running-service.js";
import { sipp } from "../support/sipp.js";
import { until } from "../support/until.js";

const data = makeDataDirectory();
const folder = mkdtempSync(join(tmpdir(), "ringmatch-tls-service-"));
let service: RunningService;
let cert: string;

beforeAll(async () => {
  build();
  const certificate = await certificateFor("IP:127.0.0.1");
  cert = certificate.cert;
  const files = { SIP_TLS_CERT_FILE: join(folder, "cert.pem"), SIP_TLS_KEY_FILE: join(folder, "key.pem") };
  writeFileSync(files.SIP_TLS_CERT_FILE, certificate.cert);
  writeFileSync(files.SIP_TLS_KEY_FILE, certificate.key, { mode: 0o600 });
  const env = { ...files, SIP_LISTEN: "udp/127.0.0.1:0,tls/127.0.0.1:0" };
  service = await startService({ dataDir: data.path, env });
});
afterAll(async () => {
  service.child.kill("SIGTERM");
  await service.exit;
  data.remove();
  rmSync(folder, { recursive: true });
});

it("a call over TLS is answered by a business on UDP, hung up by the caller, and attributed", async () => {
  const business = await sipp({ scenario: "uas-answer" });
  const { promoNumber, presentation } = await presentedNumber(
    service,
    "+18005550121",
    `sip:business@127.0.0.1:${business.port}`,
  );
  const carrier = await tlsPeer();
  const call = callTexts({ host: "127.0.0.1", port: carrier.socket.localPort ?? 0 }, carrier.edge, promoNumber);
  carrier.send(call.invite());
  const ok = await carrier.answer("200", "INVITE");
  expect(field(ok, "Contact")).toContain(`<sip:127.0.0.1:${carrier.edge.port};transport=tls>`);
  carrier.send(call.ack(ok));
  carrier.send(call.inDialog("BYE", ok, 2));
  await carrier.answer("200", "BYE");
  await business.done;
  expect(await completed(service, promoNumber)).toMatchObject({
    ingress: "sip",
    released_by: "caller",
    attribution: { outcome: "matched", visitor_id: presentation["visitor_id"] },
  });
});

async function tlsPeer() {
  const port = Number(service.ready.sip.find((address) => address.startsWith("tls/"))?.split(":")[1]);
  const socket: TLSSocket = connect({ host: "127.0.0.1", port, ca: cert });
  let received = "";
  socket.on("data", (bytes: Buffer) => (received += bytes.toString("latin1")));
  await once(socket, "secureConnect");
  return {
    socket,
    edge: { host: "127.0.0.1", port },
    send: (text: string) => socket.write(text.replace("SIP/2.0/UDP", "SIP/2.0/TLS")),
    /** The headers of the answer with this status to this method. */
    answer: (status: string, method: string) =>
      until(`${status} to ${method}`, () =>
        received
          .split(/(?=^SIP\/2\.0 )/m)
          .find((text) => text.startsWith(`SIP/2.0 ${status} `) && field(text, "CSeq").endsWith(method)),
      ),
  };
}
