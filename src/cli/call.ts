import { parseArgs } from "node:util";
import { loadConfig } from "../config.js";
import type { SipPhone } from "../dev/sip-phone.js";
import { AppError } from "../kernel/errors.js";
import { normalizeNumber } from "../telephony/e164.js";
import { refuseDeadTarget, startCallerPhone, udpAddressOf } from "./caller-phone.js";
import type { Command } from "./command.js";

const RING_MS_MAX = 40_000;
const TALK_MS_DEFAULT = 2_000;

export const callCommand: Command = {
  help: `Usage: ringmatch call --to +1888… [--from +1415…] [--sip HOST:PORT] [--talk SECONDS]

Calls over UDP from this machine and prints what happened. --sip defaults to the first udp address of SIP_LISTEN.`,
  run: async (words) => {
    const { values } = parseArgs({
      args: [...words],
      options: {
        to: { type: "string" },
        from: { type: "string", default: "+14155550123" },
        sip: { type: "string" },
        talk: { type: "string" },
      },
    });
    const to = values.to === undefined ? null : normalizeNumber(values.to);
    const from = normalizeNumber(values.from);
    if (to === null || from === null)
      throw new AppError("invalid_value", "Give --to (and --from) as a phone number, e.g. +18885550100.");
    const talkMs = values.talk === undefined ? TALK_MS_DEFAULT : Number(values.talk) * 1000;
    if (!(talkMs >= 0)) throw new AppError("invalid_value", "--talk must be a number of seconds.");
    const target = values.sip ?? udpAddressOf(loadConfig());
    await refuseDeadTarget(target);
    const phone = await startCallerPhone();
    try {
      await placeCall(phone, { to, target, from, talkMs });
    } finally {
      await phone.stop();
    }
  },
};

async function placeCall(
  phone: SipPhone,
  input: { to: string; target: string; from: string; talkMs: number },
): Promise<void> {
  const targetUri = `sip:${input.to}@${input.target}`;
  console.log(`INVITE ${targetUri} from ${input.from}`);
  const result = await phone.call({ targetUri, fromUser: input.from, ringTimeoutMs: RING_MS_MAX });
  if (result.kind !== "answered") {
    console.log(result.kind === "refused" ? `refused: ${result.status} ${result.reason}` : result.kind);
    process.exitCode = 1;
    return;
  }
  console.log(
    `answered after ${result.provisional.join(", ") || "no ringing"}; post-dial delay ${Math.round(result.pddMs)} ms`,
  );
  let timer: NodeJS.Timeout | undefined;
  const talked = new Promise<"talked">((resolve) => {
    timer = setTimeout(() => resolve("talked"), input.talkMs);
  });
  const end = await Promise.race([talked, result.call.waitEnd()]);
  clearTimeout(timer);
  if (end === "talked") await result.call.hangUp();
  console.log(end === "talked" ? `hung up after ${input.talkMs / 1000} s` : "the business hung up");
}
