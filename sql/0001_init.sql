-- The first schema: meshes, members, sessions, messages and their deliveries,
-- state and memory.  linnet-schema(7) tells the story; here are the reasons.

create table mesh (
	id uuid primary key,
	slug text not null unique,
	name text not null,
	owner_key bytea not null,
	-- The owner's secret key, sealed with a key that is not in the
	-- database; null when only the owner has it.
	owner_sealed bytea,
	root_key text not null,
	created_at timestamptz not null default now(),
	archived_at timestamptz
);

create table member (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	key bytea,
	name text not null,
	-- The name as it is compared: lower case of every letter.
	name_folded text not null,
	role text not null,
	-- Digest of the token with which hooks may set a session's status.
	hook_digest bytea unique,
	joined_at timestamptz not null default now(),
	revoked_at timestamptz,
	unique (mesh_id, key)
);
create index member_name on member (mesh_id, name_folded);

create table invite (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	-- Digest of the token: whoever reads the table cannot join.
	digest bytea not null unique,
	role text not null,
	max_uses int8 not null,
	used int8 not null default 0,
	expires_at timestamptz not null,
	created_at timestamptz not null default now(),
	revoked_at timestamptz
);

-- A session is a client's identity over its connections: it keeps its row
-- when it returns with the same session key (or the same member and session
-- id).  While it is connected ended_at is null and (host_id, incarnation, ref)
-- says which process has it.
create table session (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	-- What makes it the same session: its key, or a digest of member and
	-- session id.
	ident bytea not null,
	key bytea,
	name text not null,
	name_folded text not null,
	client_session text not null,
	pid int8 not null,
	cwd text not null,
	hostname text not null,
	peer_type text not null,
	model text not null,
	-- Connected to do something, not to be written to: not listed.
	control bool not null,
	acks bool not null,
	status int2 not null,
	status_source int2 not null,
	status_at timestamptz not null,
	summary text,
	-- name, role, name, role ...
	groups text[] not null,
	host_id uuid not null,
	incarnation uuid not null,
	ref int8 not null,
	connected_at timestamptz not null,
	ended_at timestamptz,
	-- It was lost and may come back; one that said goodbye will not.
	returns bool not null default true,
	unique (mesh_id, ident)
);
create index session_live on session (mesh_id, name_folded)
	where ended_at is null;
create index session_key on session (mesh_id, key) where key is not null;
create index session_member on session (member_id);
create index session_process on session (host_id, incarnation)
	where ended_at is null;
create index session_ended on session (ended_at) where ended_at is not null;

-- Signatures of hellos inside the clock window: none is good twice.
create table hello_seen (
	signature bytea primary key,
	seen_at timestamptz not null default now()
);
create index hello_seen_at on hello_seen (seen_at);

-- A status that a hook reported before its session was there.
create table pending_status (
	-- Whose sessions it is for; null: anybody's (hook.loopback).
	member_id uuid,
	client_session text not null,
	pid int8 not null,
	cwd text not null,
	status int2 not null,
	created_at timestamptz not null default now()
);

-- Ids rise with time, and within one sender in the order of sending: the
-- order of delivery is the order of ids.
create table message (
	id uuid primary key,
	-- Without a foreign key, here and in delivery: checking it for every
	-- message costs a third of storing it, and the mesh comes from the
	-- credential, never from the message.
	mesh_id uuid not null,
	sender_member uuid not null,
	sender_session uuid not null,
	sender_key bytea not null,
	sender_name text not null,
	target text not null,
	priority int2 not null,
	nonce text not null,
	ciphertext text not null,
	-- The sender's own id: a send repeated with it is the same message.
	client_id text,
	fingerprint bytea not null,
	created_at timestamptz not null,
	expires_at timestamptz not null
);
create unique index message_client on message (mesh_id, sender_key, client_id)
	where client_id is not null;

-- One row for each message and recipient.  The recipient is a session, or a
-- member of whom any one session will do.
--	state	0 queued, 1 pushed, 2 acked, 3 expired
--	holder	the session that has it or is about to get it
--	due_at	when somebody must look at it again, whatever happened to the
--		process that had it; expires_at while it waits for the recipient
create table delivery (
	message_id uuid not null,
	recipient uuid not null,
	mesh_id uuid not null,
	priority int2 not null,
	state int2 not null,
	holder uuid,
	due_at timestamptz not null,
	pushes int2 not null default 0,
	pushed_at timestamptz,
	acked_at timestamptz,
	expires_at timestamptz not null,
	primary key (message_id, recipient)
) with (fillfactor = 80);
create index delivery_open on delivery (recipient, message_id)
	where state < 2;
-- With the mesh, to count what waits in one.
create index delivery_due on delivery (due_at) include (mesh_id)
	where state < 2;

-- Lists of recipients of crowds: sessions, 16 bytes each.  The id is a hash of
-- the list.
--	used_at		an hour at most before it was last referred to
create table audience (
	id uuid primary key,
	recipients bytea not null,
	used_at timestamptz not null default now()
);
-- Ids are as good as random: compressing them is work for nothing.
alter table audience alter recipients set storage external;
create index audience_used on audience (used_at);

-- The recipients of a multicast that one process has, when they are many: a row
-- for all of them instead of one for each in delivery.
--	marks		of each in the order of its audience, 7 bytes: its state as in
--			delivery, or 4: it has a row there; then the milliseconds
--			from created_at until it was pushed and acked, three
--			bytes each, the high one first
--	waiting		recipients that have not acked
--	due_at		as in delivery; null: all have acked, or the rest was
--			split off: it has rows in delivery
-- Only the process writes marks, and nobody when it was split.
create table crowd (
	message_id uuid not null,
	host_id uuid not null,
	proc int2 not null,
	mesh_id uuid not null,
	priority int2 not null,
	audience uuid not null,
	marks bytea not null,
	waiting int4 not null,
	split bool not null default false,
	due_at timestamptz,
	created_at timestamptz not null,
	expires_at timestamptz not null,
	primary key (message_id, host_id, proc)
);
-- Most marks of a row are alike.
alter table crowd alter marks set storage main;
do $$ begin
	if exists (select from pg_settings
	    where name = 'default_toast_compression'
	    and 'lz4' = any (enumvals)) then
		alter table crowd alter marks set compression lz4;
	end if;
end $$;
create index crowd_due on crowd (due_at) where due_at is not null;

create table state (
	mesh_id uuid not null references mesh on delete cascade,
	key text not null,
	-- json, not jsonb: what was set is what is got, byte for byte.
	value json not null,
	version int8 not null,
	by_session uuid not null,
	by_name text not null,
	updated_at timestamptz not null,
	primary key (mesh_id, key)
);
create index state_updated on state (mesh_id, updated_at);

create table memory (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null,
	by_name text not null,
	content text not null,
	tags text[] not null,
	created_at timestamptz not null,
	forgotten_at timestamptz,
	search tsvector not null
		generated always as (to_tsvector('english', content)) stored
);
create index memory_search on memory using gin (search)
	where forgotten_at is null;
create index memory_mesh on memory (mesh_id, created_at);

-- The linnetd that share this database; a host that does not renew its lease
-- is gone, and so are its sessions.
create table host (
	id uuid primary key,
	name text not null,
	version text not null,
	started_at timestamptz not null default now(),
	lease_until timestamptz not null
);
