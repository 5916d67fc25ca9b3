/** Programmer errors: what can only be false when our own code is wrong. Never used for input or for the outside world. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}

/** The default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Error(`invariant broken: unhandled case ${JSON.stringify(value)}`);
}
