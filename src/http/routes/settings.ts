/** `/v1/settings/…`: the platform's rule for when a quarantined number is clean, and what carriers do with numbers that nobody calls. */
import { readIdleReclaim, writeIdleReclaim } from "../../pool/idle-numbers.store.js";
import { HOLD_S_RECOMMENDED } from "../../pool/quarantine.js";
import { readQuarantineSettings, writeQuarantineSettings } from "../../pool/quarantine-settings.js";
import { principalOf } from "../auth.js";
import { idleReclaimIn, idleReclaimOut, readIdleReclaimBody, showIdleReclaim } from "../contract/idle-reclaim.js";
import {
  quarantineSettingsIn,
  quarantineSettingsOut,
  readQuarantineBody,
  showQuarantineSettings,
} from "../contract/quarantine-settings.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Numbers"];

export function addSettingsRoutes(app: HttpApp, deps: HttpDeps): void {
  addQuarantine(app, deps);
  addIdleReclaim(app, deps);
}

function addIdleReclaim(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/settings/idle_reclaim",
    {
      config: { access: "admin" },
      schema: { summary: "Get when carriers take idle numbers back", tags, response: { 200: idleReclaimOut } },
    },
    async () => showIdleReclaim(await readIdleReclaim(deps.db)),
  );
  app.put(
    "/v1/settings/idle_reclaim",
    {
      config: { access: "admin" },
      schema: {
        summary: "Say when carriers take idle numbers back",
        description:
          "Off by default. Numbers that are near it are listed by GET /v1/numbers?idle=true, logged and counted in /metrics.",
        tags,
        body: idleReclaimIn,
        response: { 200: idleReclaimOut },
      },
    },
    async (request) => {
      const settings = readIdleReclaimBody(request.body);
      await writeIdleReclaim(deps.db, settings);
      const { keyId } = principalOf(request);
      deps.log.info("number.idle_reclaim_changed", { requestId: request.id, keyId, ...settings });
      return showIdleReclaim(settings);
    },
  );
}

function addQuarantine(app: HttpApp, deps: HttpDeps): void {
  app.get(
    "/v1/settings/quarantine",
    {
      config: { access: "admin" },
      schema: { summary: "Get the quarantine rule", tags, response: { 200: quarantineSettingsOut } },
    },
    async () => showQuarantineSettings(await readQuarantineSettings(deps.db)),
  );
  app.put(
    "/v1/settings/quarantine",
    {
      config: { access: "admin" },
      schema: {
        summary: "Replace the quarantine rule",
        description: "Holds at once, for numbers that are in quarantine already too.",
        tags,
        body: quarantineSettingsIn,
        response: { 200: quarantineSettingsOut },
      },
    },
    async (request) => {
      const settings = readQuarantineBody(request.body);
      const due = await deps.db.transaction((tx) => writeQuarantineSettings(tx, settings));
      for (const number of due) deps.schedule.checkLater({ ...number, delayMs: 0 });
      const { holdS, maxRatePerDay, confidence } = settings;
      const { keyId } = principalOf(request);
      const line = { requestId: request.id, keyId, holdS, maxRatePerDay, confidence, numbers: due.length };
      if (holdS < HOLD_S_RECOMMENDED) deps.log.warn("quarantine.hold_below_recommended", line);
      else deps.log.info("quarantine.rule_changed", line);
      return showQuarantineSettings(settings);
    },
  );
}
