import { describe, expect, it } from "vitest";
import { runCompiled } from "../support/run-compiled.js";

/** An operator's, four times what `npm start` says. */
const NODE = [process.execPath, "--max-semi-space-size=64"];

/** A thread that keeps its latest objects for a while, as the SIP edge keeps transactions: says how large the space for new ones became, in MB. */
const THREAD = `
  import { getHeapSpaceStatistics } from "node:v8";
  const kept = [];
  let bytes = 0;
  for (let n = 0; n < 2_500_000; n++) {
    kept[n % 1_000_000] = { n };
    if (n % 50_000 > 0) continue;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    bytes = Math.max(bytes, young.space_size);
  }
  console.log(bytes / 1_048_576);
`;

async function youngMb(before: string): Promise<number> {
  const script = `
    import { Worker } from "node:worker_threads";
    const { keepHeapLean } = await import(process.argv[1]);
    ${before}
    new Worker(${JSON.stringify(THREAD)}, { eval: true });
  `;
  const { stdout } = await runCompiled({ module: "service/lean-heap", script, command: NODE });
  return Number(stdout);
}

describe("keepHeapLean", () => {
  it("keeps what a thread allocates in small pieces, whatever the command line says for the main thread", async () => {
    const [left, lean] = [await youngMb(""), await youngMb("keepHeapLean();")];
    // Two halves, one copied into the other.
    expect({ left, lean }).toEqual({ left: 128, lean: 32 });
  });
});
