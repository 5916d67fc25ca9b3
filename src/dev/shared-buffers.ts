/** How much memory the embedded PostgreSQL keeps pages in. Pure. */

const MB = 1_048_576;
/** PostgreSQL's own default. */
const MB_MIN = 128;
/** A shutdown writes what of it is dirty, and has seconds for it. */
const MB_MAX = 512;
/** A quarter is what a server of its own gets (postgresql.org/docs/18/runtime-config-resource.html); this one shares its machine with the service. */
const SHARE = 1 / 8;

/** @returns the value of shared_buffers */
export function sharedBuffers(memoryBytes: number): string {
  return `${Math.min(MB_MAX, Math.max(MB_MIN, Math.floor((memoryBytes * SHARE) / MB)))}MB`;
}
