/** Google Analytics 4 over its Measurement Protocol. Nothing in it says that two events are one, so an event is never sent again once it was taken. */
import { type Ga4Settings, openSettings } from "../../../account/outgoing/conversion-settings.js";
import type { Secrets } from "../../../kernel/secrets.js";
import { exchange, type SendDeps } from "../send.js";
import type { Network } from "./conversion-kind.js";
import { GA4_AGE_MS_MAX, ga4Event, type Ga4EventSettings } from "./ga4-event.js";
import { outcomeOf, refusedForEver, withoutSecrets } from "./network-answer.js";

/** @param url GA4_URL */
export function ga4(deps: SendDeps & { readonly secrets: Secrets }, url: string): Network {
  return {
    kind: "ga4",
    needsConsentTo: ["analytics_storage"],
    canRestate: false,
    ageMsMax: GA4_AGE_MS_MAX,
    namesCaller: false,
    make: ({ call, settings }) => ga4Event(call, settings as Ga4EventSettings),
    send: async (body, { secretEnc }) => {
      const { measurement_id, api_secret } = openSettings<Ga4Settings>(deps.secrets, secretEnc);
      const target = `${url}/mp/collect?${new URLSearchParams({ measurement_id, api_secret }).toString()}`;
      const sent = await exchange(deps, { url: target, headers: { "content-type": "application/json" }, body });
      const answer = withoutSecrets(sent, [api_secret]);
      return outcomeOf(answer, { isFinal: answer.kind === "answered" && refusedForEver(answer.status) });
    },
  };
}
