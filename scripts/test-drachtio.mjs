// `npm run test:drachtio`: the SIP tests of the service, unchanged, on the drachtio-server that DRACHTIO_URL names instead of the embedded edge. Prints
// what was left out and why, and ends with `N passed, N failed`.
import { runVitest } from "./vitest-run.mjs";

const url = process.env.DRACHTIO_URL ?? "";
if (url === "") {
  console.error("Set DRACHTIO_URL to the drachtio-server to test with, such as drachtio://:SECRET@127.0.0.1:9022.");
  process.exit(1);
}
// The server gives calls to all its apps in turn, so there may be but one at a time. What test/sip/edge proves is our own edge.
const words = ["--project=sip", "--exclude=test/sip/edge/**", "--no-file-parallelism", ...process.argv.slice(2)];
const report = await runVitest(words, { env: { ...process.env, RINGMATCH_TEST_DRACHTIO_URL: url } });

const leftOut = report.tests.filter(({ status }) => status === "skipped" || status === "pending");
if (leftOut.length > 0) console.log(`\nLeft out:\n${leftOut.map(({ title }) => `- ${title}`).join("\n")}`);
console.log(`${report.passed} passed, ${report.failed} failed`);
process.exit(report.failed === 0 ? 0 : 1);
