/** SIP trunks on the wire. */
import { z } from "zod";
import type { Trunk } from "../../account/trunks.store.js";
import { parseNetwork } from "../../kernel/network.js";
import { sipUriIn } from "./sip-target.js";

const SOURCE_CIDRS_MAX = 200;

const transport = z.enum(["udp", "tcp", "tls"]);

const cidrIn = z
  .string()
  .refine((text) => parseNetwork(text) !== null, "must be an address range, e.g. 203.0.113.0/24")
  .meta({ examples: ["203.0.113.0/24"] });

export const trunkParams = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "must be lower-case letters, digits, - and _"),
});

export const trunkIn = z.strictObject({
  source_cidrs: z.array(cidrIn).min(1).max(SOURCE_CIDRS_MAX).meta({ description: "Who may send calls on this trunk" }),
  transport: transport.default("udp").meta({
    description:
      "tls: calls that come over UDP or TCP are refused (403). udp, tcp: calls may come over any. Calls to plain numbers leave to outbound_uri over it, unless that names a transport itself",
  }),
  default_country: z
    .string()
    .regex(/^[A-Z]{2}$/, "must be an ISO 3166 code, e.g. US")
    .default("US")
    .meta({ description: "Reads national numbers that arrive on this trunk" }),
  max_cps: z.int().min(1).max(100_000).nullish().meta({ description: "New calls a second; null: no limit" }),
  max_calls: z.int().min(1).max(1_000_000).nullish().meta({ description: "Calls at once; null: no limit" }),
  outbound_uri: sipUriIn.nullish().meta({ description: "Where calls to a destination without a SIP URI leave" }),
  mode: z.enum(["b2bua", "proxy", "redirect"]).default("b2bua").meta({
    description:
      "b2bua: calls pass through, in two dialogs. redirect: the carrier is told where the business is (302). proxy: the INVITE goes on as it came (Call-ID, From, SDP; only our own headers are added), the SIP edge stays in the dialog by Record-Route, and the call outlives a restart of the service. In proxy mode failures lead to the next target, and the caller hears of them, as in b2bua; a call whose number is withheld or whose destination has caller_id promo_number is bridged as in b2bua, and so is one that brings an X-Ringmatch id along or, without trust_identity, a P-Asserted-Identity. A drachtio-server needs cdrs on and this service as its only application; it sends the caller the targets' best answer unchanged (408 for no answer; also a challenge or a 3xx, which we do not follow but the carrier might), shows no ringing (pdd_ms counts to the answer, ring_ms is null), does not keep ring_timeout_s for a proxied call (a target that rings is left ringing up to its own 3 minutes) and goes to the next target after every refusal, and never past one whose name does not resolve",
  }),
  trust_identity: z.boolean().default(true).meta({
    description: "Whether P-Asserted-Identity, verstat, Diversion and History-Info of this trunk are believed",
  }),
});

export const trunkOut = z.object({
  name: z.string(),
  source_cidrs: z.array(z.string()),
  transport,
  default_country: z.string(),
  max_cps: z.int().nullable(),
  max_calls: z.int().nullable(),
  outbound_uri: z.string().nullable(),
  mode: z.enum(["b2bua", "proxy", "redirect"]),
  trust_identity: z.boolean(),
});

export function readTrunk(name: string, body: z.output<typeof trunkIn>): Trunk {
  return {
    name,
    sourceCidrs: body.source_cidrs,
    transport: body.transport,
    defaultCountry: body.default_country,
    maxCps: body.max_cps ?? null,
    maxCalls: body.max_calls ?? null,
    outboundUri: body.outbound_uri ?? null,
    mode: body.mode,
    trustIdentity: body.trust_identity,
  };
}

export function showTrunk(trunk: Trunk): z.output<typeof trunkOut> {
  return {
    name: trunk.name,
    source_cidrs: [...trunk.sourceCidrs],
    transport: trunk.transport,
    default_country: trunk.defaultCountry,
    max_cps: trunk.maxCps,
    max_calls: trunk.maxCalls,
    outbound_uri: trunk.outboundUri,
    mode: trunk.mode,
    trust_identity: trunk.trustIdentity,
  };
}

/** True for a trunk that would take calls from the whole Internet. */
export function isOpenToAll(trunk: Trunk): boolean {
  return trunk.sourceCidrs.some((cidr) => cidr.endsWith("/0"));
}
