-- compatible: 1
-- Grants: what a member may do beside what its role and its tokens let it do;
-- requests for them; and commands that members offer.

-- The channel or thread that something names; null: it names none.
create function resource_stream(type text, resource text) returns uuid
language sql immutable parallel safe as $$
	select case when $1 in ('channel', 'thread')
	    and $2 ~ '^[0-9a-f]{32}$' then $2::uuid end
$$;

-- May a member see it?  What is behind a wall is not there, and neither is what
-- never was.
create function stream_shows(mesh uuid, stream uuid, member uuid) returns bool
language sql stable as $$
	select exists (select from channel c where c.id = $2 and c.mesh_id = $1
	    and c.closed_at is null and channel_admits(c, $3))
$$;

-- Is it an owner or admin of it, or of the channel of a thread?
create function stream_manages(mesh uuid, stream uuid, member uuid)
returns bool language sql stable as $$
	select exists (select from channel c join channel_member b
	    on b.channel_id = coalesce(c.root_id, c.id) and b.member_id = $3
	    and b.role in ('owner', 'admin')
	    where c.id = $2 and c.mesh_id = $1 and c.closed_at is null)
$$;

create table permission_grant (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	capability text not null,
	resource_type text not null,
	-- Null: all of this type.
	resource_id text,
	-- See grant_admits().
	constraints json not null,
	expires_at timestamptz,
	-- Null: as often as it likes.
	max_uses int8,
	uses int8 not null default 0,
	by_member uuid not null,
	created_at timestamptz not null,
	revoked_at timestamptz,
	revoked_why text
);
create index permission_grant_live on permission_grant
	(member_id, capability, created_at) where revoked_at is null;
create index permission_grant_member on permission_grant (member_id);
create index permission_grant_mesh on permission_grant (mesh_id);
create index permission_grant_over on permission_grant
	(least(expires_at, revoked_at));

create table permission_request (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	-- Who asks.
	member_id uuid not null references member on delete cascade,
	action text not null,
	resource_type text not null,
	resource_id text,
	-- It is there for who sees this alone.
	about uuid generated always as (resource_stream(resource_type,
	    resource_id)) stored,
	-- That, or the channel of that thread; null: it is none, or is not there.
	root_id uuid,
	-- Who sees what it is about is a member of that; nobody else, where it is
	-- null.
	walled bool not null,
	-- What it is for: JSON, which the journal has only the digest of.
	context text not null,
	-- Who asks again with it asks for the same.
	client_id text,
	-- The command that waits for it.
	command_id uuid,
	-- open, approved, denied
	status text not null default 'open',
	notes text,
	resolved_by uuid,
	grant_id uuid,
	created_at timestamptz not null,
	resolved_at timestamptz
);
create index permission_request_open on permission_request (mesh_id, id)
	where status = 'open' and not walled;
create index permission_request_inside on permission_request (root_id, id)
	where status = 'open' and root_id is not null;
create index permission_request_asked on permission_request (member_id, id)
	where status = 'open';
create index permission_request_mesh on permission_request (mesh_id);
create index permission_request_member on permission_request (member_id);
create unique index permission_request_client on permission_request
	(member_id, client_id) where status = 'open' and client_id is not null;
create index permission_request_over on permission_request (resolved_at)
	where resolved_at is not null;

create table command (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	-- Null: in all channels.
	channel_id uuid references channel on delete cascade,
	name text not null,
	-- Its owner, who does what it says.
	member_id uuid not null references member on delete cascade,
	description text not null,
	args_schema json not null,
	-- False: somebody has to allow it first.
	active bool not null,
	request_id uuid,
	created_at timestamptz not null
);
create unique index command_name on command
	(mesh_id, lower(name), member_id, coalesce(channel_id, mesh_id));
create index command_channel on command (channel_id);
create index command_member on command (member_id);

-- An id as the wire has it.
create function id_text(id uuid) returns text
language sql immutable parallel safe as $$
	select replace($1::text, '-', '')
$$;

-- Do the constraints of a grant let this pass?  channel: that it is about, or
-- the one that its thread belongs to; parts: of a message.
create function grant_admits(constraints json, channel text, parts text)
returns bool language sql immutable as $$
	select (constraints -> 'channelIds' is null or channel in (select
	    lower(x) from json_array_elements_text(constraints -> 'channelIds') x))
	and (parts is null or (
	    (constraints -> 'maxBytes' is null
	    or octet_length(parts) <= (constraints ->> 'maxBytes')::int8)
	    and (constraints -> 'maxParts' is null
	    or json_array_length(parts::json)
		<= (constraints ->> 'maxParts')::int8)
	    and (constraints -> 'partTypes' is null or not exists (select
		from json_array_elements(parts::json) p
		where p ->> 'type' not in (select json_array_elements_text(
		    constraints -> 'partTypes'))))))
$$;

-- The oldest grant that a member has for something.
create function grant_find(mesh uuid, member uuid, capability text, type text,
    id text, channel text, parts text) returns uuid
language sql stable as $$
	select g.id from permission_grant g
	where g.member_id = $2 and g.mesh_id = $1 and g.capability = $3
	and g.revoked_at is null
	and (g.expires_at is null or g.expires_at > now())
	and (g.max_uses is null or g.uses < g.max_uses)
	and g.resource_type = $4
	and (g.resource_id is null or g.resource_id = $5)
	and grant_admits(g.constraints, $6, $7)
	order by g.created_at, g.id limit 1
$$;

-- Has a member a grant that is not used up, of the mesh or, where it is about a
-- channel or thread, of that?
create function grant_holds(mesh uuid, member uuid, capability text,
    channel uuid) returns bool
language sql stable as $$
	select grant_find($1, $2, $3, 'org', id_text($1), null, null) is not null
	or ($4 is not null and coalesce((select grant_find($1, $2, $3,
		case when c.root_id is null then 'channel' else 'thread' end,
		id_text(c.id), id_text(coalesce(c.root_id, c.id)), null)
	    from channel c where c.id = $4) is not null, false))
$$;

-- May a member see a durable stream?  What is for a channel is as that is; what
-- is for none is its member's, and for those who see all.
create or replace function durable_admits(d durable, member uuid, every bool)
returns bool language sql stable as $$
	select d.member_id = member or case when d.channel_id is null then every
	    or grant_holds(d.mesh_id, member, 'durable_stream:read', null)
	    or grant_holds(d.mesh_id, member, 'durable_stream:write', null)
	    else exists (select from channel c where c.id = d.channel_id
		and c.closed_at is null and channel_admits(c, member)) end
$$;
-- May it write to one that it sees?
create or replace function durable_writes(d durable, member uuid, every bool)
returns bool language sql stable as $$
	select case when d.member_id = member or every then true
	    else grant_holds(d.mesh_id, member, 'durable_stream:write',
		d.channel_id) end
$$;

-- May it see a webhook, and change it?
create function webhook_admits(w webhook, member uuid, every bool)
returns bool language sql stable as $$
	select w.member_id = member or (webhook_shows(w, w.channel_id, member)
	    and case when every then true else grant_holds(w.mesh_id, member,
		'webhook:read', w.channel_id) end)
$$;

-- May one that it sees tell it how its deliveries go?  They go in one order, and
-- what is for one's own eyes may hold up, and turn off, all of it: so none but
-- one of a channel tells others than its member.
create function webhook_tells(w webhook, member uuid) returns bool
language sql immutable as $$
	select w.member_id = $2 or w.channel_id is not null
$$;

-- Is it on, as far as a member may know?  Off by the server (why) is how its
-- deliveries went.
create function webhook_is_on(w webhook, member uuid) returns bool
language sql immutable as $$
	select w.enabled or w.why is not null and not webhook_tells(w, $2)
$$;

-- May a member do what needs these capabilities, by grants?  Null: yes, and if
-- takes they are used up by it; else the one that it lacks.  Whoever calls it
-- has the mesh's journal.
create function grant_take(mesh uuid, member uuid, needs text[], type text,
    resource text, channel text, parts text, takes bool, at text) returns text
language plpgsql as $$
declare
	need text;
	one uuid;
	found uuid[] := '{}';
	g permission_grant;
begin
	foreach need in array needs loop
		one := grant_find(mesh, member, need, type, resource, channel,
		    parts);
		if one is null then
			return need;
		end if;
		found := found || one;
	end loop;
	if not takes then
		return null;
	end if;
	for g in update permission_grant p set uses = p.uses + 1,
	    revoked_at = case when p.uses + 1 = p.max_uses
		then at::timestamptz end,
	    revoked_why = case when p.uses + 1 = p.max_uses
		then 'max_uses exhausted' end
	    where p.id = any(found) returning p.* loop
		if g.revoked_at is not null then
			perform journal_write(array[(0, mesh,
			    journal_line_id(at::timestamptz), 'grant.revoked', null, null,
			    '{"autoRevoked":true,"grantId":"' || id_text(g.id)
			    || '","orgId":"' || id_text(mesh)
			    || '","reason":"max_uses exhausted"}',
			    at)::journal_line]);
		end if;
	end loop;
	return null;
end
$$;

-- One is taken away: a function, as it may be the one that grant_take() took
-- for that.
create function grant_end(one uuid, at text, why text) returns uuid
language sql as $$
	update permission_grant set revoked_at = $2::timestamptz,
	    revoked_why = $3 where id = $1 returning id
$$;

-- May a member decide about grants, by a grant?
create function grant_decides(mesh uuid, member uuid) returns bool
language sql stable as $$
	select grant_find($1, $2, 'grant:create', 'org', id_text($1), null,
	    null) is not null
$$;

-- Is a grant there for a member that neither has it nor made it?
create function grant_shows(g permission_grant, member uuid) returns bool
language sql stable as $$
	select (g.resource_id is null
	    or g.resource_type not in ('channel', 'thread')
	    or stream_shows(g.mesh_id, resource_stream(g.resource_type,
		g.resource_id), $2))
	and not exists (select
	    from json_array_elements_text(g.constraints -> 'channelIds') x
	    where not stream_shows(g.mesh_id, x::uuid, $2))
$$;

-- Is a request there for a member that did not open it?  decides: about
-- grants; manages: it may use what it is in channels.
create function permission_shows(q permission_request, member uuid,
    decides bool, manages bool) returns bool
language sql stable as $$
	select case when q.about is null then $3
	    when $3 and stream_shows(q.mesh_id, q.about, $2) then true
	    else $4 and stream_manages(q.mesh_id, q.about, $2) end
$$;
