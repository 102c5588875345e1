-- compatible: 1
-- Webhooks: what happened, told by HTTP to who asked for it.

create table webhook (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	endpoint text not null,
	-- Of events; * is all.
	types text[] not null,
	-- What is in one channel or thread alone.
	channel_id uuid,
	-- Who made it might see what is not in a channel: 0 no; 1 while its
	-- member's role lets it; 2 as the platform's back end said.
	audits int2 not null,
	-- Locked under a key that is not in the database.
	secret bytea not null,
	enabled bool not null default true,
	-- Why the server turned it off.
	why text,
	created_at timestamptz not null,
	-- The last line of the journal that is done with.
	n int8 not null,
	-- What is tried again: its line, how often it was tried, and when next.
	trying int8 not null default 0,
	tries int8 not null default 0,
	retry_at timestamptz,
	-- Since then nothing was taken.
	failing_since timestamptz,
	-- Who delivers; it says so anew before it is over.
	claim uuid,
	host_id uuid,
	claimed_until timestamptz not null default now()
);
create index webhook_member on webhook (member_id);
create index webhook_mesh on webhook (mesh_id, id);
create index webhook_claimed on webhook (claimed_until) where enabled;

-- What became of each event.
create table webhook_delivery (
	id uuid primary key,
	webhook_id uuid not null references webhook on delete cascade,
	n int8 not null,
	type text not null,
	-- 0 to be tried again, 1 delivered, 2 given up, 3 once more, out of turn.
	state int8 not null,
	tries int8 not null,
	-- Of HTTP.
	status int8,
	error text,
	response text,
	created_at timestamptz not null default now(),
	tried_at timestamptz not null default now(),
	unique (webhook_id, n)
);
create index webhook_delivery_state on webhook_delivery (webhook_id, state, n)
	where state <> 1;
create index webhook_delivery_tried on webhook_delivery (tried_at);

-- The same for each event and webhook, however often it is sent.
create function webhook_delivery_id(webhook uuid, event uuid) returns uuid
language sql immutable parallel safe as $$
	select substr(encode(sha256(uuid_send(webhook) || uuid_send(event)),
	    'hex'), 1, 32)::uuid
$$;

-- May a member hear of what a webhook has to do with a channel (or with none)?
-- Whose it is knows what it was sent.
create function webhook_shows(w webhook, channel uuid, member uuid) returns bool
language sql stable as $$
	select channel is null or w.member_id = member
	or coalesce((select channel_admits(c, member) from channel c
	    where c.id = channel), false)
$$;
