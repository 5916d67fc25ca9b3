-- A deleted pool stays for reports and billing; without numbers it routes nothing any more, and its destination may go.
alter table pool alter column destination_id drop not null;
alter table pool add constraint pool_destination_while_in_use check (destination_id is not null or deleted_at is not null);
