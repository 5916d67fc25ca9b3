/** Which pool serves a visitor, and what the page is told. Pure. */
import type { DirectoryDestination, DirectoryPool } from "./directory.js";

export type PresentationOutcome = "presented" | "renewed" | "overflow" | "original";

/** A campaign pool whose campaign is the visitor's utm_campaign comes before the automatic one. */
export function choosePool(destination: DirectoryDestination, campaign: string | undefined): DirectoryPool | null {
  const ofCampaign = campaign === undefined ? undefined : destination.pools.find((pool) => pool.campaign === campaign);
  return ofCampaign ?? destination.pools.find((pool) => pool.campaign === null) ?? null;
}

/** A page renews well before its lock ends: after a third of the lifetime, so that one lost request costs nothing. At most half (contract). */
export function renewAfterS(sessionLifetimeS: number): number {
  return sessionLifetimeS >= 3 ? Math.floor(sessionLifetimeS / 3) : sessionLifetimeS / 2;
}
