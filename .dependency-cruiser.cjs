/**
 * Imports only point downward (ARCHITECTURE.md):
 * kernel ← telephony ← db ← account ← pool ← attribution ← routing ← { sip, webhooks, http, jobs } ← { main, cli, dev }.
 */
const ROOMS = ["kernel", "telephony", "db", "account", "pool", "attribution", "routing"];
const EDGES = ["sip", "webhooks", "http", "jobs"];
const downward = ROOMS.map((room, level) => ({
  name: `${room}-looks-only-down`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: { path: `^src/(?!(${ROOMS.slice(0, level + 1).join("|")})/)` },
}));
const beside = EDGES.map((room) => ({
  name: `${room}-does-not-know-its-neighbours`,
  severity: "error",
  from: { path: `^src/${room}/` },
  to: { path: `^src/(?!(${[...ROOMS, room].join("|")})/)` },
}));

/** Rule files: no async, no node:*, no npm package. */
const PURE =
  "^src/(telephony/(?!e164)[^/]+|pool/(promo-number|number-order|ring-pool|fitting-numbers|autoscale|account-room|presentation|overflow|quarantine|poisson|poisson-tail|poisson-visits|erlang-b|delay-prior|call-delays|misattribution|traffic-profile|size-pool|lru-pool|number-shelf|simulate-pool)|attribution/(match|explain|confidence|touch|click-ids|corrections/correction|judging/(channel|known-sites|custom-data|delay-model|judge-call|visit)|reports/report-(calendar|stretches|rows)|replay/(replay|what-if)|exports/ad-(conversions|consent))|account/(allowed-origins|tag-settings)|account/outgoing/ga4-names|webhooks/outbound/(retry-rules|conversions/(ga4-event|google-ads-event|meta-event|conversion-change|tellable-call))|http/tag/tag-config|http/invoca/(transaction-id|national-number|zoned-time|signal-time|local-center|read-values|hangup-cause|transaction-columns|show-transaction))\\.ts$";

module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    ...downward,
    ...beside,
    {
      name: "rules-are-pure",
      severity: "error",
      from: { path: PURE },
      to: { dependencyTypes: ["core", "npm", "npm-dev", "npm-optional"] },
    },
    {
      name: "only-sip-imports-drachtio",
      severity: "error",
      from: { pathNot: "^(src/sip/|test/|bench/)" },
      to: { path: "node_modules/drachtio-srf" },
    },
    {
      name: "only-jobs-imports-bullmq",
      severity: "error",
      from: { pathNot: "^(src/jobs/|test/|bench/)" },
      to: { path: "node_modules/bullmq" },
    },
    {
      name: "the-edge-stands-alone",
      comment: "The embedded SIP edge knows SIP and the wire protocol, nothing of pools or calls.",
      severity: "error",
      from: { path: "^src/sip/edge/" },
      to: { path: "^src/(?!(kernel|telephony|sip/edge)/)" },
    },
    {
      name: "the-tag-knows-only-the-contract",
      severity: "error",
      from: { path: "^tag/" },
      to: { path: "^(src/(?!http/contract/tag-config)|node_modules)" },
    },
    {
      name: "the-pages-know-the-api-and-the-tag",
      comment: "dashboard/ runs in browsers: of the service it may know types of the contract, of the tag its contract.",
      severity: "error",
      from: { path: "^dashboard/" },
      to: { path: "^(src/(?!http/contract/tag-config)|node_modules)" },
    },
    { name: "no-orphans", severity: "error", from: { orphan: true, path: "^src/" }, to: {} },
    { name: "not-to-dev-dep", severity: "error", from: { path: "^src/" }, to: { dependencyTypes: ["npm-dev"] } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
