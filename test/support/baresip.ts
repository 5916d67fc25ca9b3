/**
 * A real softphone, baresip, without a screen and without sound hardware: it speaks a tone from a file and is told what to do over its control port
 * (ctrl_tcp: JSON in netstrings). Its SIP messages and events are there for tests to wait for.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { freeUdpPort } from "./udp-port.js";
import { until } from "./until.js";

export interface Baresip {
  readonly uri: string;
  /** Runs a command of its menu, such as `dial`, `accept`, `hold`, `hangup`. */
  command(command: string, params?: string): void;
  /** The next event of this type that was not waited for before, and for which `holds`. */
  event(type: string, holds?: (event: BaresipEvent) => boolean): Promise<BaresipEvent>;
  /** Every SIP message it sent and received so far. */
  trace(): string;
  stop(): Promise<void>;
}

export interface BaresipEvent {
  readonly type: string;
  /** Of CALL_RTCP, which comes every 5 s: RTP packets so far. */
  readonly rtcp_stats?: { readonly tx: { readonly sent: number }; readonly rx: { readonly sent: number } };
}

const SAMPLES_PER_S = 8_000;
/** Longer than any call of the tests. */
const TONE_S = 60;

/** It takes three ports (UDP and TCP for SIP, the next one for TLS, one for control), and others may be quicker to one of them. */
const ATTEMPTS_MAX = 5;

export async function startBaresip(user: string): Promise<Baresip> {
  for (let attempt = 1; ; attempt++) {
    const started = await tryStart(user);
    if (started !== "port_taken") return started;
    if (attempt === ATTEMPTS_MAX) throw new Error(`baresip found a port taken ${ATTEMPTS_MAX} times`);
  }
}

async function tryStart(user: string): Promise<Baresip | "port_taken"> {
  const dir = mkdtempSync(join(tmpdir(), "ringmatch-baresip-"));
  // The port after sipPort is baresip's as well, for TLS.
  const [sipPort, , controlPort] = [await freeUdpPort(), await freeUdpPort(), await freeUdpPort()];
  const tone = join(dir, "tone.wav");
  writeFileSync(tone, toneFile());
  writeFileSync(join(dir, "accounts"), `<sip:${user}@127.0.0.1>;regint=0;audio_codecs=pcmu/8000/1;answermode=manual\n`);
  writeFileSync(join(dir, "contacts"), "");
  writeFileSync(join(dir, "config"), config({ tone, sipPort, controlPort }));
  const child = spawn("baresip", ["-f", dir, "-s"], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    rmSync(dir, { recursive: true, force: true });
  };
  const control = await openControl(child, controlPort, () => output).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  if (control === "port_taken") {
    await stop();
    return control;
  }
  return {
    uri: `sip:${user}@127.0.0.1:${sipPort}`,
    ...control.phone,
    trace: () => output,
    stop: async () => {
      control.socket.destroy();
      await stop();
    },
  };
}

interface Places {
  readonly tone: string;
  readonly sipPort: number;
  readonly controlPort: number;
}

function config({ tone, sipPort, controlPort }: Places): string {
  return [
    `sip_listen 127.0.0.1:${sipPort}`,
    "net_interface 127.0.0.1",
    `module_path ${modulePath()}`,
    ...["g711", "aufile", "aubridge"].map((name) => `module ${name}.so`),
    ...["uuid", "account"].map((name) => `module_tmp ${name}.so`),
    ...["menu", "ctrl_tcp"].map((name) => `module_app ${name}.so`),
    `ctrl_tcp_listen 127.0.0.1:${controlPort}`,
    `audio_source aufile,${tone}`,
    "audio_player aubridge,nobody",
    "",
  ].join("\n");
}

/** Where its package put its modules: lib, or lib64 on Fedora, beside its program. */
function modulePath(): string {
  const program = realpathSync(execFileSync("sh", ["-c", "command -v baresip"], { encoding: "utf8" }).trim());
  const found = ["lib", "lib64"]
    .map((lib) => resolve(dirname(program), "..", lib, "baresip/modules"))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there are no baresip modules beside ${program}`);
  return found;
}

async function openControl(child: ChildProcess, port: number, output: () => string) {
  const socket = await until<Socket | "port_taken" | null>("baresip listens for commands", async () => {
    if (/Address already in use/.test(output())) return "port_taken";
    if (child.exitCode !== null) throw new Error(`baresip ended:\n${output()}`);
    // Ready only then: a port that is taken is told before.
    return /baresip is ready/.test(output()) ? tryConnect(port) : null;
  });
  if (socket === "port_taken") return socket;
  const events: BaresipEvent[] = [];
  let received = "";
  socket.on("data", (data) => {
    received += String(data);
    for (;;) {
      const [frame, length] = /^(\d+):/.exec(received) ?? [];
      const end = (frame?.length ?? 0) + Number(length) + 1;
      if (frame === undefined || received.length < end) return;
      const message = JSON.parse(received.slice(frame.length, end - 1)) as Partial<BaresipEvent>;
      if (message.type !== undefined) events.push({ ...message, type: message.type });
      received = received.slice(end);
    }
  });
  const event: Baresip["event"] = async (type, holds = () => true) => {
    const found = await until(`baresip says ${type}`, () => events.find((one) => one.type === type && holds(one)));
    events.splice(events.indexOf(found), 1);
    return found;
  };
  const command = (name: string, params?: string): void => {
    const text = JSON.stringify({ command: name, ...(params === undefined ? {} : { params }) });
    socket.write(`${text.length}:${text},`);
  };
  return { socket, phone: { event, command } };
}

function tryConnect(port: number): Promise<Socket | null> {
  return new Promise((resolveSocket) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => resolveSocket(null));
    socket.on("connect", () => resolveSocket(socket));
  });
}

/** A WAV file, 8 kHz, 16 bits, one channel, of 440 Hz. */
function toneFile(): Buffer {
  const samples = Int16Array.from({ length: SAMPLES_PER_S * TONE_S }, (_, i) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * 440 * i) / SAMPLES_PER_S)),
  );
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SAMPLES_PER_S, 24);
  header.writeUInt32LE(SAMPLES_PER_S * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}
