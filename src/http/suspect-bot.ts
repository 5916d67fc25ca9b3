/**
 * Is this page view a visitor's? Crawlers, invisible pages and addresses that ask too often get the overflow or the original number, so that they take
 * none from a person. Trusted addresses (load tests, the demo, a proxy of one's own) are never suspected.
 */
import { isbot } from "isbot";
import type { Clock } from "../kernel/clock.js";
import type { BotReason } from "../pool/bot-tally.js";
import { createAddressLimit } from "./address-limit.js";
import { createTrustedAddresses } from "./trusted-addresses.js";

export interface PageView {
  /** The peer's address; X-Forwarded-For is anybody's claim and is not read. */
  readonly address: string;
  readonly userAgent: string | undefined;
  readonly isVisible: boolean | null;
}

export function createBotRule(options: {
  clock: Pick<Clock, "monotonicMs">;
  trustedCidrs: readonly string[];
}): (view: PageView) => BotReason | null {
  const isTrusted = createTrustedAddresses(options.trustedCidrs);
  const isWithinLimit = createAddressLimit(options.clock);
  return ({ address, userAgent, isVisible }) => {
    if (isTrusted(address)) return null;
    if (isVisible === false) return "invisible";
    if (isbot(userAgent)) return "user_agent";
    return isWithinLimit(address) ? null : "address_limit";
  };
}
