/**
 * `POST /v1/presentations` and renew: called by every page view of every site, by anybody, from any origin. Never an error for what is wrong with us;
 * the page then keeps its own numbers.
 */
import { z } from "zod";
import type { Account } from "../../account/accounts.store.js";
import { messageOf } from "../../kernel/errors.js";
import type { BotTally } from "../../pool/bot-tally.js";
import { createDiscovery } from "../../pool/discovery.js";
import { presentPage } from "../../pool/present.js";
import { type Renewal, renewLocks } from "../../pool/presentations.store.js";
import {
  type IgnoredFields,
  ignoredInPresentations,
  ignoredInRenew,
  PRESENTATION_BODY_BYTES_MAX,
  presentationsIn,
  presentationsOut,
  renewIn,
  renewOut,
  showAnswer,
  showRenewal,
} from "../contract/presentation.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";
import type { HttpMetrics } from "../http-metrics.js";
import { acceptJson } from "../json-body.js";
import { admitOrigin } from "../page-origin.js";
import { storedVisitOf } from "../stored-visit.js";
import { createBotRule } from "../suspect-bot.js";

const tags = ["Presentations"];
const PATHS = ["/v1/presentations", "/v1/presentations/renew"];
const PREFLIGHT = {
  "access-control-allow-methods": "POST",
  "access-control-allow-headers": "content-type",
  "access-control-max-age": "86400",
};

export function addPresentationRoutes(app: HttpApp, deps: HttpDeps, watch: Watch): void {
  // text/plain as well: a page may then send it without a preflight.
  acceptJson(app, ["application/json", "text/plain"], (paths) => {
    const page = paths.filter((path) => path.startsWith("page.")).length;
    countIgnored(watch.metrics, { body: paths.length - page, page });
  });
  app.addHook("onRequest", (_request, reply, done) => {
    void reply.header("access-control-allow-origin", "*").header("cache-control", "no-store");
    done();
  });
  const preflight = { summary: "CORS preflight", tags, response: { 204: z.null() } };
  for (const path of PATHS)
    app.options(path, { schema: preflight }, async (_request, reply) => reply.headers(PREFLIGHT).code(204).send(null));
  addPresent(app, deps, watch);
  addRenew(app, deps, watch);
}

interface Watch {
  readonly metrics: HttpMetrics;
  readonly bots: BotTally;
}

function addPresent(app: HttpApp, deps: HttpDeps, { metrics, bots }: Watch): void {
  const page = {
    ...deps,
    bots,
    discover: createDiscovery({ ...deps, onChange: (accountId) => deps.directory.changed(accountId) }),
  };
  const suspect = createBotRule({ clock: deps.clock, trustedCidrs: deps.presentTrustedCidrs });
  app.post(
    "/v1/presentations",
    {
      bodyLimit: PRESENTATION_BODY_BYTES_MAX,
      schema: {
        summary: "Present the visitor's promo numbers",
        description:
          "Public; application/json or text/plain, 16 kB at most. Fields it does not know are ignored. What is answered as presented is stored. Repeated with the same visitor_id it gives the same number; an Idempotency-Key is not looked at, for an old answer would name a number that is somebody else's by now. A suspected bot, an exhausted pool or an outage gets overflow or original, with status 200; so does every page while the account's tag is paused (original). 403 origin_not_allowed for pages of other origins than the account lists. Where consent declines ad_storage or ad_user_data, click ids are not kept.",
        tags,
        consumes: ["application/json", "text/plain"],
        body: presentationsIn,
        response: { 200: presentationsOut },
      },
    },
    async (request, reply) => {
      const { body } = request;
      countIgnored(metrics, ignoredInPresentations(body));
      const userAgent = request.headers["user-agent"];
      const botReason = suspect({ address: request.ip, userAgent, isVisible: body.page.visible ?? null });
      if (botReason !== null) metrics.botSuspected(botReason);
      const answer = await presentPage(page, {
        tagKey: body.tag_key,
        visitorId: body.visitor_id ?? null,
        numbers: body.numbers,
        ...storedVisitOf(body),
        botReason,
        admit: (account) => admitOrigin(account, { request, reply, onRefused: metrics.originRefused }),
      });
      for (const { outcome } of answer.presentations) metrics.presented(outcome);
      return showAnswer(answer);
    },
  );
}

function addRenew(app: HttpApp, deps: HttpDeps, { metrics }: Watch): void {
  app.post(
    "/v1/presentations/renew",
    {
      bodyLimit: PRESENTATION_BODY_BYTES_MAX,
      schema: {
        summary: "Extend the locks of numbers a visitor still looks at",
        description:
          "Extends only the lock. lost: the number may be somebody else's by now; ask for a new one. A paused tag's numbers are renewed for as long as a page shows them. Made for navigator.sendBeacon: any text/plain body that is JSON will do.",
        tags,
        consumes: ["application/json", "text/plain"],
        body: renewIn,
        response: { 200: renewOut },
      },
    },
    async (request, reply) => {
      const { body } = request;
      countIgnored(metrics, ignoredInRenew(body));
      const asked = { visitorId: body.visitor_id ?? "", presentationIds: body.presentation_ids };
      const admit = (account: Account): void =>
        admitOrigin(account, { request, reply, onRefused: metrics.originRefused });
      const renewals = await renewOrLose(deps, { tagKey: body.tag_key, ...asked, admit });
      return { presentations: renewals.map(showRenewal) };
    },
  );
}

/** Lost is the honest answer to an outage as well: nobody can say that the lock still holds. @param input.admit throws to refuse the account's page */
async function renewOrLose(
  deps: HttpDeps,
  input: {
    tagKey: string;
    visitorId: string;
    presentationIds: readonly string[];
    admit: (account: Account) => void;
  },
): Promise<Renewal[]> {
  const { tagKey, visitorId, presentationIds, admit } = input;
  const known = await orNull(deps, () => deps.directory.byTagKey(tagKey));
  if (known !== null) {
    admit(known.account);
    const asked = { accountId: known.account.id, visitorId, presentationIds };
    const renewals = await orNull(deps, () => renewLocks(deps.db, asked));
    if (renewals !== null) return renewals;
  }
  return presentationIds.map((presentationId) => ({ presentationId, outcome: "lost", lockedUntil: null }));
}

/** @returns null when it cannot be had just now */
async function orNull<T>({ log }: Pick<HttpDeps, "log">, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    log.warn("presentation.renewal_lost", { error: messageOf(error) });
    return null;
  }
}

function countIgnored(metrics: HttpMetrics, ignored: IgnoredFields): void {
  if (ignored.body > 0) metrics.fieldsIgnored("body", ignored.body);
  if (ignored.page > 0) metrics.fieldsIgnored("page", ignored.page);
}
