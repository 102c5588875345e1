-- Tokens: a member's credential for programs that have not its key.

create table token (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	-- Of the token, under a key that is not in the database: whoever reads
	-- the table has no token, and whoever writes to it can make none.
	digest bytea not null unique,
	-- Which key; a digest of it.
	key_name bytea not null,
	name text not null,
	-- What it may do, as far as its member may.
	scopes text[] not null,
	created_at timestamptz not null default now(),
	expires_at timestamptz not null,
	-- Within a minute; null: never.
	last_used_at timestamptz,
	revoked_at timestamptz
);
create index token_mesh on token (mesh_id, id);
create index token_member on token (member_id, id);
-- When it was over; a null does not count.
create index token_over on token (least(expires_at, revoked_at));

-- By which name the key of a host is known.
alter table host add column token_key bytea;
