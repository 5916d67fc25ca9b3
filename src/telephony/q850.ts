/** ITU-T Q.850 release causes beside the SIP statuses they stand for (RFC 3398 §7.2.4.1, RFC 6432). */

const CAUSE_OF_STATUS: Readonly<Record<number, number>> = {
  404: 1,
  410: 22,
  480: 18,
  484: 28,
  486: 17,
  487: 16,
  403: 21,
  408: 102,
  500: 41,
  502: 38,
  503: 41,
  504: 102,
  600: 17,
  603: 21,
  604: 1,
};

/** 16 (normal clearing) for an answered call, 31 (normal, unspecified) where the table is silent. */
export function q850OfStatus(status: number): number {
  if (status < 300) return 16;
  return CAUSE_OF_STATUS[status] ?? 31;
}

export function reasonHeader(cause: number): string {
  return `Q.850;cause=${cause}`;
}
