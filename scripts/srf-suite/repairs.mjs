/** Mistakes of drachtio-srf's scenarios, put right in the copy that runs; docs/srf-suite.md lists them. */

/** Answers inside a dialog that add a tag to a To that has one. */
const oneToTag = (text) => text.replaceAll(/(\[last_To:\]);tag=\S+/g, "$1");

export const REPAIRS = [
  {
    files: "all",
    why: "`<` inside an attribute is no XML; Debian's sipp refuses it",
    apply: (text) => text.replaceAll('regexp="<sip:(.*)>"', 'regexp="&lt;sip:(.*)&gt;"'),
  },
  {
    files: "uac-prack.xml",
    why: "its RAck ends in `INVITE INVITE`, which is no RAck (RFC 3262 §7.2)",
    apply: (text) => text.replaceAll("RAck: [$1] [$2] INVITE", "RAck: [$1] [$2]"),
  },
  ...[
    ["uas-reinvite-overlap.xml", 1],
    ["uas-reinvite-with-auth.xml", 2],
  ].map(([files, dialogAfter]) => ({
    files,
    why: "its answers inside the dialog have a second To tag (RFC 3261 §7.3.1: a parameter is there once)",
    apply(text) {
      const parts = text.split('<recv request="ACK"');
      return parts.map((part, index) => (index < dialogAfter ? part : oneToTag(part))).join('<recv request="ACK"');
    },
  })),
  {
    files: "uac-delayed-ack.xml",
    why: "its answer to the re-INVITE has a second To tag (RFC 3261 §7.3.1: a parameter is there once)",
    apply: oneToTag,
  },
];

export function repair(scenario, text) {
  const meant = REPAIRS.filter(({ files }) => files === "all" || files === scenario);
  return meant.reduce((fixed, { apply }) => apply(fixed), text);
}
