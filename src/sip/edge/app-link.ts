/** What the rest of the edge knows of a connected app (one drachtio-srf process): an identity and a way to send it frames. */
export interface AppLink {
  readonly isOpen: boolean;
  /** It reads too slowly: no new calls for it (limits.ts APP_CONGESTED_BYTES). */
  readonly isCongested: boolean;
  /** @param payload one frame without its length prefix, one character per byte */
  send(payload: string): void;
}
