/** Which carriers the simulated traffic speaks as. Those that are commanded over their own API cannot be spoken without it. Called by `npm run demo`. */
import type { Carrier } from "../account/carrier-credentials.store.js";
import { AppError } from "../kernel/errors.js";
import type { CarrierVoice } from "./carrier-voices/carrier-voice.js";

/** A carrier's credential is one, and each voice has keys of its own: of a carrier with two languages one is spoken. */
function speakable(voices: readonly CarrierVoice[]): ReadonlyMap<Carrier, CarrierVoice> {
  const spoken = new Map<Carrier, CarrierVoice>();
  for (const voice of voices) {
    if (!voice.name.endsWith("call control") && !spoken.has(voice.carrier)) spoken.set(voice.carrier, voice);
  }
  return spoken;
}

/**
 * @param names separated by commas; null: every carrier's
 * @throws AppError("invalid_value") for a name that is no carrier's
 */
export function chooseVoices(voices: readonly CarrierVoice[], names: string | null): readonly CarrierVoice[] {
  const spoken = speakable(voices);
  if (names === null) return [...spoken.values()];
  const asked = names.split(",").map((name) => name.trim());
  const chosen = new Set<CarrierVoice>();
  for (const name of asked) {
    const voice = [...spoken.values()].find(({ carrier }) => carrier === name);
    if (voice === undefined) {
      const known = [...spoken.keys()].join(", ");
      throw new AppError("invalid_value", `There is no carrier "${name}" to speak as; --carriers takes ${known}.`);
    }
    chosen.add(voice);
  }
  return [...chosen];
}
