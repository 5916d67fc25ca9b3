/**
 * Every carrier credential in memory, sealed, for the moments when the database does not answer in time: whose signature counts for a number must then be
 * known all the same, or its calls would not ring. The database's own answer always comes first (hosting.ts).
 */
import {
  type Carrier,
  type CarrierCredential,
  pageOfCredentials,
  type SealedCredential,
} from "../../account/carrier-credentials.store.js";
import type { Database } from "../../db/database.js";
import type { Clock } from "../../kernel/clock.js";
import { messageOf } from "../../kernel/errors.js";
import type { Log } from "../../kernel/log.js";
import type { Secrets } from "../../kernel/secrets.js";
import type { RoutedNumber } from "../../routing/routed-numbers.store.js";

/** About 1 kB each. Of further ones nothing is known with the database away. */
export const CREDENTIALS_MAX = 50_000;
const PAGE = 1_000;
/** How long a credential may speak while the database is away and cannot say that it was replaced. */
export const CREDENTIAL_TTL_MS = 24 * 60 * 60 * 1000;

export interface CredentialBookDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
}

export class CredentialBook {
  private byId = new Map<string, SealedCredential>();
  private byAccount = new Map<string, SealedCredential>();
  private readMs = 0;
  private reading: Promise<void> = Promise.resolve();
  private isStale = false;

  constructor(private readonly deps: CredentialBookDeps) {}

  /** Never rejects: what cannot be read now is read at the next change. Resolves when what was known by then is replaced. */
  read(): Promise<void> {
    // One after another, and at most one waits: it will see everything that changed until it begins.
    if (!this.isStale) {
      this.isStale = true;
      this.reading = this.reading.then(() => this.readAll());
    }
    return this.reading;
  }

  /** By the rule of credentialOfNumber(): the one the number names, else its account's, else the platform's. Null: unknown, or known too long. */
  find(
    carrier: Carrier,
    number: Pick<RoutedNumber, "credentialId" | "hostAccountId" | "accountId">,
  ): CarrierCredential | null {
    if (this.deps.clock.monotonicMs() - this.readMs >= CREDENTIAL_TTL_MS) return null;
    const { credentialId, hostAccountId, accountId } = number;
    if (credentialId !== null) {
      const named = this.byId.get(credentialId);
      return named !== undefined && named.carrier === carrier ? this.opened(named) : null;
    }
    const host = hostAccountId ?? accountId;
    const own = host === null ? undefined : this.byAccount.get(keyOf(carrier, host));
    return this.opened(own ?? this.byAccount.get(keyOf(carrier, null)));
  }

  /** The database was just heard of: what is here still holds, for changes are told. */
  confirm(): void {
    this.readMs = this.deps.clock.monotonicMs();
  }

  private opened(sealed: SealedCredential | undefined): CarrierCredential | null {
    if (sealed === undefined) return null;
    try {
      return sealed.open();
    } catch (error) {
      this.deps.log.error("carrier.credential_unreadable", { credentialId: sealed.id, error: messageOf(error) });
      return null;
    }
  }

  private async readAll(): Promise<void> {
    this.isStale = false;
    const byId = new Map<string, SealedCredential>();
    const byAccount = new Map<string, SealedCredential>();
    try {
      for (let after = ""; byId.size < CREDENTIALS_MAX; ) {
        const page = await pageOfCredentials(this.deps, { after, limit: PAGE });
        for (const credential of page) {
          byId.set(credential.id, credential);
          byAccount.set(keyOf(credential.carrier, credential.accountId), credential);
        }
        after = page.at(-1)?.id ?? after;
        if (page.length < PAGE) break;
      }
      if (byId.size >= CREDENTIALS_MAX) this.deps.log.warn("carrier.credentials_not_all_kept", { kept: byId.size });
      this.byId = byId;
      this.byAccount = byAccount;
      this.confirm();
    } catch (error) {
      // A changed one must not speak from memory as it was; after a reconnect everything is read again.
      this.byId.clear();
      this.byAccount.clear();
      this.deps.log.warn("carrier.credentials_not_read", { error: messageOf(error) });
    }
  }
}

function keyOf(carrier: Carrier, accountId: string | null): string {
  return `${carrier} ${accountId ?? ""}`;
}
