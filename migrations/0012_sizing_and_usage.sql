-- Which numbers were ever a pool's or an account's: sizing and usage start from there. Moves are rare; presenting pays nothing for these.
create index number_event_pool on number_event (pool_id, number_id) where pool_id is not null;
create index number_event_account on number_event (account_id, number_id) where account_id is not null;
