/** drachtio-srf 5.0.29 as it behaves, typed for these tests (its own declarations differ from its code). */
import { once } from "node:events";
import type { EventEmitter } from "node:events";
import DrachtioSrf from "drachtio-srf";
import { onTestFinished } from "vitest";
import { type RunningEdge, SECRET } from "./edge.js";

export interface SrfMessage {
  readonly status: number;
  readonly method: string;
  readonly uri: string;
  readonly body: string;
  readonly reason: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly receivedOn: string;
  get(name: string): string | undefined;
  has(name: string): boolean;
}

export interface SrfRequest extends SrfMessage, EventEmitter {
  readonly stackTxnId: string;
  canceled?: boolean;
  cancel(options?: object, callback?: (error: Error | null) => void): void;
}

export interface SrfResponse extends SrfMessage {
  readonly finalResponseSent: boolean;
  send(status: number, ...rest: unknown[]): void;
}

export interface SrfDialog extends EventEmitter {
  readonly id: string;
  readonly connected: boolean;
  readonly sip: { callId: string; localTag: string; remoteTag: string };
  readonly local: { uri: string; sdp: string; contact: string };
  readonly remote: { uri: string; sdp: string };
  other?: SrfDialog;
  destroy(options?: object): Promise<SrfRequest>;
  modify(sdp: string, options?: object): Promise<string>;
  request(options: { method: string; headers?: Record<string, string>; body?: string }): Promise<SrfMessage>;
}

type Handler = (req: SrfRequest, res: SrfResponse) => void;

export interface TestSrf extends EventEmitter {
  invite(handler: Handler): void;
  options(handler: Handler): void;
  use(method: string, handler: Handler): void;
  connect(options: object): void;
  disconnect(): void;
  createUAS(req: SrfRequest, res: SrfResponse, options: object): Promise<SrfDialog>;
  createUAC(uri: string, options: object, progress?: object): Promise<SrfDialog>;
  createB2BUA(
    req: SrfRequest,
    res: SrfResponse,
    uri: string,
    options?: object,
    progress?: object,
  ): Promise<{ uas: SrfDialog; uac: SrfDialog }>;
  proxyRequest(req: SrfRequest, destination: string | string[], options?: object): Promise<unknown>;
  request(
    uri: string,
    options: object,
    callback: (error: (Error & { code?: string }) | null, req: SrfRequest) => void,
  ): void;
  readonly idle: boolean;
  /** Number of dialogs srf still knows. */
  readonly _dialogs: Map<string, SrfDialog>;
}

export function newSrf(): TestSrf {
  return new DrachtioSrf() as unknown as TestSrf;
}

/** Connected, and its verbs known to the edge. `route` is called before connecting, as apps do. */
export async function connectSrf(
  running: Omit<RunningEdge, "edge">,
  route: (srf: TestSrf) => void = () => undefined,
  reconnect: object = { maxAttempts: 1 },
): Promise<TestSrf> {
  const srf = newSrf();
  route(srf);
  let isOpen = true;
  srf.on("error", () => undefined);
  srf.on("close", () => {
    isOpen = false;
  });
  srf.connect({ ...running.admin, secret: SECRET, reconnect });
  await once(srf, "connect");
  // Frames are answered in order: an answer to anything sent now means that the verbs before it are known.
  await new Promise<void>((resolve) => {
    srf.request(`sip:nobody@${running.host}:${running.port}`, { method: "OPTIONS" }, () => resolve());
  });
  onTestFinished(() => {
    if (isOpen) srf.disconnect();
  });
  return srf;
}

/** Two BYEs may cross: then srf is told that the dialog is gone already. */
export function hangUp(dialog: SrfDialog): void {
  dialog.destroy().catch(() => undefined);
}
