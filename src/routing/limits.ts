/** Limits that several ingresses share. */

/** No call lasts longer: our own SIP calls are cut at 4 h, carriers cut at 4 h to 24 h and report within the hour. Records open longer are orphans. */
export const CALL_OPEN_S_MAX = 25 * 60 * 60;
