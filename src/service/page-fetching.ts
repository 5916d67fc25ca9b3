/** How pages are fetched for the tester: by the guard of outgoing requests, and from loopback where the route allows it. */
import { createTargetGuard, type TargetGuard } from "../account/outgoing/target-guard.js";
import type { OutgoingSide } from "../http/http-deps.js";
import { createResolve, type Resolve } from "../kernel/resolve-name.js";
import { fetchPage, isUsualPage } from "../webhooks/outbound/fetch-page.js";
import { createGuardedAgent, type GuardedAgent } from "../webhooks/outbound/guarded-agent.js";
import { SEND_TIMEOUT_MS } from "../webhooks/outbound/send.js";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

export interface PageFetching {
  readonly fetchPage: OutgoingSide["fetchPage"];
  close(): Promise<void>;
}

/** @param allowCidrs WEBHOOK_ALLOW_CIDRS. @param resolve the process's */
export function createPageFetching(allowCidrs: readonly string[], resolve: Resolve = createResolve()): PageFetching {
  const usual = agentOf(createTargetGuard(allowCidrs), resolve);
  const withLoopback = agentOf(createTargetGuard([...allowCidrs, ...LOOPBACK]), resolve);
  return {
    fetchPage: ({ url, mayReachLoopback }) => fetchPage({ agent: mayReachLoopback ? withLoopback : usual }, { url }),
    close: async () => {
      await Promise.all([usual.close(), withLoopback.close()]);
    },
  };
}

function agentOf(guard: TargetGuard, resolve: Resolve): GuardedAgent {
  return createGuardedAgent({ guard, connectTimeoutMs: SEND_TIMEOUT_MS, resolve, isUsual: isUsualPage });
}
