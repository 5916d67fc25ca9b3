/**
 * A piece of bad network between one phone and the edge: every datagram, in both directions, is lost with the given probability (seeded, so that a
 * failure can be repeated). Contact is rewritten like a session border controller does, so that requests inside the dialog pass here too.
 *
 * sipp's own `-lost` is of no use for this: its called side takes an INVITE repeated after a lost 180 for an unexpected message and stops answering.
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface LossyRelay {
  /** Where the phone finds the edge. */
  readonly edgeSide: Place;
  /** Where the edge finds the phone. */
  readonly phoneSide: Place;
  lost(): number;
  passed(): number;
}

export async function lossyRelay(options: {
  edge: Place;
  phone: Place;
  loss: number;
  seed: number;
}): Promise<LossyRelay> {
  const towardsPhone = await bound();
  const towardsEdge = await bound();
  const counts = { lost: 0, passed: 0 };
  const random = mulberry32(options.seed);
  const relay = (from: Socket, through: Socket, to: Place, contact: { of: Place; becomes: Socket }): void => {
    from.on("message", (data) => {
      if (random() < options.loss) {
        counts.lost += 1;
        return;
      }
      counts.passed += 1;
      const { of, becomes } = contact;
      const place = `${of.host}:${of.port}`;
      const text = data
        .toString("latin1")
        .replace(/^Contact: .*$/m, (line) => line.replace(place, `127.0.0.1:${becomes.address().port}`));
      through.send(Buffer.from(text, "latin1"), to.port, to.host);
    });
  };
  relay(towardsPhone, towardsEdge, options.edge, { of: options.phone, becomes: towardsEdge });
  relay(towardsEdge, towardsPhone, options.phone, { of: options.edge, becomes: towardsPhone });
  return {
    edgeSide: { host: "127.0.0.1", port: towardsPhone.address().port },
    phoneSide: { host: "127.0.0.1", port: towardsEdge.address().port },
    lost: () => counts.lost,
    passed: () => counts.passed,
  };
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket;
}

/** A small seeded generator, uniform in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
