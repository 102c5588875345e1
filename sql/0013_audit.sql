-- compatible: 1
-- The audit trail: lines of the journal for what happens outside channels, and
-- checkpoints of it, signed by the server.

-- An id as others know it.
create function journal_id(id uuid) returns text
language sql immutable parallel safe as $$
	select replace(id::text, '-', '')
$$;

-- A time as others know it.
create function journal_time(at timestamptz) returns text
language sql immutable parallel safe as $$
	select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- The form of which the hash is: no blanks, keys in the order of their bytes.
create function journal_json(v jsonb) returns text
language plpgsql immutable parallel safe as $$
begin
	case jsonb_typeof(v)
	when 'object' then
		return (select '{' || coalesce(string_agg(to_json(key)::text
		    || ':' || journal_json(value), ',' order by key collate "C"),
		    '') || '}' from jsonb_each(v));
	when 'array' then
		return (select '[' || coalesce(string_agg(journal_json(value),
		    ',' order by n), '') || ']'
		    from jsonb_array_elements(v) with ordinality as t(value, n));
	else
		return v::text;
	end case;
end
$$;

-- The journal of a mesh is the statement's until its transaction ends.  A
-- statement that changes what the journal tells of does this before.
create function journal_hold(mesh uuid) returns uuid
language sql as $$
	select mesh_id from journal where mesh_id = mesh for update
$$;

-- Adds a line that is about no channel; the place of it.
create function journal_note(mesh uuid, type text, payload jsonb) returns int8
language plpgsql as $$
declare
	ms int8;
	line journal_line;
begin
	perform journal_hold(mesh);
	ms := floor(extract(epoch from clock_timestamp()) * 1000);
	line := (0, mesh, journal_line_id(to_timestamp(ms / 1000.0)), type,
	    null, null, journal_json(payload
	    || jsonb_build_object('orgId', journal_id(mesh))),
	    journal_time(to_timestamp(ms / 1000.0)));
	return (select w.n from journal_write(array[line]) w);
end
$$;

-- A mesh begins with its journal, and this with the mesh.
create or replace function journal_begin() returns trigger
language plpgsql as $$
begin
	insert into journal (mesh_id) values (new.id);
	perform journal_note(new.id, 'org.created',
	    jsonb_build_object('name', new.name, 'slug', new.slug));
	return null;
end
$$;

-- Whom a line is about, and who did it.
create function event_actor(payload text) returns text
language sql immutable parallel safe as $$
	select payload::json ->> 'actorId'
$$;
create function event_by(payload text) returns text
language plpgsql immutable parallel safe as $$
declare
	p json;
begin
	-- Most lines have none, and need no more than this.
	if position('ByActorId":"' in payload) = 0
	    and position('"resolverActorId":"' in payload) = 0 then
		return null;
	end if;
	p := payload;
	return coalesce(p ->> 'createdByActorId', p ->> 'addedByActorId',
	    p ->> 'removedByActorId', p ->> 'deletedByActorId',
	    p ->> 'revokedByActorId', p ->> 'revokedUnseenByActorId',
	    p ->> 'redactedByActorId',
	    p ->> 'editedByActorId', p ->> 'promotedByActorId',
	    p ->> 'indexedByActorId', p ->> 'resolverActorId',
	    p ->> 'bannedByActorId', p ->> 'unbannedByActorId',
	    p ->> 'kickedByActorId');
end
$$;
create index event_of_actor on event (mesh_id, event_actor(payload), n)
	where event_actor(payload) is not null;
create index event_by_actor on event (mesh_id, event_by(payload), n)
	where event_by(payload) is not null;

-- The journal had this hash after this line: whoever has the key says so.
create table checkpoint (
	mesh_id uuid not null references mesh on delete cascade,
	n int8 not null,
	hash bytea not null,
	at timestamptz not null,
	-- Ed25519.
	key bytea not null,
	signature bytea not null,
	primary key (mesh_id, n)
);
