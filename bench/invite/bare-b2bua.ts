/**
 * The baseline of `bench -- invite`, a process of its own: drachtio-srf's createB2BUA with a static Map from number to business, on the same edge as the
 * service and started as the service starts it. Nothing is matched, recorded or limited. Prints `{"sip":"127.0.0.1:PORT"}` when it listens.
 */
import { createRequire } from "node:module";
import { createLog } from "../../src/kernel/log.js";
import { keepHeapLean } from "../../src/service/lean-heap.js";
import { EdgeThread } from "../../src/sip/edge/edge-thread.js";

interface Leg {
  readonly connected: boolean;
  other?: Leg;
  on(event: "destroy", listener: () => void): void;
  destroy(): Promise<unknown>;
}
interface BareSrf {
  on(event: "connect" | "error", listener: (error: unknown) => void): void;
  connect(options: object): void;
  invite(handler: (request: BareRequest, response: BareResponse) => void): void;
  createB2BUA(
    request: BareRequest,
    response: BareResponse,
    uri: string,
    options: object,
  ): Promise<Record<"uas" | "uac", Leg>>;
}
interface BareRequest {
  readonly calledNumber: string;
  readonly body: string;
}
interface BareResponse {
  send(status: number): void;
}
const Srf = createRequire(import.meta.url)("drachtio-srf") as new () => BareSrf;

keepHeapLean();
const [business = "", numbers = ""] = process.argv.slice(2);
const businesses = new Map(numbers.split(",").map((number) => [number, business]));
const edge = new EdgeThread({
  listen: [{ transport: "udp", host: "127.0.0.1", port: 0 }],
  admin: { host: "127.0.0.1", port: 0, secret: "the bench's own" },
  sourceCidrs: ["127.0.0.0/8"],
  log: createLog("warn"),
});
const { sip, admin } = await edge.start();
const srf = new Srf();
srf.on("error", (error) => console.error(String(error)));
srf.invite((request, response) => void bridge(request, response));
srf.on("connect", () => console.log(JSON.stringify({ sip: `127.0.0.1:${sip[0]?.port}` })));
srf.connect({ ...admin, secret: "the bench's own" });

async function bridge(request: BareRequest, response: BareResponse): Promise<void> {
  const uri = businesses.get(request.calledNumber);
  if (uri === undefined) return response.send(404);
  try {
    const legs = await srf.createB2BUA(request, response, uri, { localSdpB: request.body });
    for (const [one, other] of [[legs.uas, legs.uac] as const, [legs.uac, legs.uas] as const]) {
      one.on("destroy", () => void end(other));
      // BYE may have come before we could listen (drachtio-srf emits `destroy` before the await resumes).
      if (!one.connected) await end(other);
    }
  } catch (error) {
    // The caller has its refusal from createB2BUA.
    void error;
  }
}

async function end(leg: Leg): Promise<void> {
  if (leg.connected) await leg.destroy().catch(() => undefined);
}
