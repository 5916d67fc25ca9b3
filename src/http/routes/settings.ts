/** `/v1/settings/quarantine`: the platform's rule for when a quarantined number is clean. */
import { HOLD_S_RECOMMENDED } from "../../pool/quarantine.js";
import { readQuarantineSettings, writeQuarantineSettings } from "../../pool/quarantine-settings.js";
import { principalOf } from "../auth.js";
import {
  quarantineSettingsIn,
  quarantineSettingsOut,
  readQuarantineBody,
  showQuarantineSettings,
} from "../contract/quarantine-settings.js";
import type { HttpApp, HttpDeps } from "../http-deps.js";

const tags = ["Numbers"];

export function addSettingsRoutes(app: HttpApp, deps: HttpDeps): void {
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
