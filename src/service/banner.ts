/** What the service says on stdout: the demonstration, the addresses, and the one line that machines wait for. Logs go to stderr. */
import type { DemoSide } from "../dev/demo-side.js";
import type { Demonstration } from "../dev/demonstration.js";
import type { Service } from "./service.js";

export function printDemonstration({ record, explanation }: Demonstration): void {
  say("");
  say("A visitor was presented a number, called it, and the business answered. The call record:");
  say(JSON.stringify(record, null, 2));
  say("Its explanation:");
  say(JSON.stringify(explanation, null, 2));
}

export function printBanner({ service, demo }: { service: Service; demo: DemoSide | null }): void {
  const { httpUrl, sipAddresses, adminKey } = service;
  const lines: [string, string][] = [];
  if (httpUrl !== null) lines.push(...pagesOf(httpUrl, demo));
  for (const address of sipAddresses) lines.push(["SIP", address]);
  if (demo !== null) lines.push(["Demo tag key", demo.tagKey]);
  if (demo !== null && httpUrl !== null) {
    lines.push(["Tag snippet", `<script async src="${httpUrl}/tag.js?key=${demo.tagKey}"></script>`]);
  }
  if (adminKey.isNew && adminKey.key !== null) lines.push(["Admin key (shown once)", adminKey.key]);
  say("");
  for (const [name, value] of lines) say(`  ${name.padEnd(24)}${value}`);
  say("");
}

function pagesOf(httpUrl: string, demo: DemoSide | null): [string, string][] {
  const pages: [string, string][] = [
    ["Dashboard", `${httpUrl}/`],
    ["Install the tag", `${httpUrl}/install`],
    ["HTTP API", httpUrl],
    ["API docs", `${httpUrl}/docs`],
    ["Health", `${httpUrl}/readyz`],
  ];
  return demo === null ? pages : [...pages, ["Demo landing page", `${httpUrl}/demo`]];
}

export function printReady(service: Service): void {
  const { httpUrl, sipAddresses } = service;
  say(JSON.stringify({ event: "ready", pid: process.pid, http: httpUrl, sip: sipAddresses }));
}

/** Written at once, so that the ready line is out before anything else happens. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
