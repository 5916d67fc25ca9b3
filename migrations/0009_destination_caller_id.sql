-- What a business learns of a call over SIP: whose number its phone shows, and whether our ids come along.

alter table destination
  add column caller_id text not null default 'caller' check (caller_id in ('caller', 'promo_number')),
  add column pass_ids boolean not null default false;
