-- compatible: 1
-- Channels: ordered, durable, with threads; and the journal of a mesh, which
-- says everything that happened to them, in one order.

-- The head of a mesh's journal.  Whoever writes to the journal, or to what it
-- tells of, locks this row first, and no other row before it: the journal has
-- no gaps, is in the order of commits, and nobody waits in a circle.
create table journal (
	mesh_id uuid primary key references mesh on delete cascade,
	-- Of the last event.
	n int8 not null default 0,
	hash bytea not null default ''
) with (fillfactor = 50);
insert into journal (mesh_id) select id from mesh;
create function journal_begin() returns trigger language plpgsql as $$
begin
	insert into journal (mesh_id) values (new.id);
	return null;
end
$$;
create trigger journal_begin after insert on mesh
	for each row execute function journal_begin();

-- What happened, each with a hash over itself and all that was before.  It
-- outlives what it tells of.
create table event (
	mesh_id uuid not null references mesh on delete cascade,
	-- Dense, from 1.
	n int8 not null,
	id uuid not null,
	type text not null,
	-- The channel or thread that it belongs to, for those who may see that;
	-- null: for those who may read the audit.
	channel_id uuid,
	-- Of the message that it is about.
	seq int8,
	-- JSON in the form of which the hash is.
	payload text not null,
	created_at timestamptz not null,
	hash bytea not null,
	primary key (mesh_id, n)
);
create index event_id on event (mesh_id, id);
create index event_channel on event (channel_id, n)
	where channel_id is not null;
create index event_seq on event (channel_id, seq, n)
	where seq is not null;

create type journal_line as (
	-- The order of lines.
	k int8,
	mesh_id uuid,
	id uuid,
	type text,
	channel_id uuid,
	seq int8,
	payload text,
	-- RFC 3339 with milliseconds, in UTC.
	at text
);

-- The hash of an event: of the one before in hex, its type, its payload and its
-- time, with bars between.
create function journal_step(before bytea, head bytea, type text, payload text,
    at text) returns bytea
language sql immutable parallel safe as $$
	select sha256(convert_to(encode(coalesce(before, head), 'hex') || '|'
	    || type || '|' || payload || '|' || at, 'UTF8'))
$$;
create aggregate journal_fold(bytea, text, text, text) (
	sfunc = journal_step,
	stype = bytea
);

-- A channel, or a thread, which is one that belongs to a message of another.
create table channel (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	-- Of a thread: the channel, and the message that it is about.
	root_id uuid references channel on delete cascade,
	parent_id uuid,
	-- Of a thread: empty.
	name text not null,
	name_folded text not null,
	topic text not null default '',
	-- Only its members know of it; a thread has those of its channel.
	private bool not null,
	member_id uuid not null,
	by_name text not null,
	created_at timestamptz not null,
	-- Of the last message.
	seq int8 not null default 0,
	-- Of the last line about it in the journal.
	last_n int8 not null default 0,
	-- It is no more, and its messages go one after the other.
	closed_at timestamptz
);
create index channel_name on channel (mesh_id, name_folded, id)
	where root_id is null and closed_at is null;
create index channel_thread on channel (root_id, id) where root_id is not null;
create index channel_closed on channel (closed_at) where closed_at is not null;

-- The id of a line that the database adds: it begins with the time, as all do
-- (RFC 9562 5.7).
create function journal_line_id(at timestamptz) returns uuid
language sql volatile as $$
	select (lpad(to_hex(floor(extract(epoch from at) * 1000)::int8), 12,
	    '0') || '7' || substr(replace(gen_random_uuid()::text, '-', ''),
	    14))::uuid
$$;

-- Adds lines to journals that are locked, and tells of each its place, and that
-- of the line before it about the same channel: who has that, and gets this,
-- has missed nothing.
create function journal_write(lines journal_line[])
returns table (k int8, n int8, before int8)
language sql as $$
	with numbered as (
		select l.*, c.last_n, j.n + row_number() over w as n,
		    journal_fold(j.hash, l.type, l.payload, l.at) over w as hash
		from unnest(lines) as l join journal j using (mesh_id)
		left join channel c on c.id = l.channel_id
		window w as (partition by l.mesh_id order by l.k)
	), written as (
		insert into event (mesh_id, n, id, type, channel_id, seq,
		    payload, created_at, hash)
		select mesh_id, n, id, type, channel_id, seq, payload,
		    at::timestamptz, hash from numbered
	), headed as (
		update journal j set n = t.n, hash = t.hash
		from (select distinct on (mesh_id) mesh_id, n, hash
		    from numbered order by mesh_id, n desc) t
		where j.mesh_id = t.mesh_id
	), marked as (
		update channel c set last_n = t.n,
		    seq = greatest(c.seq, t.seq)
		from (select channel_id, max(n) as n, max(seq) as seq
		    from numbered group by channel_id) t
		where c.id = t.channel_id
	)
	select k, n, coalesce(lag(n) over (partition by channel_id order by n),
	    last_n, 0) from numbered
$$;

create table channel_member (
	channel_id uuid not null references channel on delete cascade,
	member_id uuid not null references member on delete cascade,
	role text not null,
	joined_at timestamptz not null,
	primary key (channel_id, member_id)
);
create index channel_member_of on channel_member (member_id, channel_id);

-- May a member see it?  Private is a wall also around the threads.
create function channel_admits(c channel, member uuid) returns bool
language plpgsql stable as $$
begin
	return not c.private and (c.root_id is null or not exists (select
	    from channel r where r.id = c.root_id and r.private))
	or exists (select from channel_member m
	    where m.channel_id = coalesce(c.root_id, c.id)
	    and m.member_id = member);
end
$$;

-- What people and agents would look for in the parts of a message.
create function post_text(parts json) returns text
language sql immutable parallel safe as $$
	select coalesce(string_agg(p -> 'payload' ->> 'text', ' '), '')
	from json_array_elements(parts) as p where p ->> 'type' = 'text'
$$;

-- A message in a channel or a thread.
create table post (
	id uuid primary key,
	-- Without foreign keys, as message is.
	mesh_id uuid not null,
	channel_id uuid not null,
	-- Dense, from 1.
	seq int8 not null,
	member_id uuid not null,
	by_name text not null,
	-- The sender's own id: what is sent again with it is the same.
	client_id text,
	fingerprint bytea not null,
	reply_to uuid,
	-- json, not jsonb: as it came.
	parts json not null,
	created_at timestamptz not null,
	edited_at timestamptz,
	-- Then it has no parts.
	redacted_at timestamptz,
	redacted_by uuid,
	redacted_why text,
	search tsvector not null generated always as
	    (memory_words('english', post_text(parts))) stored,
	terms text[] not null generated always as
	    (array['channel ' || channel_id::text]) stored,
	unique (channel_id, seq)
);
create unique index post_client on post (channel_id, member_id, client_id)
	where client_id is not null;
create index post_search on post using gin (search, terms)
	where redacted_at is null;
-- What members think of a message, in a character or a word.
create table post_reaction (
	post_id uuid not null references post on delete cascade,
	member_id uuid not null references member on delete cascade,
	reaction text not null,
	made_at timestamptz not null,
	primary key (post_id, reaction, member_id)
);
create index post_reaction_member on post_reaction (member_id);

-- The reactions to a message as JSON, the first one first; null: none.  Most
-- have none, and those are not to pay for the others.
create function post_reactions(post uuid) returns text
language plpgsql stable as $$
begin
	if not exists (select from post_reaction where post_id = post) then
		return null;
	end if;
	return (select json_agg(json_build_object('reaction', r.reaction,
	    'count', r.count, 'names', r.names) order by r.first, r.reaction)
	from (select x.reaction, count(*) as count, min(x.made_at) as first,
	    json_agg(m.name order by x.made_at, m.name) as names
	    from post_reaction x join member m on m.id = x.member_id
	    where x.post_id = post group by x.reaction) r);
end
$$;

-- How far a member has read.
create table channel_cursor (
	channel_id uuid not null references channel on delete cascade,
	member_id uuid not null references member on delete cascade,
	seen int8 not null,
	acked int8 not null,
	updated_at timestamptz not null,
	primary key (channel_id, member_id)
);
create index channel_cursor_member on channel_cursor (member_id);
