-- compatible: 1
-- Durable streams: text that comes in pieces, as an agent writes it, is read
-- while it comes, and may end as one message.

create table durable (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	-- The channel or thread that it is for, whose members see it; null: it
	-- is its member's.
	channel_id uuid references channel on delete cascade,
	content_type text not null,
	-- JSON.
	metadata text not null,
	-- 0 open, 1 closed, 2 committed.
	state int8 not null default 0,
	-- Of the last chunk, and of all of them.
	chunks int8 not null default 0,
	bytes int8 not null default 0,
	why text,
	post_id uuid,
	post_seq int8,
	created_at timestamptz not null,
	updated_at timestamptz not null,
	closed_at timestamptz,
	expires_at timestamptz not null
);
create index durable_member on durable (member_id, id);
create index durable_channel on durable (channel_id)
	where channel_id is not null;
create index durable_expires on durable (expires_at);

create table durable_chunk (
	durable_id uuid not null references durable on delete cascade,
	-- Dense, from 1.
	n int8 not null,
	-- Of the request that brought it.
	put_id uuid not null,
	text text not null,
	created_at timestamptz not null,
	primary key (durable_id, n)
);
create index durable_chunk_put on durable_chunk (durable_id, put_id);

-- How far a reader has come, under a name of its own.
create table durable_checkpoint (
	durable_id uuid not null references durable on delete cascade,
	member_id uuid not null references member on delete cascade,
	consumer text not null,
	n int8 not null,
	updated_at timestamptz not null default now(),
	primary key (durable_id, member_id, consumer)
);
create index durable_checkpoint_member on durable_checkpoint (member_id);

-- May a member see it?  What is for a channel is as that is; what is for none
-- is its member's, and for those who see all.
create function durable_admits(d durable, member uuid, every bool) returns bool
language sql stable as $$
	select d.member_id = member or case when d.channel_id is null then every
	    else exists (select from channel c where c.id = d.channel_id
		and c.closed_at is null and channel_admits(c, member)) end
$$;
