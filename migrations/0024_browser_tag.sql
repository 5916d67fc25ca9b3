-- The browser tag as the service knows it: what an account says of its pages, the revisions of its tag, and the files that pages may have pinned.

alter table account
  -- As browsers write the Origin header, or https://*.example.com for every host below; empty: any.
  add column allowed_origins text[] not null default '{}' check (cardinality(allowed_origins) <= 100),
  -- How a page without any consent signal counts.
  add column consent text not null default 'assumed' check (consent in ('assumed', 'required')),
  -- Browsers keep a cookie for 400 days at most (draft-ietf-httpbis-rfc6265bis, section 5.5).
  add column visitor_lifetime_days int not null default 30 check (visitor_lifetime_days between 1 and 400);

-- What was live once, as it was: going back makes a new revision with former settings.
create table tag_revision (
  account_id text not null references account (id),
  revision int not null check (revision >= 1),
  settings jsonb not null check (jsonb_typeof(settings) = 'object'),
  made_by text not null check (made_by in ('account', 'live', 'revert')),
  -- Whose settings it has.
  reverted_to int,
  at timestamptz not null default now(),
  actor text not null,
  primary key (account_id, revision),
  foreign key (account_id, reverted_to) references tag_revision (account_id, revision),
  check ((made_by = 'revert') = (reverted_to is not null)),
  check (reverted_to < revision)
);
create trigger never_changed before update or delete on tag_revision for each row execute function refuse_rewriting();

-- Where an account's tag stands: one row an account.
create table tag (
  account_id text primary key references account (id),
  -- The one that is live: always the newest.
  revision int not null,
  paused boolean not null default false,
  draft jsonb check (jsonb_typeof(draft) = 'object'),
  draft_at timestamptz,
  draft_actor text,
  foreign key (account_id, revision) references tag_revision (account_id, revision),
  check ((draft is null) = (draft_at is null) and (draft is null) = (draft_actor is null))
);

-- An account's tag is live from the account's first moment, whoever made the account.
create function begin_tag() returns trigger language plpgsql as $$
begin
  insert into tag_revision (account_id, revision, settings, made_by, at, actor)
  values (new.id, 1, '{"slotsOnly": false, "numbersNotToReplace": [], "customData": [], "file": "latest"}', 'account', new.created_at, 'system');
  insert into tag (account_id, revision) values (new.id, 1);
  return null;
end $$;
create trigger tag_begins after insert on account for each row execute function begin_tag();

insert into tag_revision (account_id, revision, settings, made_by, at, actor)
select id, 1, '{"slotsOnly": false, "numbersNotToReplace": [], "customData": [], "file": "latest"}', 'account', created_at, 'system' from account;
insert into tag (account_id, revision) select id, 1 from account;

-- Every file of the tag that was ever published: pages name them by version and hash, with the integrity of these bytes, for as long as they like.
create table tag_file (
  -- `<version>-<hash>`, as in /tag/<version>-<hash>.js
  name text primary key,
  version text not null,
  -- The function alone; `content` is the file, byte by byte.
  script text not null,
  content text not null,
  -- Of the content's bytes, as a page's script element names it.
  integrity text not null check (integrity ~ '^sha384-[A-Za-z0-9+/]{64}$'),
  published_at timestamptz not null default now()
);
create index tag_file_version on tag_file (version, published_at desc);
create trigger never_changed before update or delete on tag_file for each row execute function refuse_rewriting();

-- What every process keeps in memory of a tag (src/http/tag/tag-cache.ts): the tag itself, and the static numbers that stand for sources.
create trigger routing_changed after update on tag for each statement execute function notify_routing();
create trigger routing_changed after insert or update on static_number for each statement execute function notify_routing();

-- As before; a static number that leaves or comes back changes what pages show, too.
create or replace function notify_number() returns trigger language plpgsql as $$
begin
  perform pg_notify('ringmatch_routing', 'number ' || new.e164);
  if old.role = 'static' or new.role = 'static' then
    perform pg_notify('ringmatch_routing', 'static_number');
  end if;
  return null;
end $$;
