/** What we use of drachtio-srf, typed as it behaves (its own declarations differ from its code in the callbacks). */
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";

export interface SipMessage {
  readonly body: string;
  readonly source_address: string;
  readonly source_port: string;
  readonly protocol: string;
  get(name: string): string | undefined;
  has(name: string): boolean;
}

export interface SipRequest extends SipMessage, EventEmitter {
  readonly method: string;
  readonly uri: string;
  /** The drachtio server that sent it. */
  readonly socket: Socket;
  /** The INVITE client transaction: sends CANCEL. */
  cancel(callback?: (error: unknown) => void): void;
}

export interface SipResponse extends SipMessage {
  readonly status: number;
  readonly reason: string;
  readonly finalResponseSent: boolean;
  send(status: number, options?: ResponseOptions): void;
  send(status: number, reason: string, options?: ResponseOptions): void;
}

export interface ResponseOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Dialog extends EventEmitter {
  readonly connected: boolean;
  readonly remote: { readonly uri: string; readonly sdp: string };
  readonly local: { readonly uri: string; readonly sdp: string; readonly contact?: string };
  /** Holds back what the far side sends in the dialog until both legs stand. */
  queueRequests: boolean;
  destroy(options?: { headers?: Record<string, string> }): Promise<unknown>;
  /** Calls back for every response, 1xx as well. `acknowledge` comes with the 2xx to an INVITE that was sent without an offer and with `noAck`. */
  request(
    options: DialogRequest,
    callback: (error: unknown, response?: SipResponse, acknowledge?: (options: ResponseOptions) => void) => void,
  ): void;
}

export interface DialogRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly noAck?: boolean;
}

/** A B leg that answered an INVITE without an offer: the offer is in its 200, our ACK must bring the answer. */
export interface UnacknowledgedLeg {
  readonly sdp: string;
  readonly ack: (sdp: string) => Promise<Dialog>;
  readonly destroy: () => Promise<void>;
}

export interface UacOptions {
  readonly headers: Record<string, string>;
  readonly localSdp?: string;
  readonly noAck?: boolean;
}

export interface UacProgress {
  readonly cbRequest: (error: unknown, request: SipRequest | undefined) => void;
  readonly cbProvisional: (response: SipResponse) => void;
}

/** How the hunt of a proxied INVITE went: final answers in the order in which they came. */
export interface ProxyResult {
  /** The last of them; none when nobody could be asked. */
  readonly finalStatus?: number;
  readonly responses: readonly { readonly msgs: readonly ProxiedResponse[] }[];
}

/** A final answer of a target; from the embedded edge also its first ringing. */
export interface ProxiedResponse {
  readonly status: number;
  /** `HH:MM:SS.uuuuuu`, by the server's clock. */
  readonly time: string;
  readonly msg: SipMessage;
}

export interface ProxyOptions {
  readonly remainInDialog: boolean;
  readonly followRedirects: boolean;
  readonly forking: "sequential";
  /** As drachtio reads them: `5000ms`, `5s`. */
  readonly provisionalTimeout: string;
  readonly finalTimeout: string;
  readonly headers: Record<string, string>;
}

export interface Srf extends EventEmitter {
  connect(options: { host: string; port: number; secret: string; reconnect: { retryMaxDelay: number } }): unknown;
  disconnect(): void;
  invite(handler: (request: SipRequest, response: SipResponse) => void): void;
  options(handler: (request: SipRequest, response: SipResponse) => void): void;
  use(method: string, handler: (request: SipRequest, response: SipResponse) => void): void;
  createUAC(uri: string, options: UacOptions, progress: UacProgress): Promise<Dialog | UnacknowledgedLeg>;
  /** Rejects with drachtio's sentence (a string). Changes the list of destinations. */
  proxyRequest(request: SipRequest, destinations: string[], options: ProxyOptions): Promise<ProxyResult>;
  createUAS(
    request: SipRequest,
    response: SipResponse,
    options: { localSdp: string; headers?: Record<string, string> },
    callback: (error: unknown, dialog: Dialog | undefined) => void,
  ): unknown;
}
