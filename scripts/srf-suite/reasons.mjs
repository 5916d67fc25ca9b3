/** Why a row of docs/srf-suite.md does not pass, and what is not run. A reason whose row passes is an error, and so is a failing row without one. */

export const REASONS = [
  {
    file: "subscribe.js",
    what: "pass",
    why:
      "a mistake of theirs: its app ends the dialog with one NOTIFY, its scenario waits for two; their own index.js leaves the file out. The same " +
      "scenario passes in uas.js",
  },
  {
    file: "scenarios/uac-drop-200-then-cancel.xml",
    what: "CANCEL and BYE by a caller who never saw the 200",
    why:
      "it wants drachtio-server's 481 to a CANCEL after the 200, and 481 to the BYE. A CANCEL that matches a transaction is answered 200 (RFC 3261 " +
      "§9.2), and the BYE of the call ends it",
  },
];

export const NOT_RUN = [
  {
    file: "parser.js",
    what: "one assertion on Srf.parseUri",
    why: "it never ends its test (no `t.end()`); no server in it, and utils.js asserts the same",
  },
  {
    file: "unit-tests/*.js",
    what: "mocha tests of the client library alone",
    why: "no server takes part in them; they need mocha, should and sip-message-examples",
  },
  { file: "benchmark/", what: "speed of a function of theirs", why: "no test" },
  { file: "docker_start.js, docker_stop.js, index.js, sipp.js", what: "their containers", why: "replaced by scripts/srf-suite" },
  {
    file: "scenarios/uac-drop-one-200.xml, uac-drop-one-503.xml",
    what: "an answer that is lost",
    why: "they lose three of four answers by chance, and so fail by chance; retransmission.test.ts loses chosen ones",
  },
  {
    file: "scenarios/uac-pcap.xml",
    what: "RTP beside a call",
    why: "needs root for raw sockets, and the edge carries no media; its signalling is that of uac.xml",
  },
  {
    file: "scenarios/uac-spammer-expect-603.xml",
    what: "a scanner gets 603",
    why: "our edge says nothing to scanners (hygiene.test.ts), as a 603 would tell them that somebody is there",
  },
];
