/**
 * Connections that lead only where the guard lets them: a name is resolved once, when the connection is made, and the connection goes to what was
 * judged, so that a name which answers differently a moment later (DNS rebinding) changes nothing.
 */
import type { LookupFunction } from "node:net";
import { Agent, type Dispatcher } from "undici";
import { createResolve, type Resolve } from "../../kernel/resolve-name.js";
import { isUsualTarget, literalOf, type TargetGuard } from "../../account/outgoing/target-guard.js";

/** An answer's head beyond this is no answer to a delivery. */
const HEADER_BYTES_MAX = 16_384;

export class ForbiddenTarget extends Error {
  override readonly name = "ForbiddenTarget";
}

export interface GuardedAgent {
  /** @throws ForbiddenTarget for a literal address that is not allowed; a name's is thrown by the request */
  dispatcherFor(url: URL): Dispatcher;
  close(): Promise<void>;
}

/** @param input.resolve the process's; one of its own when not given. @param input.isUsual which URLs may lead to any public address; deliveries' (https) when not given */
export function createGuardedAgent(input: {
  guard: TargetGuard;
  connectTimeoutMs: number;
  resolve?: Resolve;
  isUsual?: (url: URL) => boolean;
}): GuardedAgent {
  const { guard, connectTimeoutMs, resolve = createResolve(), isUsual: isUsualUrl = isUsualTarget } = input;
  const agentFor = (isUsual: boolean): Agent =>
    new Agent({
      connect: { lookup: guardedLookup({ guard, resolve, isUsual }), timeout: connectTimeoutMs },
      maxHeaderSize: HEADER_BYTES_MAX,
    });
  const usual = agentFor(true);
  const listed = agentFor(false);
  return {
    dispatcherFor: (url) => {
      const isUsual = isUsualUrl(url);
      const literal = literalOf(url);
      // Nothing is looked up for a literal address.
      if (literal !== null && !guard.allows(literal, isUsual)) throw new ForbiddenTarget(url.hostname);
      return isUsual ? usual : listed;
    },
    close: async () => {
      await Promise.all([usual.destroy(), listed.destroy()]);
    },
  };
}

/** One address that is not allowed is enough: a name that leads to both is a trick or a mistake. */
function guardedLookup(input: { guard: TargetGuard; resolve: Resolve; isUsual: boolean }): LookupFunction {
  const { guard, resolve, isUsual } = input;
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined || addresses.some(({ address }) => !guard.allows(address, isUsual))) {
          return callback(new ForbiddenTarget(hostname), "", 0);
        }
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, "", 0),
    );
  };
}
