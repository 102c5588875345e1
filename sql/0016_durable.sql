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
	-- Where its chunks are: 0 in their rows, 1 in objects of the storage.
	storage int8 not null default 0,
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
	-- Of the request that brought it; and its object.
	put_id uuid not null,
	bytes int8 not null,
	-- Its text; or where in the object that begins, and of what it is.
	text text,
	place int8,
	sha256 bytea,
	created_at timestamptz not null,
	primary key (durable_id, n),
	check (case when text is null then place is not null
	    and sha256 is not null else place is null and sha256 is null end)
);
create index durable_chunk_put on durable_chunk (durable_id, put_id);

-- What the storage has of them: the chunks of one request, one behind the other.
-- As with a file a row is there before the bytes are, and one of file_gone as
-- long as they are behind it.
create table durable_object (
	id uuid primary key,
	durable_id uuid not null references durable on delete cascade,
	mesh_id uuid not null references mesh on delete cascade,
	size int8 not null,
	-- Null: it has no chunks, as its bytes are not stored yet.
	sha256 bytea,
	created_at timestamptz not null
);
create index durable_object_of on durable_object (durable_id);
create index durable_object_counted on durable_object (mesh_id) include (size);
create index durable_object_waits on durable_object (created_at)
	where sha256 is null;
create trigger durable_object_went after delete on durable_object
	for each row execute function file_went();

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

-- May it write to one that it sees?
create function durable_writes(d durable, member uuid, every bool) returns bool
language sql stable as $$
	select d.member_id = member or every
$$;
