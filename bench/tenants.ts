/** Tenants in bulk: an account, a destination, a pool and its numbers each, written straight into the tables; ids are `acc_0`, `pool_0` and so on. */
import type { Database } from "../src/db/database.js";
import type { OverflowBehaviour } from "../src/pool/ring-pool.js";

export interface TenantPlan {
  readonly tenants: number;
  readonly numbersATenant: number;
  readonly sessionLifetimeS: (tenant: number) => number;
  /** original_number unless given. */
  readonly overflow?: OverflowBehaviour;
}

/** Numbers of tenant t have the ids t * numbersATenant + 1 and up, and are +1888 with seven digits of that id. */
export async function makeTenants(
  db: Database,
  { tenants, numbersATenant, sessionLifetimeS, overflow = "original_number" }: TenantPlan,
): Promise<void> {
  const run = (text: string, values: unknown[]): Promise<unknown> => db.query({ name: "", text }, values);
  const lifetimes = Array.from({ length: tenants }, (_, tenant) => sessionLifetimeS(tenant));
  await run(
    `insert into account (id, name, tag_key) select 'acc_' || t, 'tenant ' || t, 'tag_' || t from generate_series(0, $1::int - 1) t`,
    [tenants],
  );
  await run(
    `insert into destination (id, account_id, number, number_type, npa, sip_uri)
     select 'dst_' || t, 'acc_' || t, '+1800' || (5550000 + t), 'toll_free', '800', 'sip:business@127.0.0.1:5090' from generate_series(0, $1::int - 1) t`,
    [tenants],
  );
  await run(
    `insert into pool (id, account_id, name, kind, destination_id, number_type, session_lifetime_s, retention_s, max_size, overflow, drain_s)
     select 'pool_' || t, 'acc_' || t, 'pool', 'automatic', 'dst_' || t, 'toll_free', lifetime, 259200, 100000, $2, 259200
     from unnest($1::int[]) with ordinality as l (lifetime, ord), lateral (select ord - 1 as t) x`,
    [lifetimes, overflow],
  );
  await run(
    `insert into promo_number (e164, number_type, npa, state, role, account_id, pool_id, ownership_epoch)
     select '+1888' || (2000000 + n), 'toll_free', '888', 'assigned', 'pool', 'acc_' || t, 'pool_' || t, 1
     from generate_series(0, $1::int * $2::int - 1) n, lateral (select n / $2 as t) x`,
    [tenants, numbersATenant],
  );
  await run("analyze", []);
}
