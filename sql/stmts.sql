-- Every statement that the programs run, by name.  `batch N`: the parameters
-- are arrays, the first N make one row per item, the rest are a second group
-- of any number of rows per item; the first parameter of each group is the
-- item's ordinal.  In one transaction batch statements run in this order.
-- `warm`: planned as soon as there is a connection: what is in the way of each
-- client, and by what tables it is.

-- Sessions ------------------------------------------------------------------

-- A hello: the member must be known, the signature new, a claimed session key
-- must not be another member's, nor one that was proven when this hello does
-- not prove it.  A session that was here before is the same row, and within the
-- lease keeps what it had.  A hello that its client said before the one by which
-- the session is open was under way for long, and its client came anew: it
-- changes nothing, but for a minute only, as clocks are set back at times.
-- name: session_open batch 29 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::bytea[],
	    $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[],
	    $10::text[], $11::int8[], $12::text[], $13::text[], $14::text[],
	    $15::text[], $16::bool[], $17::bool[], $18::text[], $19::uuid[],
	    $20::uuid[], $21::int8[], $22::int8[], $23::int8[], $24::int8[],
	    $25::uuid[], $26::text[], $27::text[], $28::bool[], $29::int8[])
	    as t(n, id,
	    mesh_id, member_key, signature, ident, key, name, name_folded,
	    client_session, pid, cwd, hostname, peer_type, model, control,
	    acks, groups, host_id, incarnation, ref, at_ms, lease_ms,
	    sessions_max, member_id, role, channel, proven, said_ms)
), known as (
	select i.*, m.name as member_name,
	    case when m.key = mesh.owner_key then 'owner' else m.role end
	    as member_role,
	    m.id = i.member_id as named,
	    m.revoked_at is not null as revoked, mesh.slug,
    ban.member_id is not null as banned, ban.reason as ban_reason,
    ban.by_name as banned_by,
	    m.name_folded as member_folded,
	    coalesce(i.name, m.name) as shown,
	    i.key is not null and (exists (select from session s
		where s.mesh_id = i.mesh_id and s.key = i.key
		and s.member_id <> m.id)
		or exists (select from member o
		where o.mesh_id = i.mesh_id and o.key = i.key
		and o.id <> m.id)) as taken,
	    i.key is not null and not i.proven and exists (select from session s
		where s.mesh_id = i.mesh_id and s.key = i.key
		and s.proven) as unproven,
	    exists (select from session s
		where s.mesh_id = i.mesh_id and s.ident = i.ident
		and s.ended_at is null
		and s.said_at > to_timestamp(i.said_ms / 1000.0)
		and s.connected_at > to_timestamp(i.at_ms / 1000.0)
		    - interval '1 minute') as late,
	    -- Counted only where the roster says that the limit is near.
	    case when i.sessions_max is null then false else
		(select count(*) from session s where s.mesh_id = i.mesh_id
		and s.ended_at is null and s.ident <> i.ident)
		>= i.sessions_max end as full
	from i join member m on m.mesh_id = i.mesh_id and m.key = i.member_key
	join mesh on mesh.id = i.mesh_id and mesh.archived_at is null
	left join ban on ban.member_id = m.id
), fresh as (
	insert into hello_seen (signature)
	select signature from known where named
	on conflict do nothing returning signature
), good as (
	select k.* from known k join fresh using (signature)
	where not k.revoked and not k.banned and not k.taken
	and not k.unproven and not k.late and not k.full
), before as (
	select s.*, s.ended_at is null or s.ended_at >
	    to_timestamp(g.at_ms / 1000.0) - g.lease_ms * interval '1 ms' as kept,
	    coalesce(s.ended_at, to_timestamp(g.at_ms / 1000.0)) as left_at
	from session s join good g
	on s.mesh_id = g.mesh_id and s.ident = g.ident
), requeued as (
	-- The same session over a new connection: what the old one had not
	-- acked is for the new one.
	update delivery d set state = 0, holder = null
	from before b where d.recipient in (b.id, b.member_id)
	and d.holder = b.id and d.state < 2
), hooked as (
	delete from pending_status p using good g
	where (p.member_id is null or p.member_id = g.member_id)
	and p.created_at > now() - interval '10 seconds'
	and (p.client_session = g.client_session or p.client_session = '')
	and (p.client_session <> '' or p.cwd = g.cwd)
	returning g.n, p.status, p.created_at
), hook as (
	select distinct on (n) n, status from hooked order by n, created_at desc
), opened as (
	insert into session as s (id, mesh_id, member_id, ident, key, name,
	    name_folded, client_session, pid, cwd, hostname, peer_type, model,
	    control, acks, status, status_source, status_at, summary, groups,
	    host_id, incarnation, ref, connected_at, proven, hidden, role,
	    channel, profile, stats, seen_at, said_at)
	select g.id, g.mesh_id, g.member_id, g.ident, g.key, g.shown,
	    coalesce(g.name_folded, g.member_folded), g.client_session, g.pid,
	    g.cwd, g.hostname, g.peer_type, g.model, g.control, g.acks,
	    coalesce(h.status, b.status, 0),
	    case when h.n is not null then 2 else coalesce(b.status_source, 0) end,
	    to_timestamp(g.at_ms / 1000.0), b.summary,
	    coalesce(nullif(g.groups::text[], '{}'), b.groups, '{}'),
	    g.host_id, g.incarnation, g.ref, to_timestamp(g.at_ms / 1000.0),
	    g.proven, coalesce(b.hidden, false),
	    coalesce(nullif(g.role, ''), b.role, ''), g.channel, b.profile,
	    b.stats, e.left_at, to_timestamp(g.said_ms / 1000.0)
	from good g left join hook h using (n)
	left join before b on b.mesh_id = g.mesh_id and b.ident = g.ident
	    and b.kept
	left join before e on e.mesh_id = g.mesh_id and e.ident = g.ident
	on conflict (mesh_id, ident) do update set
	    key = excluded.key, name = excluded.name,
	    name_folded = excluded.name_folded,
	    client_session = excluded.client_session, pid = excluded.pid,
	    cwd = excluded.cwd, hostname = excluded.hostname,
	    peer_type = excluded.peer_type, model = excluded.model,
	    control = excluded.control, acks = excluded.acks,
	    status = excluded.status, status_source = excluded.status_source,
	    status_at = excluded.status_at, summary = excluded.summary,
	    groups = excluded.groups, host_id = excluded.host_id,
	    incarnation = excluded.incarnation, ref = excluded.ref,
	    -- Rises with each opening, whatever the clocks of hosts say.
	    connected_at = greatest(excluded.connected_at,
		s.connected_at + interval '1 ms'),
	    ended_at = null, returns = true,
	    proven = excluded.proven, hidden = excluded.hidden,
	    role = excluded.role, channel = excluded.channel,
	    profile = excluded.profile, stats = excluded.stats,
	    seen_at = excluded.seen_at, said_at = excluded.said_at
	where s.member_id = excluded.member_id
	and (excluded.proven or not s.proven)
	and (s.ended_at is not null or s.said_at is null
	    or s.said_at <= excluded.said_at or s.connected_at
		<= excluded.connected_at - interval '1 minute')
	returning s.*
), there as (
	select * from opened
	union all
	-- This very hello, repeated because the answer to its commit was lost.
	select s.* from session s join i on s.mesh_id = i.mesh_id
	    and s.ident = i.ident and s.incarnation = i.incarnation
	    and s.ref = i.ref
	where not exists (select from fresh where signature = i.signature)
)
select i.n, k.member_id, k.member_name, k.member_role, k.revoked, k.taken,
    k.full, f.signature is null and o.id is null as replayed, o.id, o.name,
    o.name_folded, o.status, o.status_source, o.summary, o.groups, k.slug,
    coalesce(b.kept, false) as returned, o.connected_at, k.named, k.unproven,
    o.hidden, o.role, o.channel, o.profile, o.stats, o.seen_at, k.banned,
    k.ban_reason, k.banned_by, k.late
from i left join known k using (n)
left join fresh f on f.signature = i.signature
left join there o on o.mesh_id = i.mesh_id and o.ident = i.ident
left join before b on b.mesh_id = i.mesh_id and b.ident = i.ident;

-- What a session says of itself.
-- name: session_update batch 12
update session s set status = i.status, status_source = i.source,
    status_at = to_timestamp(i.at_ms / 1000.0), summary = i.summary,
    groups = i.groups::text[], acks = i.acks, hidden = i.hidden,
    profile = i.profile::json, stats = i.stats::json
from (select distinct on (id) * from unnest($1::int4[], $2::uuid[],
    $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::text[], $8::text[],
    $9::bool[], $10::bool[], $11::text[], $12::text[]) as t(n, id, ref, status,
    source, at_ms, summary, groups, acks, hidden, profile, stats)
    order by id, n desc) i
where s.id = i.id and s.ref = i.ref
returning i.n;

-- All sessions of processes that are no more; jobs calls it when a worker
-- died and when the host starts.  $2: the incarnations that live.
-- name: session_reap
with dead as (
	select id, ref from session where host_id = $1::uuid
	and incarnation <> all ($2::text[]::uuid[]) and ended_at is null
	order by id limit 1000 for update skip locked
), ended as (
	update session s set ended_at = now() from dead
	where s.id = dead.id and s.ref = dead.ref
	returning s.id, s.mesh_id, s.member_id, s.ref, s.host_id
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
), hurried as (
	update crowd c set due_at = least(c.due_at,
	    now() + interval '5 seconds')
	where c.due_at is not null and (c.host_id, c.proc) in (
	    select host_id, (ref >> 56)::int2 from ended)
)
select id, mesh_id, member_id, ref, (select count(*) from freed) from ended;

-- The same for hosts that did not renew their lease.
-- name: host_reap
with dead as (
	select s.id, s.ref from host h join session s on s.host_id = h.id
	where h.id <> $1::uuid and h.lease_until < now() and s.ended_at is null
	order by s.id limit 1000 for update of s skip locked
), ended as (
	update session s set ended_at = now() from dead
	where s.id = dead.id and s.ref = dead.ref
	returning s.id, s.mesh_id, s.member_id, s.ref, s.host_id
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
), hurried as (
	update crowd c set due_at = least(c.due_at,
	    now() + interval '5 seconds')
	where c.due_at is not null and (c.host_id, c.proc) in (
	    select host_id, (ref >> 56)::int2 from ended)
)
select id, mesh_id, member_id, ref, (select count(*) from freed) from ended;

-- The roster of a mesh: who is connected, and who may come back.
-- name: session_roster
select s.id, s.member_id, s.key, m.key, s.name, s.name_folded,
    s.client_session, s.pid, s.cwd, s.hostname, s.peer_type, s.model,
    s.control, s.acks, s.status, s.status_source, s.summary, s.groups,
    s.host_id, s.ref, s.connected_at, s.ended_at,
    case when m.key = mesh.owner_key then 'owner' else m.role end, m.name,
    s.hidden, s.role, s.channel, s.profile, s.stats, s.seen_at,
    m.revoked_at is not null, b.reason, s.used_at
from session s join member m on m.id = s.member_id
join mesh on mesh.id = s.mesh_id left join ban b on b.member_id = m.id
where s.mesh_id = $1::uuid and (s.ended_at is null or (s.returns
    and s.ended_at > now() - $2::int8 * interval '1 ms'));

-- The same of one by its key, also when it is over.
-- name: session_row
select s.id, s.member_id, s.key, m.key, s.name, s.name_folded,
    s.client_session, s.pid, s.cwd, s.hostname, s.peer_type, s.model,
    s.control, s.acks, s.status, s.status_source, s.summary, s.groups,
    s.host_id, s.ref, s.connected_at, s.ended_at,
    case when m.key = mesh.owner_key then 'owner' else m.role end, m.name,
    s.hidden, s.role, s.channel, s.profile, s.stats, s.seen_at,
    m.revoked_at is not null, b.reason, s.used_at
from session s join member m on m.id = s.member_id
join mesh on mesh.id = s.mesh_id left join ban b on b.member_id = m.id
where s.mesh_id = $1::uuid and s.key = $2::bytea and s.token_id is not null;

-- Visitors: sessions of who shows a token and has no connection.  One is
-- opened, or used again; within the lease it keeps what it had.  $10: so many
-- the mesh may have, where that has to be counted.  $11: 1 hidden, 0 shown, -1
-- as it was.  Answers whether the token is good, and whether the mesh is full.
-- name: visitor_use warm
with who as (
	select t.id as token, m.id, m.name, m.name_folded,
	    date_trunc('milliseconds', clock_timestamp()) as at
	from token t join member m on m.id = t.member_id
	join mesh on mesh.id = t.mesh_id and mesh.archived_at is null
	where t.id = $3::uuid and t.mesh_id = $2::uuid
	and t.revoked_at is null and t.expires_at > now()
	and m.revoked_at is null
	and not exists (select from ban where ban.member_id = m.id)
), room as (
	select $10::int8 is null or exists (select from session
	    where mesh_id = $2 and ident = $4::bytea and ended_at is null)
	    or (select count(*) from session
		where mesh_id = $2 and ended_at is null) < $10 as is_left
), used as (
	insert into session as s (id, mesh_id, member_id, ident, key, name,
	    name_folded, client_session, pid, cwd, hostname, peer_type, model,
	    control, acks, status, status_source, status_at, groups, ref,
	    connected_at, proven, hidden, channel, token_id, used_at)
	select $1::uuid, $2, who.id, $4, $5::bytea, coalesce($6::text, who.name),
	    coalesce($7::text, who.name_folded), '', 0, '', '', 'ai', '',
	    false, true, 0, 0, who.at, '{}', $8::int8, who.at, true,
	    $11::int8 = 1, 'mcp', who.token, who.at
	from who, room where room.is_left
	on conflict (mesh_id, ident) do update set
	    name = case when s.ended_at is null then s.name
		else excluded.name end,
	    name_folded = case when s.ended_at is null then s.name_folded
		else excluded.name_folded end,
	    status = case when s.ended_at is null then s.status else 0 end,
	    summary = case when s.ended_at is null or s.ended_at > now() -
		$9::int8 * interval '1 ms' then s.summary end,
	    groups = case when s.ended_at is null or s.ended_at > now() -
		$9 * interval '1 ms' then s.groups else '{}' end,
	    profile = case when s.ended_at is null or s.ended_at > now() -
		$9 * interval '1 ms' then s.profile end,
	    stats = case when s.ended_at is null or s.ended_at > now() -
		$9 * interval '1 ms' then s.stats end,
	    hidden = case when $11 >= 0 then $11 = 1 else s.hidden and
		(s.ended_at is null or s.ended_at > now() -
		    $9 * interval '1 ms') end,
	    ref = case when s.ended_at is null then s.ref
		else excluded.ref end,
	    connected_at = case when s.ended_at is null then s.connected_at
		else greatest(excluded.connected_at,
		    s.connected_at + interval '1 ms') end,
	    seen_at = case when s.ended_at is null then s.seen_at
		else s.ended_at end,
	    ended_at = null, returns = true,
	    used_at = greatest(excluded.used_at,
		s.used_at + interval '1 ms')
)
select exists (select from who), not is_left from room;

-- name: visitor_touch warm
update session set used_at = greatest(
    date_trunc('milliseconds', clock_timestamp()),
    used_at + interval '1 ms')
where id = $1::uuid and ref = $2::int8 and ended_at is null returning id;

-- What one says of itself now, if it is what it was when that was said: $3.
-- name: visitor_change
update session set status = $4::int8, status_source = $5::int8,
    status_at = now(), summary = $6::text, groups = $7::text[],
    hidden = $8::bool, profile = $9::text::json, stats = $10::text::json,
    used_at = greatest(date_trunc('milliseconds', clock_timestamp()),
	used_at + interval '1 ms')
where id = $1::uuid and ref = $2::int8 and ended_at is null
and (extract(epoch from used_at) * 1000)::int8 = $3::int8 returning id;

-- Those that were not used for $1, which may return, and those whose token is
-- over, since at most an hour: without it they would soon be the former.
-- name: visitor_reap
with idle as (
	select id, ref from session
	where used_at < now() - $1::int8 * interval '1 ms'
	and ended_at is null order by used_at limit 1000
	for update skip locked
), refused as (
	select s.id, s.ref from token t join session s on s.token_id = t.id
	and s.ended_at is null
	where least(t.expires_at, t.revoked_at)
	    between now() - interval '1 hour' and now()
	limit 1000 for update of s skip locked
), ended as (
	update session s set ended_at = now(),
	    returns = not exists (select from refused where id = s.id)
	from (select * from idle union select * from refused) o
	where s.id = o.id and s.ref = o.ref
	returning s.id, s.mesh_id, s.member_id, s.ref, s.returns
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
)
select id, mesh_id, member_id, ref, (select count(*) from freed), returns
from ended;

-- Those that worked, and did not say so for $1, are idle.
-- name: visitor_rest
with busy as (
	select id from session
	where status_at < now() - $1::int8 * interval '1 ms'
	and status = 1 and token_id is not null and ended_at is null
	limit 1000 for update skip locked
)
update session s set status = 0, status_source = 0,
    used_at = s.used_at + interval '1 ms'
from busy where s.id = busy.id returning s.mesh_id, s.key;

-- A session that a hook means: by its session id, else process id and
-- directory, else directory; of one member, or when $5 is null of any.
-- name: session_hooked
select id, mesh_id, ref, host_id,
    case when client_session = $2::text and $2 <> '' then 0
	when pid = $3::int8 and cwd = $4::text then 1 else 2 end as rank
from (select * from session where member_id = $5::uuid and mesh_id = $1::uuid
	and ended_at is null
    union all
    select * from session where $5 is null and ended_at is null) s
where (client_session = $2 and $2 <> '') or (cwd = $4 and $4 <> '')
order by rank, connected_at desc limit 1;

-- name: pending_status_put
insert into pending_status (member_id, client_session, pid, cwd, status)
values ($1::uuid, $2::text, $3::int8, $4::text, $5::int8);

-- name: hook_member
select id, mesh_id from member
where hook_digest = $1::bytea and revoked_at is null;

-- For people: who is connected, in one mesh or in all; with $2 also to do one
-- thing.
-- name: session_list warm
select mesh.slug, s.id, s.name, m.name, m.id,
    coalesce(nullif(h.name, ''), h.id::text, '-'), s.ref, s.connected_at,
    s.status, s.peer_type, s.control, (select count(*) from delivery d
	where d.recipient in (s.id, s.member_id) and d.holder = s.id
	and d.state = 1)
from session s join mesh on mesh.id = s.mesh_id
join member m on m.id = s.member_id left join host h on h.id = s.host_id
where s.ended_at is null and ($1::uuid is null or s.mesh_id = $1)
and ($2::bool or not s.control)
order by mesh.slug, s.connected_at, s.id;

-- The sessions that somebody may mean: of a session's or a member's id, key or
-- name.
-- name: session_named
select s.id, s.ref, s.name, m.id, m.name,
    coalesce(nullif(h.name, ''), h.id::text, '-')
from session s join member m on m.id = s.member_id
left join host h on h.id = s.host_id
where s.mesh_id = $1::uuid and s.ended_at is null and ($2::uuid in (s.id, m.id)
    or $3::bytea in (s.key, m.key)
    or $4::text in (s.name_folded, m.name_folded))
order by s.connected_at, s.id;

-- name: session_there
select id from session
where id = $1::uuid and ref = $2::int8 and ended_at is null;

-- Members, invites -----------------------------------------------------------

-- Members and sessions that a target may mean and that are not in the roster:
-- by key, or by name.  A session that has just begun may not be there yet.
-- name: target_find warm
select m.id, null::uuid as session_id, m.name, m.key
from member m where m.mesh_id = $1::uuid and m.revoked_at is null
and (m.key = $2::bytea or m.name_folded = $3::text)
union all
select s.member_id, s.id, s.name, s.key
from session s where s.mesh_id = $1 and s.key = $2
union all
select s.member_id, s.id, s.name, s.key
from session s where s.mesh_id = $1 and s.name_folded = $3
and s.ended_at is null and not s.control
limit 16;

-- Names that an unknown target may have meant.
-- name: target_names
(select distinct name from session
where mesh_id = $1::uuid and ended_at is null and not control and not hidden
limit 500)
union
(select name from member where mesh_id = $1 and revoked_at is null
order by joined_at desc limit 500);

-- name: member_list
select m.id, m.name, m.key, m.role, m.joined_at, m.revoked_at,
    (select count(*) from session s where s.member_id = m.id
	and s.ended_at is null), m.kind
from member m where m.mesh_id = $1::uuid order by m.joined_at, m.id;

-- name: member_show
select m.id, m.name, m.key,
    case when m.key = mesh.owner_key then 'owner' else m.role end,
    m.joined_at, m.revoked_at, b.banned_at, b.by_name, b.reason,
    (select count(*) from session s where s.member_id = m.id
	and s.ended_at is null),
    (select max(coalesce(s.ended_at, now())) from session s
	where s.member_id = m.id),
    (select count(*) from delivery d where d.state < 2
	and d.recipient in (select m.id union all select s.id from session s
	    where s.member_id = m.id)),
    m.hook_digest is not null, coalesce(m.key = mesh.owner_key, false),
    m.kind, m.password is not null
from member m join mesh on mesh.id = m.mesh_id
left join ban b on b.member_id = m.id
where m.id = $1::uuid and m.mesh_id = $2::uuid;

-- What the operator does has no member that did it.
-- name: member_role
with m as materialized (
	select id, journal_hold(mesh_id) as mesh_id from member
	where id = $1::uuid
), done as (
	update member set role = $2::text from m
	where member.id = m.id and member.role <> $2
	returning member.id, member.mesh_id
)
select journal_note(mesh_id, 'membership.updated', jsonb_build_object(
    'actorId', journal_id(id), 'addedByActorId', null, 'role', $2,
    'scope', 'org')) from done;

-- name: member_rename
with m as materialized (
	select id, journal_hold(mesh_id) as mesh_id from member
	where id = $1::uuid
), done as (
	update member set name = $2::text, name_folded = $3::text from m
	where member.id = m.id and member.name <> $2
	returning member.id, member.mesh_id
)
select journal_note(mesh_id, 'actor.updated', jsonb_build_object(
    'actorId', journal_id(id), 'displayName', $2)) from done;

-- name: member_revoke
with m as materialized (
	select id, journal_hold(mesh_id) as mesh_id from member
	where id = $1::uuid
), done as (
	update member set revoked_at = now() from m
	where member.id = m.id and member.revoked_at is null
	returning member.id, member.mesh_id
)
select journal_note(mesh_id, 'membership.updated', jsonb_build_object(
    'actorId', journal_id(id), 'removedByActorId', null, 'role', null,
    'scope', 'org')) from done;

-- name: member_create
with made as (
	insert into member (id, mesh_id, key, name, name_folded, role)
	select $1::uuid, journal_hold($2::uuid), $3::bytea, $4::text, $5::text,
	    $6::text
	returning id
)
select journal_note($2, 'membership.updated', jsonb_build_object(
    'actorId', journal_id(id), 'addedByActorId', null, 'displayName', $4,
    'role', $6, 'scope', 'org')) from made;

-- A member without a key, and a token for it unless $8 is null.  No row: there
-- is no such mesh.  Column 2: the token with which that is made is good.
-- name: member_add
with mesh as materialized (
	select id, token_holds($13::uuid) as good from (select
	    journal_hold(id) as id from mesh
	    where id = $2::uuid and archived_at is null) h
), made as (
	insert into member (id, mesh_id, name, name_folded, kind, role)
	select $1::uuid, id, $3::text, $4::text, $5::text, $6::text
	from mesh where good on conflict (id) do nothing returning id
), token as (
	insert into token (id, mesh_id, member_id, digest, key_name, name,
	    scopes, expires_at, parent_id)
	select $8::uuid, $2, $1, $9::bytea, $10::bytea, '', $11::text[],
	    to_timestamp($12::int8 / 1000.0), $13 from made
	where $8 is not null
)
select now(), (select journal_note($2, 'membership.updated',
    jsonb_build_object('actorId', journal_id($1), 'addedByActorId',
    journal_id($7::uuid), 'displayName', $3, 'role', $6, 'scope', 'org'))
    from made), good from mesh;

-- Those of a mesh, the oldest first, behind one.
-- name: members_page warm
select m.id, m.name, m.kind, case when m.key = mesh.owner_key then 'owner'
    else m.role end, m.joined_at, m.key, m.password is not null
from member m join mesh on mesh.id = m.mesh_id
where m.mesh_id = $1::uuid and m.revoked_at is null and m.id > $2::uuid
order by m.id limit $3::int8;

-- A member whose role is one of $4 gets another one (null: it is no member any
-- more).  No row: there is no such member; may it be done, is it the owner of
-- the mesh's key, was anything changed.
-- name: member_change
with h as materialized (
	select journal_hold($2::uuid) as mesh_id
), t as (
	select m.id, coalesce(m.key = mesh.owner_key, false) as owns, m.role
	from h join member m on m.mesh_id = h.mesh_id
	join mesh on mesh.id = m.mesh_id
	where m.id = $1::uuid and m.revoked_at is null for update of m
), done as (
	update member set role = coalesce($3::text, member.role),
	    revoked_at = case when $3 is null then now() end
	from t where member.id = t.id and not t.owns
	and t.role = any ($4::text[]) and $3 is distinct from t.role
	returning member.id
)
select t.role = any ($4), t.owns, exists (select from done),
    (select journal_note($2, 'membership.updated', jsonb_build_object(
	'actorId', journal_id($1), case when $3 is null
	then 'removedByActorId' else 'addedByActorId' end,
	journal_id($5::uuid), 'role', $3, 'scope', 'org')) from done) from t;

-- Who may log in by this name, to a mesh by its id or slug.
-- name: login_find
select m.id, m.mesh_id, m.name, case when m.key = mesh.owner_key then 'owner'
    else m.role end, m.password, mesh.slug
from mesh join member m on m.mesh_id = mesh.id
where (mesh.id = $1::uuid or mesh.slug = $2::text)
and mesh.archived_at is null and m.name_folded = $3::text
and m.revoked_at is null and m.password is not null
and not exists (select from ban b where b.member_id = m.id) limit 2;

-- A member keeps the newest $9 of these tokens.  No row: its password is not
-- what was looked at, $10, any more.
-- name: login_put
with h as materialized (
	select journal_hold($2::uuid) as mesh_id
), m as materialized (
	select h.mesh_id from h join member m on m.mesh_id = h.mesh_id
	where m.id = $3::uuid and m.password = $10::text
	and m.revoked_at is null for share of m
), gone as (
	delete from token where id in (select t.id from token t
	    where t.member_id = $3 and t.login
	    order by t.id desc offset $9::int8 - 1)
), put as (
	insert into token (id, mesh_id, member_id, digest, key_name, name,
	    scopes, expires_at, login)
	select $1::uuid, m.mesh_id, $3, $4::bytea, $5::bytea,
	    $6::text, $7::text[], to_timestamp($8::int8 / 1000.0), true from m
	on conflict (id) do update set id = excluded.id
	returning created_at, expires_at
)
select created_at, expires_at,
    case when not exists (select from token t where t.id = $1)
    then journal_note($2, 'token.created', jsonb_build_object(
	'actorId', journal_id($3), 'createdByActorId', journal_id($3),
	'expiresAt', journal_time(expires_at), 'name', $6,
	'scopes', to_jsonb($7), 'tokenId', journal_id($1))) end
from put;

-- name: password_find
select m.password, case when m.key = mesh.owner_key then 'owner' else m.role end
from member m join mesh on mesh.id = m.mesh_id
where m.id = $1::uuid and m.mesh_id = $2::uuid and m.revoked_at is null;

-- As the function of this name says.  No row: there is no such member.
-- name: password_put
select from (select password_set($1::uuid, $2::uuid, $3::text, $4::uuid)
    as done) p where done;

-- One use of an invite, whole or not at all.  Column status: why not.
-- name: member_join
with inv as (
	select i.*, m.owner_key, m.archived_at, m.id as mesh
	from invite i join mesh m on m.id = i.mesh_id,
	    journal_hold(i.mesh_id) as held
	where i.digest = $1::bytea for update of i
), there as (
	select m.id from member m join inv on inv.mesh_id = m.mesh_id
	where m.key = $4::bytea
), gone as (
	select m.id from member m join there using (id)
	where m.revoked_at is not null
), problem as (
	select case
	when not exists (select from mesh where id = $2::uuid
	    and archived_at is null) then 'mesh_not_found'
	when (select owner_key from mesh where id = $2) <> $3::bytea
	    then 'invite_owner_mismatch'
	when not exists (select from inv) then 'invite_not_found'
	when (select mesh_id from inv) <> $2 then 'invite_mesh_mismatch'
	when (select revoked_at from inv) is not null then 'invite_revoked'
	-- This very statement, repeated as the answer to it was lost.
	when exists (select from there where id = $5::uuid) then 'again'
	when exists (select from gone) then 'revoked'
	when exists (select from there) then 'already'
	when (select expires_at from inv) < now() then 'invite_expired'
	when (select used >= max_uses from inv) then 'invite_exhausted'
	end as status
), used as (
	update invite set used = invite.used + 1 from inv, problem
	where invite.id = inv.id and problem.status is null
	returning invite.id, invite.role
), made as (
	insert into member (id, mesh_id, key, name, name_folded, role,
	    hook_digest)
	select $5::uuid, $2, $4, $6::text, $7::text, used.role, $8::bytea
	from used returning id, role
)
select nullif(p.status, 'again'), coalesce((select id from made), (select id from there)),
    (select slug from mesh where id = $2), (select name from mesh where id = $2),
    (select journal_note($2, 'membership.updated', jsonb_build_object(
	'actorId', journal_id(made.id), 'addedByActorId', null,
	'displayName', $6, 'inviteId', journal_id(used.id),
	'role', made.role, 'scope', 'org')) from made, used)
from problem p;

-- name: invite_create
with made as (
	insert into invite (id, mesh_id, digest, role, max_uses, expires_at)
	select $1::uuid, journal_hold($2::uuid), $3::bytea, $4::text, $5::int8,
	    to_timestamp($6::int8 / 1000.0)
	returning id, expires_at
)
select journal_note($2, 'invite.created', jsonb_build_object(
    'createdByActorId', null, 'expiresAt', journal_time(expires_at),
    'inviteId', journal_id(id), 'maxUses', $5, 'role', $4)) from made;

-- name: invite_list
select id, role, used, max_uses, created_at, expires_at, revoked_at,
    case when revoked_at is not null then 'revoked'
	when used >= max_uses then 'used up'
	when expires_at <= now() then 'expired' else 'open' end
from invite where mesh_id = $1::uuid order by created_at, id;

-- Column 0: it was not revoked before.
-- name: invite_revoke
with i as materialized (
	select id, journal_hold(mesh_id) as mesh_id from invite
	where id = $1::uuid
), done as (
	update invite set revoked_at = now() from i
	where invite.id = i.id and invite.revoked_at is null
	returning invite.id, invite.mesh_id
)
select exists (select from done),
    (select journal_note(mesh_id, 'invite.revoked', jsonb_build_object(
	'inviteId', journal_id(id), 'revokedByActorId', null)) from done)
from i;

-- name: mesh_create
insert into mesh (id, slug, name, owner_key, owner_sealed, root_key)
values ($1::uuid, $2::text, $3::text, $4::bytea, $5::bytea, $6::text)
on conflict (slug) do nothing returning id;

-- As the function of this name says.
-- name: mesh_make
select mesh_make($1::uuid, $2::text, $3::text, $4::bytea, $5::text, $6::uuid,
    $7::text, $8::text, $9::text, $10::uuid, $11::bytea, $12::bytea,
    $13::text[], $14::int8);

-- name: mesh_list
select m.id, m.slug, m.name, m.created_at, m.archived_at,
    (select count(*) from member b where b.mesh_id = m.id
	and b.revoked_at is null),
    (select count(*) from session s where s.mesh_id = m.id
	and s.ended_at is null)
from mesh m order by m.slug;

-- name: mesh_find
select id, slug, name, owner_key, owner_sealed, root_key, archived_at from mesh
where slug = $1::text;

-- What it is, what it has, and what it may have.
-- name: mesh_show
select m.id, m.slug, m.name, m.created_at, m.archived_at, m.owner_key,
    m.owner_sealed is not null,
    (select count(*) from member b where b.mesh_id = m.id
	and b.revoked_at is null),
    (select count(*) from ban b where b.mesh_id = m.id),
    (select count(*) from invite i where i.mesh_id = m.id
	and i.revoked_at is null and i.used < i.max_uses
	and i.expires_at > now()),
    (select count(*) from session s where s.mesh_id = m.id
	and s.ended_at is null),
    d.n, d.most,
    (select count(*) from state s where s.mesh_id = m.id),
    (select coalesce(sum(octet_length(s.value::text)), 0)::int8 from state s
	where s.mesh_id = m.id),
    (select count(*) from memory y where y.mesh_id = m.id
	and y.forgotten_at is null),
    m.max_sessions, m.max_queue, m.max_recipient_queue, m.max_state_keys,
    m.max_state_bytes, m.max_memories, m.max_files, m.max_storage,
    m.max_file_bytes, (select count(*) from file f
	where f.mesh_id = m.id),
    (select coalesce(sum(f.size), 0)::int8 from file f
	where f.mesh_id = m.id) +
    (select coalesce(sum(o.size), 0)::int8 from durable_object o
	where o.mesh_id = m.id),
    (select coalesce(max(f.size), 0) from file f
	where f.mesh_id = m.id), h.n, h.posts
from mesh m, lateral (select count(*) as n, coalesce(sum(c.seq +
	(select coalesce(sum(t.seq), 0) from channel t where t.root_id = c.id
	and t.closed_at is null)), 0)::int8 as posts from channel c
    where c.mesh_id = m.id and c.root_id is null and c.closed_at is null) h,
    lateral (select coalesce(sum(r.n), 0)::int8 as n,
    coalesce(max(r.n), 0)::int8 as most from (select count(*) as n
	from delivery w where w.mesh_id = m.id and w.state < 2
	group by w.recipient) r) d
where m.id = $1::uuid;

-- name: mesh_rename
with m as materialized (
	select journal_hold($1::uuid) as id
), done as (
	update mesh set name = $2::text from m
	where mesh.id = m.id and mesh.name <> $2 returning mesh.id
)
select journal_note(id, 'org.updated', jsonb_build_object('name', $2))
from done;

-- $2: bits say which of them are set; null: what the configuration says.
-- name: mesh_set
with m as materialized (
	select journal_hold($1::uuid) as held
), done as (
	update mesh set
	    max_sessions = case when $2::int8 & 1 <> 0 then $3::int8
		else max_sessions end,
	    max_queue = case when $2 & 2 <> 0 then $4::int8 else max_queue end,
	    max_recipient_queue = case when $2 & 4 <> 0 then $5::int8
		else max_recipient_queue end,
	    max_state_keys = case when $2 & 8 <> 0 then $6::int8
		else max_state_keys end,
	    max_state_bytes = case when $2 & 16 <> 0 then $7::int8
		else max_state_bytes end,
	    max_memories = case when $2 & 32 <> 0 then $8::int8 else max_memories end,
	    max_files = case when $2 & 64 <> 0 then $9::int8 else max_files end,
	    max_storage = case when $2 & 128 <> 0 then $10::int8 else max_storage end,
	    max_file_bytes = case when $2 & 256 <> 0 then $11::int8
		else max_file_bytes end
	from m where id = m.held returning mesh.*
)
select journal_note(id, 'org.updated', jsonb_build_object('limits',
    jsonb_strip_nulls(jsonb_build_object('fileBytes', max_file_bytes,
    'files', max_files, 'memories', max_memories, 'queue', max_queue,
    'recipientQueue', max_recipient_queue, 'sessions', max_sessions,
    'stateBytes', max_state_bytes, 'stateKeys', max_state_keys,
    'storage', max_storage)))) from done;

-- Nobody gets in any more, and its sessions are over.
-- name: mesh_archive
with m as materialized (
	select journal_hold($1::uuid) as id
), done as (
	update mesh set archived_at = now() from m
	where mesh.id = m.id and mesh.archived_at is null returning mesh.id
), ended as (
	update session s set ended_at = now(), returns = false from done
	where s.mesh_id = done.id and s.ended_at is null
	returning s.id, s.member_id
), freed as (
	update delivery d set state = 0, holder = null, due_at = d.expires_at
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
)
select (select count(*) from ended), (select count(*) from freed),
    journal_note(id, 'org.archived', '{}') from done;

-- The same, by a member of it.
-- name: mesh_close
with m as materialized (
	select journal_hold($1::uuid) as id
), done as (
	update mesh set archived_at = now() from m
	where mesh.id = m.id and mesh.archived_at is null returning mesh.id
), ended as (
	update session s set ended_at = now(), returns = false from done
	where s.mesh_id = done.id and s.ended_at is null
	returning s.id, s.member_id
), freed as (
	update delivery d set state = 0, holder = null, due_at = d.expires_at
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
)
select (select count(*) from ended), (select count(*) from freed),
    journal_note(id, 'audit.logged', jsonb_build_object('kind', 'org.deleted',
	'deletedByActorId', journal_id($2::uuid))) from done;

-- name: mesh_unarchive
with m as materialized (
	select journal_hold($1::uuid) as id
), done as (
	update mesh set archived_at = null from m
	where mesh.id = m.id and mesh.archived_at is not null returning mesh.id
)
select journal_note(id, 'org.unarchived', '{}') from done;

-- With all that refers to it, its journal too, and the messages, which do not.
-- name: mesh_delete
with messages as (
	delete from message where mesh_id = $1::uuid
), deliveries as (
	delete from delivery where mesh_id = $1
), served as (
	delete from host_mesh where mesh_id = $1
)
delete from mesh where id = $1 returning id;

-- Messages -------------------------------------------------------------------

-- New messages with a row for each recipient, in the order in which others
-- mark them, or, without a recipient, for a crowd: holder and state are then
-- its host and process.  Column fresh is false when the sender had sent it
-- before (see message_find).
-- name: message_insert batch 16 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::bytea[], $7::text[], $8::text[], $9::int8[],
	    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::int8[],
	    $15::int8[], $16::text[]) as t(n, id, mesh_id, member_id,
	    session_id, key, name, target, priority, nonce, ciphertext,
	    client_id, fingerprint, at_ms, hold_ms, more)
), r as (
	select * from unnest($17::int4[], $18::uuid[], $19::int8[], $20::uuid[],
	    $21::int8[], $22::uuid[], $23::bytea[], $24::bytea[], $25::int8[])
	    as t(n, recipient, state, holder, due_ms, audience, recipients,
	    marks, waiting)
), stored as (
	insert into message (id, mesh_id, sender_member, sender_session,
	    sender_key, sender_name, target, priority, nonce, ciphertext,
	    client_id, fingerprint, created_at, expires_at, more)
	select id, mesh_id, member_id, session_id, key, name, target, priority,
	    nonce, ciphertext, client_id, fingerprint,
	    to_timestamp(at_ms / 1000.0),
	    to_timestamp((at_ms + hold_ms) / 1000.0), more::text[]
	from i order by n on conflict do nothing
	returning id, expires_at
), addressed as (
	insert into delivery (message_id, recipient, mesh_id, priority, state,
	    holder, due_at, pushes, pushed_at, acked_at, expires_at)
	select i.id, r.recipient, i.mesh_id, i.priority, r.state, r.holder,
	    least(stored.expires_at, now() + r.due_ms * interval '1 ms'),
	    least(r.state, 1),
	    case when r.state > 0 then now() end,
	    case when r.state > 1 then now() end, stored.expires_at
	from r join i using (n) join stored on stored.id = i.id
	where r.recipient is not null
	order by i.id, r.recipient on conflict do nothing
), listed as (
	insert into audience as a (id, recipients)
	select distinct on (audience) audience, recipients
	from r where recipients is not null order by audience
	on conflict (id) do update set used_at = excluded.used_at
), crowded as (
	insert into crowd (message_id, host_id, proc, mesh_id, priority,
	    audience, marks, waiting, due_at, created_at, expires_at)
	select i.id, r.holder, r.state, i.mesh_id, i.priority, r.audience,
	    r.marks, r.waiting, case when r.waiting > 0 then
	    least(stored.expires_at, now() + r.due_ms * interval '1 ms') end,
	    to_timestamp(i.at_ms / 1000.0), stored.expires_at
	from r join i using (n) join stored on stored.id = i.id
	where r.recipient is null
)
select i.n, stored.id is not null as fresh from i
left join stored on stored.id = i.id;

-- A scheduled message that is due, with its first parameters as above; whoever
-- takes the row sends it, and its next time is noted with it.
-- name: schedule_send batch 19
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::bytea[], $7::text[], $8::text[], $9::int8[],
	    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::int8[],
	    $15::int8[], $16::text[], $17::uuid[], $18::int8[], $19::int8[])
	    as t(n, id, mesh_id, member_id, session_id, key, name, target,
	    priority, nonce, ciphertext, client_id, fingerprint, at_ms,
	    hold_ms, more, schedule_id, due_ms, next_ms)
), taken as (
	select i.* from schedule s join i on s.id = i.schedule_id
	    and s.due_at = to_timestamp(i.due_ms / 1000.0)
	join member m on m.id = s.member_id and m.revoked_at is null
	where not exists (select from ban where ban.member_id = m.id)
	order by s.id for update of s skip locked
), stored as (
	insert into message (id, mesh_id, sender_member, sender_session,
	    sender_key, sender_name, target, priority, nonce, ciphertext,
	    client_id, fingerprint, created_at, expires_at, more)
	select id, mesh_id, member_id, session_id, key, name, target, priority,
	    nonce, ciphertext, client_id, fingerprint,
	    to_timestamp(at_ms / 1000.0),
	    to_timestamp((at_ms + hold_ms) / 1000.0), more::text[]
	from taken order by n on conflict do nothing
	returning id, expires_at
), addressed as (
	insert into delivery (message_id, recipient, mesh_id, priority, state,
	    holder, due_at, expires_at)
	select i.id, r.recipient, i.mesh_id, i.priority, 0, r.holder,
	    least(stored.expires_at, now() + r.due_ms * interval '1 ms'),
	    stored.expires_at
	from unnest($20::int4[], $21::uuid[], $22::int8[], $23::uuid[],
	    $24::int8[]) as r(n, recipient, state, holder, due_ms)
	join i using (n) join stored on stored.id = i.id
	order by i.id, r.recipient on conflict do nothing
), over as (
	delete from schedule s using taken
	where s.id = taken.schedule_id and taken.next_ms = 0
), again as (
	update schedule s set due_at = to_timestamp(taken.next_ms / 1000.0),
	    sent = s.sent + 1, last_at = now(), last_error = null
	from taken where s.id = taken.schedule_id and taken.next_ms > 0
)
-- The row is there before when only the answer to its commit was lost.
select i.n, stored.id is not null or m.id is not null as fresh from i
left join stored on stored.id = i.id left join message m on m.id = i.id;

-- The message that a sender sent before under this id of its own.
-- name: message_find
select id, fingerprint from message
where sender_key = $1::bytea and client_id = $2::text and mesh_id = $3::uuid;

-- Pushed and acked.  A row that is further already stays.  A multicast is
-- pushed before it is stored: the mark may come before the row, and makes it.
-- name: delivery_mark batch 10 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
	    $10::int8[]) as t(n, message_id, recipient, mesh_id, holder,
	    priority, state, at_ms, due_ms, hold_ms)
), latest as (
	select distinct on (message_id, recipient) * from i
	order by message_id, recipient, state desc, n desc
), marked as (
	insert into delivery as d (message_id, recipient, mesh_id, priority,
	    state, holder, due_at, pushes, pushed_at, acked_at, expires_at)
	select message_id, recipient, mesh_id, priority, state, holder,
	    now() + due_ms * interval '1 ms', 1,
	    to_timestamp(at_ms / 1000.0),
	    case when state = 2 then to_timestamp(at_ms / 1000.0) end,
	    now() + hold_ms * interval '1 ms'
	from latest
	on conflict (message_id, recipient) do update set
	    state = excluded.state, holder = excluded.holder,
	    due_at = least(d.expires_at, excluded.due_at),
	    pushes = d.pushes + case when d.state = 0 then 1 else 0 end,
	    pushed_at = coalesce(d.pushed_at, excluded.pushed_at),
	    acked_at = excluded.acked_at
	where d.state < 2
)
select n from i;

-- How far a crowd is.  marked: it is written down; there: it was split, else
-- its message is not stored yet.
-- name: crowd_mark batch 6
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::int8[],
	    $5::bytea[], $6::int8[])
	    as t(n, message_id, host_id, proc, marks, done)
), marked as (
	update crowd c set marks =
		case when octet_length(c.marks) = octet_length(i.marks)
		    then i.marks
		else overlay(c.marks placing i.marks from 1) end,
	    waiting = octet_length(c.marks) / 7 - i.done,
	    due_at = case when octet_length(c.marks) / 7 > i.done
		then c.due_at end
	from i where c.message_id = i.message_id and c.host_id = i.host_id
	and c.proc = i.proc and not c.split
	returning i.n
)
select i.n, marked.n is not null as marked, exists (select from crowd c
    where c.message_id = i.message_id and c.host_id = i.host_id
    and c.proc = i.proc) as there
from i left join marked using (n);

-- A recipient leaves its crowd: it waits like any other.
-- name: crowd_leave batch 9
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[])
	    as t(n, message_id, recipient, mesh_id, priority, pushes,
	    pushed_ms, expires_ms, due_ms)
), own as (
	insert into delivery (message_id, recipient, mesh_id, priority, state,
	    due_at, pushes, pushed_at, expires_at)
	select message_id, recipient, mesh_id, priority, 0,
	    least(to_timestamp(expires_ms / 1000.0),
		now() + due_ms * interval '1 ms'),
	    pushes, case when pushes > 0
		then to_timestamp(pushed_ms / 1000.0) end,
	    to_timestamp(expires_ms / 1000.0)
	from i order by message_id, recipient on conflict do nothing
)
select n from i;

-- An ack for what was pushed over an earlier connection.
-- name: delivery_ack batch 4
update delivery d set state = 2, acked_at = now(),
    pushed_at = coalesce(d.pushed_at, now())
from (select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[])
    as t(n, message_id, session_id, member_id)) i
where d.message_id = i.message_id
and d.recipient in (i.session_id, i.member_id) and d.state < 2
returning i.n;

-- A holder gives back what it may not push now; it waits for the recipient, of
-- whom another session may take it.
-- name: delivery_park batch 4
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[])
	    as t(n, message_id, recipient, holder)
), parked as (
	update delivery d set state = 0, holder = null,
	    due_at = case when d.recipient = i.holder then d.expires_at
		else least(d.expires_at, now() + interval '1 second') end
	from i where d.message_id = i.message_id
	and d.recipient = i.recipient and d.holder = i.holder and d.state < 2
)
select n from i;

-- What waits for a session: addressed to it, or to its member and held by
-- nobody.  It becomes the holder.  $3: the least priority that its status
-- allows; $4: up to so many; $5: how long it may hold; $6: bytes, of which
-- the first may have more.
-- name: delivery_claim warm
with waiting as (
	select message_id, recipient from delivery
	where recipient in ($1::uuid, $2::uuid) and state < 2
	and state = 0 and (holder is null or holder = $1 or due_at < now())
	and priority >= $3::int8 and expires_at > now()
	order by message_id limit $4::int8 for update skip locked
), sized as (
	select w.message_id, w.recipient, row_number() over w as place,
	    sum(octet_length(m.nonce) + octet_length(m.ciphertext)) over w
	    as bytes
	from waiting w join message m on m.id = w.message_id
	window w as (order by w.message_id, w.recipient)
), claimed as (
	update delivery d set holder = $1,
	    due_at = least(d.expires_at, now() + $5::int8 * interval '1 ms')
	from sized w
	where d.message_id = w.message_id and d.recipient = w.recipient
	and (w.place = 1 or w.bytes <= $6::int8)
	returning d.message_id, d.recipient, d.pushes
)
select c.message_id, c.recipient, m.sender_member, m.sender_key,
    m.sender_name, m.priority, m.nonce, m.ciphertext, m.created_at, m.target,
    b.key, c.pushes, (select count(*) from waiting) as waited, m.expires_at,
    m.more
from claimed c join message m on m.id = c.message_id
left join member b on b.id = m.sender_member order by c.message_id;

-- The same rows for a visitor ($2; its member: $3), which has them in an answer:
-- they are pushed, and held by $1, which is the answer, or the visitor itself if
-- it only looks.  What it looked at is still there for it.
-- name: delivery_take
with waiting as (
	select message_id, recipient from delivery
	where recipient in ($2::uuid, $3::uuid) and state < 2
	and (state = 0 and (holder is null or due_at < now())
	    or state = 1 and holder = $2)
	and expires_at > now()
	order by message_id limit $4::int8 for update skip locked
), sized as (
	select w.message_id, w.recipient, row_number() over w as place,
	    sum(octet_length(m.nonce) + octet_length(m.ciphertext)) over w
	    as bytes
	from waiting w join message m on m.id = w.message_id
	window w as (order by w.message_id, w.recipient)
), taken as (
	update delivery d set holder = $1::uuid, state = 1,
	    pushes = d.pushes + case when d.state = 0 then 1 else 0 end,
	    pushed_at = coalesce(d.pushed_at, now()),
	    due_at = least(d.expires_at, now() + $5::int8 * interval '1 ms')
	from sized w
	where d.message_id = w.message_id and d.recipient = w.recipient
	and (w.place = 1 or w.bytes <= $6::int8)
	returning d.message_id, d.recipient, d.pushes
)
select t.message_id, t.recipient, m.sender_member, m.sender_key,
    m.sender_name, m.priority, m.nonce, m.ciphertext, m.created_at, m.target,
    b.key, t.pushes, (select count(*) from waiting) as waited, m.expires_at,
    m.more
from taken t join message m on m.id = t.message_id
left join member b on b.id = m.sender_member order by t.message_id;

-- How much waits for a session that nobody has, up to $3, and how urgent it is;
-- with what it looked at, if it is a visitor ($4).
-- name: delivery_waiting
select count(*), max(priority) from (select priority from delivery
    where recipient in ($1::uuid, $2::uuid) and state < 2
    and (state = 0 and (holder is null or due_at < now())
	or $4::bool and state = 1 and holder = $1)
    and expires_at > now() limit $3::int8) d;

-- Deliveries that nobody brought to an end in time: free them, or expire
-- them.  Where a session could take it now it is looked at again soon; visitors
-- take what they ask for.  There
-- is a row also when nobody's was freed; more: there may be more of them.
-- name: delivery_due
with due as (
	select d.message_id, d.recipient from delivery d
	where d.due_at < now() and d.state < 2
	order by d.due_at limit $1::int8 for update skip locked
), freed as (
	update delivery d set
	    state = case when d.expires_at <= now() then 3 else 0 end,
	    holder = null,
	    due_at = case when exists (select from session s
		where s.id = d.recipient and s.ended_at is null
		and not s.control and s.token_id is null
		and d.priority >= case s.status when 0 then 0 else 2 end)
	    -- offset 0: by the index of members, also where the planner does
	    -- not know yet how many are connected.
	    or exists (select from (select * from session
		    where member_id = d.recipient offset 0) s
		where s.ended_at is null
		and not s.control and s.token_id is null
		and d.priority >= case s.status when 0 then 0 else 2 end)
		then least(d.expires_at, now() + $2::int8 * interval '1 ms')
		else d.expires_at end
	from due where d.message_id = due.message_id
	and d.recipient = due.recipient
	returning d.recipient, d.mesh_id, d.state
)
select f.recipient, f.mesh_id, d.more
from (select count(*) = $1 as more from due) d
left join (select distinct recipient, mesh_id from freed where state = 0) f
    on true;

-- Crowds that were not brought to an end in time: who has not acked gets a row
-- of its own, which is free, or expired.  The answer is as that of
-- delivery_due.
-- name: crowd_due
with due as (
	select message_id, host_id, proc from crowd
	where due_at < now() order by due_at limit $1::int8
	for update skip locked
), ended as (
	update crowd c set split = true, waiting = 0, due_at = null
	from due where c.message_id = due.message_id
	and c.host_id = due.host_id and c.proc = due.proc
	returning c.*
), each as (
	select e.message_id, e.mesh_id, e.priority, e.expires_at, e.created_at,
	    encode(substring(a.recipients from 16 * g + 1 for 16), 'hex')::uuid
	    as recipient,
	    substring(e.marks from 7 * g + 1 for 7) as mark
	from ended e join audience a on a.id = e.audience,
	    generate_series(0, octet_length(e.marks) / 7 - 1) g
), own as (
	insert into delivery (message_id, recipient, mesh_id, priority, state,
	    due_at, pushes, pushed_at, expires_at)
	select message_id, recipient, mesh_id, priority,
	    case when expires_at <= now() then 3 else 0 end,
	    least(expires_at, now() + $2::int8 * interval '1 ms'),
	    get_byte(mark, 0), case when get_byte(mark, 0) = 1 then
		created_at + (get_byte(mark, 1) * 65536 +
		    get_byte(mark, 2) * 256 + get_byte(mark, 3))
		* interval '1 ms' end, expires_at
	from each where get_byte(mark, 0) < 2
	order by message_id, recipient on conflict do nothing
	returning recipient, mesh_id, state
)
select o.recipient, o.mesh_id, d.more
from (select count(*) = $1 as more from due) d
left join (select distinct recipient, mesh_id from own where state = 0) o
    on true;

-- What became of a message; for its sender and its recipients.
-- name: message_status
with m as (
	select * from message where id = $1::uuid and mesh_id = $2::uuid
), d as (
	select recipient, state, pushed_at, acked_at, expires_at, pushes
	from delivery where message_id = $1
	union all
	select encode(substring(a.recipients from 16 * g + 1 for 16),
	    'hex')::uuid, get_byte(k, 0),
	    case when get_byte(k, 0) > 0 then c.created_at +
		(get_byte(k, 1) * 65536 + get_byte(k, 2) * 256 +
		get_byte(k, 3)) * interval '1 ms' end,
	    case when get_byte(k, 0) = 2 then c.created_at +
		(get_byte(k, 4) * 65536 + get_byte(k, 5) * 256 +
		get_byte(k, 6)) * interval '1 ms' end,
	    c.expires_at, least(get_byte(k, 0), 1)
	from crowd c join audience a on a.id = c.audience,
	    generate_series(0, octet_length(c.marks) / 7 - 1) g,
	    substring(c.marks from 7 * g + 1 for 7) k
	where c.message_id = $1 and get_byte(k, 0) < 3
	and (get_byte(k, 0) = 2 or not c.split)
)
select m.target, m.created_at,
    case when d.state < 2 and d.expires_at <= now() then 3 else d.state end,
    d.pushed_at, d.acked_at,
    coalesce(s.name, b.name, '') as name,
    coalesce(s.key, sm.key, b.key) as key, d.expires_at, d.pushes,
    d.recipient
from m left join d on true
left join session s on s.id = d.recipient
left join member sm on sm.id = s.member_id
left join member b on b.id = d.recipient
where m.sender_member = $3::uuid or exists (select from d x
    where x.recipient in ($3, $4::uuid))
order by name, d.recipient limit 10000;

-- A session ends, after the marks of the same transaction: what it held is free
-- for another session of its member, or waits for its return.
-- name: session_close batch 4 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::int8[], $4::bool[])
	    as t(n, id, ref, returns)
), ended as (
	update session s set ended_at = now(), returns = i.returns from i
	where s.id = i.id and s.ref = i.ref and s.ended_at is null
	returning i.n, s.id, s.member_id
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning e.n, d.recipient
)
select e.n, (select count(*) from freed f where f.n = e.n
    and f.recipient = e.member_id) from ended e;

-- State ----------------------------------------------------------------------

-- Sets and deletions (value null), each if the key has the version asked for
-- (if_version null: whatever it has, 0: it is not there).  Several changes of
-- one key in a batch are made one after the other.  Keys that are changed on a
-- condition are locked; where there is nothing to lock, and another process
-- made the key meanwhile, the change has to be tried again.  Columns: again,
-- changed, the version that it made, the one that a condition compares, when.
-- name: state_write batch 8 warm
with i as (
	select t.*, bool_or(value is null or if_version is not null)
	    over (partition by mesh_id, key) as strict
	from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
	    $6::int8[], $7::uuid[], $8::text[]) as t(n, id, mesh_id, key,
	    value, if_version, by_session, by_name)
), had as (
	select s.mesh_id, s.key, s.version, s.version <> s.deleted as there,
	    s.writes, s.updated_at
	from state s join (select distinct mesh_id, key from i) k
	    using (mesh_id, key)
	where (select bool_or(strict) from i)
	order by s.mesh_id, s.key for update of s
), begun as (
	select i.*, h.key is null as fresh, m.state_floor,
	    coalesce(h.version, m.state_floor) as version,
	    coalesce(h.there, false) as there,
	    -- It was made before, and is the last but so many.
	    cardinality(h.writes) - array_position(h.writes, i.id) as repeated,
	    h.updated_at as had_at
	from i left join had h using (mesh_id, key)
	left join mesh m on m.id = i.mesh_id
), folded as (
	select b.*, state_fold(version, there, if_version, value is not null)
	    filter (where repeated is null)
	    over (partition by mesh_id, key order by n) as v
	from begun b
), step as (
	select *, repeated is null and v[1] > coalesce(lag(v[1])
	    over (partition by mesh_id, key order by n), version) as changed,
	    max(v[1]) over (partition by mesh_id, key) as last
	from folded
), new as (
	select s.mesh_id, s.key, coalesce(s.value, 'null')::json as value,
	    s.state_floor + s.last - s.version as version,
	    case when s.value is null then s.state_floor + s.last - s.version
	    else 0 end as deleted, s.by_session, s.by_name,
	    clock_timestamp() as updated_at,
	    coalesce(g.writes, '{}') as writes, s.strict and s.fresh as made
	from (select max(n) as n,
	    array_agg(id order by n) filter (where strict) as writes
	    from step where changed group by mesh_id, key) g
	join step s using (n) order by s.mesh_id, s.key
), made as (
	insert into state (mesh_id, key, value, version, deleted, by_session,
	    by_name, updated_at, writes)
	select mesh_id, key, value, version, deleted, by_session, by_name,
	    updated_at, writes from new where made
	on conflict (mesh_id, key) do nothing
	returning mesh_id, key, version, updated_at
), kept as (
	insert into state as s (mesh_id, key, value, version, deleted,
	    by_session, by_name, updated_at, writes)
	select mesh_id, key, value, version, deleted, by_session, by_name,
	    updated_at, writes from new where not made
	on conflict (mesh_id, key) do update set value = excluded.value,
	    (version, deleted) = (select v, case when excluded.deleted = 0
		then 0 else v end from (select s.version + excluded.version
		- m.state_floor as v from mesh m where m.id = s.mesh_id) f),
	    by_session = excluded.by_session, by_name = excluded.by_name,
	    updated_at = excluded.updated_at, writes = excluded.writes
	returning mesh_id, key, version, updated_at
), stored as (
	select * from made union all select * from kept
)
select s.n, t.key is null
    and bool_or(s.changed) over (partition by s.mesh_id, s.key) as again,
    s.changed or s.repeated is not null as changed,
    case when s.repeated is not null then s.version - s.repeated
    when t.key is null then s.v[1] else t.version - s.last + s.v[1] end as made,
    s.v[2] as present, coalesce(t.updated_at, s.had_at) as updated_at
from step s left join stored t using (mesh_id, key);

-- name: state_get warm
select value, by_name, updated_at, version from state
where mesh_id = $1::uuid and key = $2::text and version <> deleted;

-- Keys with a prefix $2 after another key $3, up to so many bytes and the key
-- with which it is more.  A key has at most 256 bytes, which are 64 of the
-- greatest character.
-- name: state_list
select key, value, by_name, updated_at, version from (select p.*,
    sum(octet_length(value::text)) over w - octet_length(value::text) as before
    from (select * from state where mesh_id = $1::uuid
	and version <> deleted
	and key >= $2::text and key <= $2 || repeat(chr(1114111), 64)
	and key > $3::text order by key limit $4::int8) p
    window w as (order by key)) s
where before <= $5::int8 order by key;

-- What changed since a time, for a process that missed events.
-- name: state_since
select t.key, t.value, t.by_name, t.updated_at, t.version, t.by_session,
    s.member_id, t.version = t.deleted
from state t left join session s on s.id = t.by_session
where t.mesh_id = $1::uuid
and t.updated_at >= to_timestamp($2::int8 / 1000.0)
order by t.updated_at;

-- Memory ---------------------------------------------------------------------

-- Column known is false, and nothing is stored, when there is no such
-- language.
-- name: memory_put batch 9
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
	    as t(n, id, mesh_id, member_id, by_name, by_folded, content, tags,
	    language)
), good as (
	select i.* from i join pg_ts_config c on c.cfgname = i.language
	    and c.cfgnamespace = 'pg_catalog'::regnamespace
), stored as (
	insert into memory (id, mesh_id, member_id, by_name, by_folded,
	    content, tags, language, created_at)
	select id, mesh_id, member_id, by_name, by_folded, content,
	    tags::text[], language, now() from good on conflict do nothing
)
select i.n, good.n is not null as known from i left join good using (n);

-- name: memory_languages
select cfgname::text from pg_ts_config
where cfgnamespace = 'pg_catalog'::regnamespace order by 1;

-- The best first, the newer of equal ones.  $3: tags; $4: a name as names are
-- compared; $5: a member's key; after the score $7 and the id $8.
-- name: memory_search warm
with q as materialized (
	select memory_query($6::text, $2::text) as query
), found as (
	select id, (ts_rank(search, (select query from q)) * 1e9)::int8
	    as score
	from memory where search @@ (select query from q)
	and terms @> memory_terms($1::uuid, case when $5::bytea is not null
	    then coalesce((select id from member where mesh_id = $1
		and key = $5), '00000000-0000-0000-0000-000000000000') end,
	    $4::text, $3::text[])
	and mesh_id = $1 and forgotten_at is null
), best as (
	select * from found where (score, id) < ($7::int8, $8::uuid)
	order by score desc, id desc limit $9::int8
)
select m.id, m.content, m.tags, m.by_name, m.created_at, m.language,
    m.forgotten_at, b.score
from best b join memory m using (id) order by b.score desc, b.id desc;

-- All, the newest first, before an id.  A mesh from $1 to $1, so that the
-- order is that of the index which has the mesh, and of no other.
-- name: memory_list
select id, content, tags, by_name, created_at, language, forgotten_at, 0::int8
from memory where mesh_id between $1::uuid and $1 and forgotten_at is null
and id < $2::uuid order by mesh_id desc, id desc limit $3::int8;

-- Some of them.
-- name: memory_list_chosen
with found as materialized (
	select id from memory
	where terms @> memory_terms($1::uuid, case when $4::bytea is not null
	    then coalesce((select id from member where mesh_id = $1 and key = $4),
		'00000000-0000-0000-0000-000000000000') end, $3::text, $2::text[])
	and mesh_id = $1 and forgotten_at is null
), newest as (
	select id from found where id < $5::uuid
	order by id desc limit $6::int8
)
select m.id, m.content, m.tags, m.by_name, m.created_at, m.language,
    m.forgotten_at, 0::int8
from newest n join memory m using (id) order by n.id desc;

-- The same of those that were forgotten.
-- name: memory_list_forgotten
select id, content, tags, by_name, created_at, language, forgotten_at, 0::int8
from memory where mesh_id between $1::uuid and $1
and forgotten_at is not null
and terms @> memory_terms($1::uuid, case when $4::bytea is not null
    then coalesce((select id from member where mesh_id = $1 and key = $4),
	'00000000-0000-0000-0000-000000000000') end, $3::text, $2::text[])
and id < $5::uuid order by mesh_id desc, id desc limit $6::int8;

-- name: memory_get
select id, content, tags, by_name, created_at, language, forgotten_at, 0::int8
from memory where mesh_id = $1::uuid and id = $2::uuid
and forgotten_at is null;

-- name: memory_forget
update memory set forgotten_at = now()
where mesh_id = $1::uuid and id = $2::uuid and forgotten_at is null
returning id;

-- Column restored is false when it was not forgotten.
-- name: memory_restore
with m as (
	select id, forgotten_at from memory
	where mesh_id = $1::uuid and id = $2::uuid for update
), restored as (
	update memory set forgotten_at = null from m
	where memory.id = m.id and m.forgotten_at is not null
)
select forgotten_at is not null as restored from m;

-- What there is in a mesh; keys up to so many.
-- name: mesh_summary
select slug, array(select key from state where mesh_id = $1::uuid
	and version <> deleted order by key limit $2::int8),
    (select count(*) from state where mesh_id = $1 and version <> deleted),
    (select count(*) from memory where mesh_id = $1 and forgotten_at is null)
from mesh where id = $1;

-- Moderation, limits ---------------------------------------------------------

-- What a mesh may hold.
-- name: mesh_quotas
select max_sessions, max_queue, max_recipient_queue, max_state_keys,
    max_state_bytes, max_memories, max_files, max_storage, max_file_bytes
from mesh where id = $1::uuid;

-- What a mesh holds: bits of $2 say what to count.  $3: a state key, for the
-- bytes that it has.  The partial index has the messages that wait.
-- name: quota_mesh
select case when $2::int8 & 2 <> 0 then (select count(*) from delivery
	where mesh_id = $1::uuid and state < 2 and due_at > '-infinity') +
	(select coalesce(sum(waiting), 0)::int8 from crowd
	where mesh_id = $1 and due_at is not null) end,
    case when $2 & 8 <> 0 then (select count(*) from state
	where mesh_id = $1 and version <> deleted) end,
    case when $2 & 16 <> 0 then (select
	coalesce(sum(octet_length(value::text)), 0)::int8
	from state where mesh_id = $1 and version <> deleted) end,
    case when $2 & 32 <> 0 then (select count(*) from memory
	where mesh_id = $1 and forgotten_at is null) end,
    (select octet_length(value::text)::int8 from state
	where mesh_id = $1 and key = $3::text and version <> deleted),
    case when $2 & 64 <> 0 then (select count(*) from file
	where mesh_id = $1) end,
    case when $2 & 128 <> 0 then (select coalesce(sum(size), 0)::int8
	from file where mesh_id = $1) + (select coalesce(sum(size), 0)::int8
	from durable_object where mesh_id = $1) end;

-- How much waits for each recipient, up to so many.
-- name: quota_recipients
select r.id, (select count(*) from (select from delivery d
    where d.recipient = r.id and d.state < 2 limit $2::int8) w)
from unnest($1::text[]::uuid[]) as r(id);

-- Members that somebody may mean: by id, key (its own or a session's), or name
-- (its own or a session's that is there).
-- name: member_named
with found as (
	select id from member where id = $2::uuid and mesh_id = $1::uuid
	union
	select id from member where mesh_id = $1 and key = $3::bytea
	union
	select id from member where mesh_id = $1 and name_folded = $4::text
	union
	select member_id from session where mesh_id = $1 and key = $3
	union
	select member_id from session where mesh_id = $1 and name_folded = $4
	    and ended_at is null and not control
)
select m.id, m.key, m.name,
    case when m.key = mesh.owner_key then 'owner' else m.role end,
    b.member_id is not null
from found join member m using (id) join mesh on mesh.id = m.mesh_id
left join ban b on b.member_id = m.id
where m.revoked_at is null order by m.joined_at limit 6;

-- What a member is now.
-- name: member_facts
select case when m.key = mesh.owner_key then 'owner' else m.role end,
    m.revoked_at is not null, b.reason, b.by_name
from member m join mesh on mesh.id = m.mesh_id
left join ban b on b.member_id = m.id
where m.id = $1::uuid and m.mesh_id = $2::uuid;

-- Tells every host that a member changed, or without one, the mesh itself:
-- for programs that have no place on the bus.
-- name: member_tell
select pg_notify('linnet', 'changed ' || replace($1::uuid::text, '-', '')
    || coalesce(' ' || replace($2::uuid::text, '-', ''), ''));

-- Tells every host that a session has to end, likewise.  A visitor is nobody's:
-- it is ended here.
-- name: session_tell_kick
with visitor as (
	update session set ended_at = now(), returns = false
	where id = $1::uuid and ref = $2::int8 and token_id is not null
	and ended_at is null
)
select pg_notify('linnet', 'kick ' || replace(mesh_id::text, '-', '') || ' '
    || replace(id::text, '-', '') || ' ' || ref || ' ' || $3::text),
    journal_note(mesh_id, 'session.kicked', jsonb_build_object(
    'actorId', journal_id(member_id), 'kickedByActorId', null,
    'reason', $3, 'sessionId', journal_id(id)))
from session where id = $1::uuid and ref = $2::int8 and ended_at is null;

-- By a member, or, where that is zero, by the operator.
-- name: ban_put
with put as (
	insert into ban (member_id, mesh_id, reason, by_member, by_name)
	select $1::uuid, journal_hold($2::uuid), $3::text, $4::uuid, $5::text
	on conflict (member_id) do update set reason = excluded.reason,
	    by_member = excluded.by_member, by_name = excluded.by_name
	returning banned_at
)
select banned_at, case when not exists (select from ban b
	-- Again: the answer to that was lost.
	where b.member_id = $1 and b.reason = $3 and b.by_member = $4)
    then journal_note($2, 'member.banned', jsonb_build_object(
	'actorId', journal_id($1), 'bannedByActorId', journal_id(nullif($4,
	'00000000-0000-0000-0000-000000000000')), 'reason', $3)) end
from put;

-- By the operator: $3 is null.
-- name: ban_drop
with held as materialized (
	select journal_hold($2::uuid) as mesh_id
), gone as (
	delete from ban using held
	where ban.member_id = $1::uuid and ban.mesh_id = held.mesh_id
	returning ban.member_id
)
select journal_note($2, 'member.unbanned', jsonb_build_object(
    'actorId', journal_id(member_id), 'unbannedByActorId',
    journal_id($3::uuid))) from gone;

-- name: ban_list
select m.id, m.key, m.name, b.reason, b.by_name, b.banned_at
from ban b join member m on m.id = b.member_id
where b.mesh_id = $1::uuid order by b.banned_at, m.id limit $2::int8;

-- What a member blocks of another one: bits $4 are added to it, bits $5 taken
-- away.  Up to $6 members; an answer without rows: there are so many, or there
-- is nothing to take away.
-- name: block_put
insert into block as b (member_id, blocked_id, mesh_id, what)
select $1::uuid, $2::uuid, $3::uuid, $4::int8::int2
where exists (select from block where member_id = $1 and blocked_id = $2
    and (what <> 0 or $4 = 0))
or ($4 <> 0 and (select count(*) from block where member_id = $1
    and what <> 0) < $6::int8)
on conflict (member_id, blocked_id) do update set
    what = (b.what::int8 | $4) & ~$5::int8, version = b.version + 1
returning what, version;

-- name: block_list
select m.id, m.key, m.name, b.what, b.blocked_at
from block b join member m on m.id = b.blocked_id
where b.member_id = $1::uuid and b.what <> 0 order by b.blocked_at, m.id;

-- All blocks of a mesh.
-- name: block_load
select member_id, blocked_id, what, version from block
where mesh_id = $1::uuid;

-- Schedules ------------------------------------------------------------------

-- Up to $16 of one member; an answer without rows: there are so many.
-- name: schedule_put
insert into schedule (id, mesh_id, member_id, sender_session, sender_key,
    sender_name, control, targets, priority, subtype, nonce, body, cron,
    until_at, due_at, created_at)
select $1::uuid, $2::uuid, $3::uuid, $4::uuid, $5::bytea, $6::text, $7::bool,
    $8::text[], $9::int8, $10::int8, $11::text, $12::text, $13::text,
    to_timestamp($14::int8 / 1000.0), to_timestamp($15::int8 / 1000.0), now()
where (select count(*) from schedule s where s.member_id = $3
    and s.due_at is not null and s.id <> $1) < $16::int8
on conflict (id) do update set id = excluded.id
returning id;

-- Those of a member, or of all; of a text only its beginning.
-- name: schedule_list
select id, array_to_string(targets, ','), nonce is not null,
    case when nonce is null then left(body, 500) else '' end,
    coalesce(due_at, last_at), created_at, cron, sent, until_at, subtype,
    priority, last_at, last_error, due_at is not null, sender_name
from (select * from schedule where member_id = $2::uuid and mesh_id = $1::uuid
    union all
    select * from schedule where $2 is null and mesh_id = $1) s
order by due_at nulls last, id limit $3::int8;

-- By the member that made it, or, with $4, by another.
-- name: schedule_cancel
delete from schedule where id = $1::uuid and mesh_id = $2::uuid
and (member_id = $3::uuid or $4::bool) returning id;

-- When the next one is due, in milliseconds from now.
-- name: schedule_next
select ceil(extract(epoch from min(due_at) - now()) * 1000)::int8
from schedule where due_at > now();

-- name: schedule_due
select s.id, s.mesh_id, s.member_id, s.sender_session, s.sender_key, m.key,
    s.sender_name, s.control, s.targets, s.priority, s.subtype, s.nonce,
    s.body, s.cron, s.until_at, s.due_at,
    case when m.revoked_at is not null then 'The membership was revoked.'
	when mesh.archived_at is not null then 'The mesh was archived.'
	when ban.member_id is not null then 'The member is banned.' end
from schedule s join member m on m.id = s.member_id
join mesh on mesh.id = s.mesh_id left join ban on ban.member_id = m.id
where s.due_at <= now() order by s.due_at limit $1::int8;

-- It could not be sent.  $4: its next time, 0: never.
-- name: schedule_fail
update schedule set last_at = now(), last_error = $3::text,
    due_at = case when $4::int8 > 0 then to_timestamp($4 / 1000.0) end
where id = $1::uuid and due_at = to_timestamp($2::int8 / 1000.0);

-- name: schedule_clean
with gone as (
	delete from schedule where id in (select id from schedule
	    where due_at is null
	    and last_at < now() - $1::int8 * interval '1 ms'
	    order by last_at limit 1000)
	returning id
)
select count(*) = 1000 from gone;

-- Tokens ---------------------------------------------------------------------

-- Up to $9 of one member that are good, by a member (null: the operator); an
-- answer without rows: there are so many.  Of those that are over as many stay, or making and revoking would fill
-- the disk.  One that was made with another one, $11, ends with it; column 3:
-- that has not ended.
-- name: token_put
with h as materialized (
	select mesh_id, token_holds($11::uuid) as good
	from (select journal_hold($2::uuid) as mesh_id) j
), gone as (
	delete from token where id in (select id from token where id in (
	    select t.id from token t where t.member_id = $3::uuid
	    and least(t.expires_at, t.revoked_at) <= now()
	    order by t.id desc offset $9::int8) for update skip locked)
), put as (
	insert into token (id, mesh_id, member_id, digest, key_name, name,
	    scopes, expires_at, parent_id)
	select $1::uuid, h.mesh_id, $3::uuid, $4::bytea, $5::bytea,
	    $6::text, $7::text[], to_timestamp($8::int8 / 1000.0), $11
	from h where good and (select count(*) from token t where t.member_id = $3
	    and t.revoked_at is null and t.expires_at > now() and t.id <> $1)
	    < $9::int8
	on conflict (id) do update set id = excluded.id
	returning created_at, expires_at
)
select created_at, expires_at,
    case when good and not exists (select from token t where t.id = $1)
    then journal_note($2, 'token.created', jsonb_build_object(
	'actorId', journal_id($3), 'createdByActorId', journal_id($10::uuid),
	'expiresAt', journal_time(expires_at), 'name', $6,
	'scopes', to_jsonb($7), 'tokenId', journal_id($1))) end, good
from h left join put on true where put.created_at is not null or not good;

-- Whose token it is, what it may do, what speaks against it, and for how many
-- milliseconds it is still good.  Its use is noted, once a minute.
-- name: token_find warm
with t as (
	select t.*, mesh.slug, m.key, m.name as member_name,
	    case when m.key = mesh.owner_key then 'owner' else m.role end
	    as role,
	    m.revoked_at is not null as left_mesh,
	    mesh.archived_at is not null as archived, b.reason, b.by_name
	from token t join member m on m.id = t.member_id
	join mesh on mesh.id = t.mesh_id left join ban b on b.member_id = m.id
	where t.digest = $1::bytea
), used as (
	update token set last_used_at = now() from t
	where token.id = t.id and t.revoked_at is null and t.expires_at > now()
	and not t.left_mesh and not t.archived and t.reason is null
	and (token.last_used_at is null
	    or token.last_used_at < now() - interval '1 minute')
)
select id, mesh_id, member_id, key, name, scopes, slug, member_name, role,
    created_at, expires_at, revoked_at, left_mesh, archived, reason, by_name,
    ceil(extract(epoch from expires_at - now()) * 1000)::int8, login
from t;

-- A member for whom a back end acts.
-- name: principal_find warm
select m.key, m.name,
    case when m.key = mesh.owner_key then 'owner' else m.role end
from member m join mesh on mesh.id = m.mesh_id
where m.id = $2::uuid and m.mesh_id = $1::uuid and m.revoked_at is null
and mesh.archived_at is null
and not exists (select from ban b where b.member_id = m.id);

-- A host says which key it has; how many others that live have another one.
-- name: token_key_say
with said as (
	update host set token_key = $2::bytea
	where id = $1::uuid and token_key is distinct from $2
)
select count(*) from host
where id <> $1 and token_key <> $2 and lease_until > now();

-- Hosts that live and have this key, and those that have another one.
-- name: token_key_hosts
select count(*) filter (where token_key = $1::bytea),
    count(*) filter (where token_key <> $1) from host
where lease_until > now();

-- Those of a member, or of all; the newest first, before an id.
-- name: token_list
select t.id, t.member_id, m.name, t.name, t.scopes, t.created_at, t.expires_at,
    t.last_used_at, t.revoked_at,
    case when t.revoked_at is not null then 2
	when t.expires_at <= now() then 1
	-- A null is the name of no key.
	when t.key_name <> $5::bytea then 3 else 0 end::int8,
    case when t.revoked_at is not null then 'revoked'
	when t.expires_at <= now() then 'expired'
	when t.key_name <> $5 then 'foreign' else 'good' end
from token t join member m on m.id = t.member_id
where t.mesh_id = $1::uuid and ($2::uuid is null or t.member_id = $2)
and t.id < $3::uuid order by t.id desc limit $4::int8;

-- By its member (with a token $5: that one, and those that it made), or by who
-- keeps order over members of the roles $4; in a mesh that is null: by who runs
-- the server.  Answers whether that was allowed, and
-- whether it was good before.
-- name: token_revoke
with t as materialized (
	select t.id, journal_hold(t.mesh_id) as mesh_id, t.member_id,
	    $2::uuid is null
	    or t.member_id = $3::uuid and ($5::uuid is null or t.id = $5
		or t.parent_id = $5) or case when m.key = mesh.owner_key
		then 'owner' else m.role end = any ($4::text[]) as may
	from token t join member m on m.id = t.member_id
	join mesh on mesh.id = t.mesh_id
	where t.id = $1::uuid and ($2 is null or t.mesh_id = $2)
), done as materialized (
	select e.token_id as id, e.of_member as member_id, e.was_good
	from t, token_end(t.id) e where t.may
)
select mesh_id, member_id, may,
    coalesce((select was_good from done where done.id = t.id), false),
    (select array_agg(distinct replace(done.member_id::text, '-', ''))
	from done where done.was_good),
    (select max(journal_note(t.mesh_id, 'token.revoked', jsonb_build_object(
	'actorId', journal_id(done.member_id), 'revokedByActorId',
	journal_id($3), 'tokenId', journal_id(done.id)))) from done) from t;

-- Sessions of MCP over HTTP --------------------------------------------------

-- A new one; the one that was not used for longest goes if there are $4.
-- name: mcp_session_put
with old as (
	select id from mcp_session where token_id = $2::uuid
	order by seen_at desc offset $4::int8 - 1
), gone as (
	delete from mcp_session where id in (select id from old)
)
insert into mcp_session (id, token_id, revision, can)
values ($1::uuid, $2, $3::text, $5::int8)
returning id, revision, subscriptions, can, answers;

-- name: mcp_session_find
with used as (
	update mcp_session set seen_at = now()
	where id = $1::uuid and token_id = $2::uuid
	and seen_at < now() - interval '1 minute'
)
select id, revision, subscriptions, can, answers from mcp_session
where id = $1 and token_id = $2;

-- One that it has is not had twice; $4: so many it may have.
-- name: mcp_session_subscribe
update mcp_session set subscriptions = case
    when $3::text = any (subscriptions)
    or cardinality(subscriptions) >= $4::int8 then subscriptions
    else array_append(subscriptions, $3) end
where id = $1::uuid and token_id = $2::uuid
returning id, revision, subscriptions, can, answers;

-- name: mcp_session_unsubscribe
update mcp_session set subscriptions = array_remove(subscriptions, $3::text)
where id = $1::uuid and token_id = $2::uuid
returning id, revision, subscriptions, can, answers;

-- The newest 32 stay.
-- name: mcp_session_answer
update mcp_session set
    answers = (answers || $3::text)[greatest(1, cardinality(answers) - 30):]
where id = $1::uuid and token_id = $2::uuid
returning id, revision, subscriptions, can, answers;

-- name: mcp_session_taken
update mcp_session set answers = array_remove(answers, $3::text)
where id = $1::uuid and token_id = $2::uuid
returning id, revision, subscriptions, can, answers;

-- name: mcp_session_end
delete from mcp_session where id = $1::uuid and token_id = $2::uuid
returning id, revision, subscriptions, can, answers;

-- Files ----------------------------------------------------------------------

-- name: file_put
insert into file (id, mesh_id, member_id, by_name, by_folded, name,
    name_folded, mime, tags, attached, size, sha256, channel_id)
values ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, $6::text, $7::text,
    $8::text, $9::text[], $10::bool, $11::int8, $12::bytea, $13::uuid)
on conflict (id) do update set id = excluded.id returning id;

-- Its member begins to bring the bytes.  Answers what it was before, and
-- whether the member, or the token $7, may not do it any more.
-- name: file_claim
with f as (
	select f.id, f.size, f.sha256,
	    -- Again: the answer to that was lost.
	    case when f.state = 1 and f.claim = $6::uuid then 0 else f.state
		end as state,
	    m.revoked_at is not null or mesh.archived_at is not null
	    or exists (select from ban b where b.member_id = m.id)
	    as barred,
	    $7::uuid is not null and not exists (select from token t
		where t.id = $7 and t.member_id = m.id
		and t.revoked_at is null and t.expires_at > now()) as cut
	from file f join member m on m.id = f.member_id
	join mesh on mesh.id = f.mesh_id
	where f.mesh_id = $1::uuid and f.id = $2::uuid
	and f.member_id = $3::uuid for update of f
), done as (
	update file set state = 1, changed_at = now(), host_id = $4::uuid,
	    incarnation = $5::uuid, claim = $6 from f
	where file.id = f.id and f.state = 0 and not f.barred and not f.cut
)
select state, barred, size, sha256, cut from f;

-- They did not come: it may try again.
-- name: file_unclaim
update file set state = 0, changed_at = now()
where id = $1::uuid and state = 1 and claim = $2::uuid;

-- Nor do those that a process of this host took which is no more.
-- name: file_reap
update file set state = 0, changed_at = now()
where state = 1 and host_id = $1::uuid
and not incarnation = any ($2::text[]::uuid[]);

-- They are stored; again: the answer to that was lost.
-- name: file_store
with f as materialized (
	select id, state, journal_hold(mesh_id) as mesh_id from file
	where id = $1::uuid and claim = $5::uuid
), done as (
	update file set state = 2, changed_at = now(), size = $2::int8,
	    sha256 = $3::bytea, expires_at = case when attached then
		now() + $4::int8 * interval '1 ms' end
	from f where file.id = f.id and file.claim = $5
	and (file.state = 1 or file.state = 2 and file.sha256 = $3)
	returning file.*, f.state as before
)
select name, mime, case when before = 1
    then journal_note(mesh_id, 'artifact.registered', jsonb_build_object(
	'artifactId', journal_id(id), 'attached', attached,
	'contentType', mime, 'createdByActorId', journal_id(member_id),
	'filename', name, 'sha256', encode(sha256, 'hex'), 'size', size,
	'streamId', null, 'streamType', null)) end
from done;

-- A file and what a member may do with it.
-- name: file_find
select f.name, f.mime, f.size, f.sha256, f.attached,
    file_admits(f, $3::uuid) as may,
    m.revoked_at is not null or mesh.archived_at is not null
    or exists (select from ban b where b.member_id = m.id) as barred,
    f.member_id, m.name,
    $4::uuid is not null and not exists (select from token t
	where t.id = $4 and t.member_id = m.id
	and t.revoked_at is null and t.expires_at > now()) as cut
from file f, member m join mesh on mesh.id = m.mesh_id
where f.mesh_id = $1::uuid and f.id = $2::uuid and f.state = 2
and (f.expires_at is null or f.expires_at > now())
and m.mesh_id = $1 and m.id = $3;

-- Of those with transfers under way, and their tokens (null: none): who may not
-- have any.  A token that has expired ends none that began before.
-- name: file_barred
select u.member, u.token from unnest($1::text[]::uuid[], $2::text[]::uuid[])
    as u(member, token)
left join member m on m.id = u.member left join mesh on mesh.id = m.mesh_id
where m.id is null or m.revoked_at is not null or mesh.archived_at is not null
or exists (select from ban b where b.member_id = m.id)
or u.token <> '00000000-0000-0000-0000-000000000000'
and not exists (select from token t
    where t.id = u.token and t.revoked_at is null);

-- A member has read it.  What all have read whom it was sent to goes after $4.
-- name: file_accessed
with a as (
	insert into file_access (file_id, member_id, name)
	select id, $2::uuid, $3::text from file where id = $1::uuid
	on conflict (file_id, member_id) do update set last_at = now(),
	    times = file_access.times + 1, name = excluded.name
)
update file set expires_at = least(expires_at,
    now() + $4::int8 * interval '1 ms')
where id = $1 and state = 2 and attached and cardinality(readers) > 0
and not exists (select from unnest(readers) as r where r <> $2
    and r <> file.member_id and not exists (select from file_access x
	where x.file_id = $1 and x.member_id = r));

-- Files that go with a message: those of $3 that the sender has.
-- name: file_attach
with f as (
	select id, name, size, attached, sha256 from file
	where id = any ($3::text[]::uuid[]) and mesh_id = $1::uuid
	and state = 2 and (expires_at is null or expires_at > now())
	and file_admits(file, $2::uuid)
	order by id for update
), done as (
	update file set readers = array(select unnest(readers)
	    union select unnest($4::text[]::uuid[])) from f
	where file.id = f.id and f.attached
)
select id, name, size, sha256 from f;

-- What a member may have, the newest first: whose name or tag fits, all tags,
-- of an uploader; before an id.
-- name: file_list
select f.id, f.name, f.size, f.mime, f.tags, f.by_name, f.created_at,
    f.attached, f.sha256, f.expires_at, m.key
from file f join member m on m.id = f.member_id
where f.mesh_id between $1::uuid and $1 and f.state = 2
and (f.expires_at is null or f.expires_at > now())
and (not f.attached or f.member_id = $2::uuid or $2 = any (f.readers))
and f.channel_id is null and ($3::text is null or position($3 in f.name_folded) > 0
    or $4::text = any (f.tags))
and ($5::text is null or f.by_folded = $5)
and ($6::bytea is null or m.key = $6)
and f.tags @> $7::text[] and f.id < $8::uuid
order by f.mesh_id desc, f.id desc limit $9::int8;

-- Who read it, the last first, after a time and member.
-- name: file_readers
select a.name, m.key, a.first_at, a.last_at, a.times
from file_access a join member m on m.id = a.member_id
where a.file_id = $1::uuid order by a.last_at desc limit $2::int8;

-- Who was sent it and has not read it.
-- name: file_unread
select m.name, m.key from file f, unnest(f.readers) as r
join member m on m.id = r
where f.id = $1::uuid and r <> f.member_id and not exists
    (select from file_access a where a.file_id = f.id and a.member_id = r)
order by m.name, m.id limit $2::int8;

-- By its uploader, or by who keeps order.  Bytes that still come are deleted
-- when they have come.
-- name: file_delete
with f as (
	select id, member_id = $3::uuid or $4::bool as may,
	    not attached or member_id = $3 or $3 = any (readers) as sees
	from journal_hold($1::uuid) as held, file
	where mesh_id = $1 and id = $2::uuid and channel_id is null
	for update of file
), done as (
	delete from file using f where file.id = f.id and f.may
	returning file.id, file.mesh_id, file.name, file.state
)
select may, sees, (select journal_note(mesh_id, 'artifact.deleted',
    jsonb_build_object('artifactId', journal_id(id),
    'deletedAt', journal_time(now()), 'deletedByActorId', journal_id($3),
    'filename', name, 'reason', '', 'streamId', null, 'streamType', null))
    from done where state = 2)
from f;

-- Artifacts ------------------------------------------------------------------

-- Their bytes are stored.  $8: it takes a grant.  Columns: 0 done, 1 it was
-- deleted meanwhile, or its channel was, 2 there is no grant; the place of the
-- entry, and of the one before.
-- name: artifact_put batch 8
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::int8[], $6::bytea[], $7::text[], $8::bool[]) as t(n,
	    mesh_id, id, claim, size, sha256, at, needs)
), found as (
	select i.*, f.channel_id, c.root_id, f.member_id, f.name, f.mime,
	    f.state from i
	join file f on f.id = i.id and f.claim = i.claim
	join channel c on c.id = f.channel_id and c.closed_at is null
	where f.state = 1 or f.state = 2 and f.sha256 = i.sha256
), allowed as materialized (
	select f.*, not f.needs
	or exists (select from artifact a where a.id = f.id)
	or grant_take(f.mesh_id, f.member_id, '{artifact:register}', case
	    when f.root_id is null then 'channel' else 'thread' end,
	    id_text(f.channel_id), id_text(coalesce(f.root_id, f.channel_id)),
	    null, true, f.at) is null
	or grant_take(f.mesh_id, f.member_id, '{message:append}', case
	    when f.root_id is null then 'channel' else 'thread' end,
	    id_text(f.channel_id), id_text(coalesce(f.root_id, f.channel_id)),
	    null, true, f.at) is null as may
	from (select * from found order by n) f
), checked as (
	select * from allowed where may
), stored as (
	update file f set state = 2, changed_at = now(), size = c.size,
	    sha256 = c.sha256 from checked c
	where f.id = c.id and c.state = 1
), kept as (
	insert into artifact (id, mesh_id, channel_id, member_id, name, mime,
	    size, sha256, created_at)
	select id, mesh_id, channel_id, member_id, name, mime, size, sha256,
	    at::timestamptz from checked on conflict (id) do nothing
	returning id
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, c.mesh_id,
	    l.id, l.type, c.channel_id, null, l.payload,
	    c.at)::journal_line) as v
	from unnest($9::int4[], $10::int8[], $11::uuid[], $12::text[],
	    $13::text[]) as l(n, k, id, type, payload)
	join checked c using (n) join kept k on k.id = c.id) a,
	journal_write(a.v) w
)
select i.n, case when c.id is null then 1 when not c.may then 2 else 0 end,
    l.n, l.before
from i left join allowed c using (n)
left join lines l on l.k = i.n::int8 << 32;

-- Those that a member may see, by id.
-- name: artifact_find
select a.id, a.mesh_id, a.channel_id, c.root_id is not null, a.name, a.mime,
    a.size, a.sha256, a.member_id, a.created_at, a.deleted_at, a.deleted_by
from artifact a join channel c on c.id = a.channel_id
where a.id = $3::uuid and a.mesh_id = $1::uuid and c.closed_at is null
and channel_admits(c, $2::uuid);

-- Those of a channel, the first one first, after an id; for who may see it.
-- name: artifact_list
select a.id, a.mesh_id, a.channel_id, c.root_id is not null, a.name, a.mime,
    a.size, a.sha256, a.member_id, a.created_at, a.deleted_at, a.deleted_by
from channel c join artifact a on a.channel_id = c.id
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2::uuid)
and a.id > $3::uuid and ($4::bool or a.deleted_at is null)
order by a.id limit $5::int8;

-- By who kept it, or has a hand in the channel ($5: in all).  Columns: 0 done, 1
-- no such artifact, 2 not for this member to do; the place of the entry (null:
-- it was deleted before), and of the one before about the channel.
-- name: artifact_delete batch 8
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::text[], $7::text[], $8::bool[]) as t(n,
	    mesh_id, id, by_member, moderates, why, at, owns)
), checked as (
	select i.*, a.channel_id, c.root_id, case when a.id is null or c.id is null
	or not channel_admits(c, i.by_member) then 1
	when not (i.moderates or i.owns and (a.member_id = i.by_member
	    or r.member_id = i.by_member
	    or coalesce(b.role in ('owner', 'admin'), false))) then 2
	else 0 end as code, a.deleted_at is null as fresh
	from i left join artifact a on a.id = i.id and a.mesh_id = i.mesh_id
	left join channel c on c.id = a.channel_id and c.closed_at is null
	left join channel r on r.id = coalesce(c.root_id, c.id)
	left join channel_member b on b.channel_id = r.id
	and b.member_id = i.by_member
), permitted as materialized (
	select c.*, case when c.code = 2
	    and grant_take(c.mesh_id, c.by_member, '{artifact:admin}', case
		when c.root_id is null then 'channel' else 'thread' end,
		id_text(c.channel_id),
		id_text(coalesce(c.root_id, c.channel_id)), null, c.fresh,
		c.at) is null then 0 else c.code end as passed
	from (select * from checked order by n) c
), news as (
	select * from permitted where passed = 0 and fresh
), marked as (
	update artifact a set deleted_at = news.at::timestamptz,
	    deleted_by = news.by_member, deleted_why = news.why from news
	where a.id = news.id
), gone as (
	delete from file f using news where f.id = news.id
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, news.channel_id, null, l.payload,
	    news.at)::journal_line) as v
	from unnest($9::int4[], $10::int8[], $11::uuid[], $12::text[],
	    $13::text[]) as l(n, k, id, type, payload)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.passed, l.n, l.before
from permitted c left join lines l on l.k = c.n::int8 << 32;

-- Channels -------------------------------------------------------------------

-- What comes behind it in the same transaction has the journals of these
-- meshes, and all that they tell of, to itself; it sees what others have done.
-- name: journal_lock batch 2 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[]) as t(n, mesh_id)
), locked as (
	select mesh_id from journal where mesh_id in (select mesh_id from i)
	order by mesh_id for update
)
select i.n, l.mesh_id is not null from i left join locked l using (mesh_id);

-- New channels and threads.  Columns: 0 made, 1 the member sees one of this
-- name, 2 there is no such message to begin a thread at, or it may not be seen,
-- 3 it takes a grant that the member has not got ($14: what it lacks otherwise).
-- name: channel_make batch 14
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::text[], $7::text[], $8::text[], $9::bool[],
	    $10::uuid[], $11::text[], $12::text[], $13::bool[],
	    $14::text[]) as t(n, id,
	    mesh_id, root_id, parent_id, name, name_folded, topic, private,
	    member_id, by_name, at, alone, needs)
), checked as (
	select i.*, case
	when i.root_id is not null then
	    case when r.id is null or r.closed_at is not null
	    or not channel_admits(r, i.member_id) or p.id is null then 2
	    else 0 end
	when alone and exists (select from channel c
	    where c.mesh_id = i.mesh_id and c.name_folded = i.name_folded
	    and c.root_id is null and c.closed_at is null and c.id <> i.id
	    and channel_admits(c, i.member_id)) then 1 else 0 end as code
	from i left join channel r on r.id = i.root_id
	and r.mesh_id = i.mesh_id and r.root_id is null
	left join post p on p.channel_id = i.root_id and p.id = i.parent_id
), permitted as materialized (
	select c.*, c.code = 0 and c.needs is not null
	and not exists (select from channel x where x.id = c.id)
	and grant_take(c.mesh_id, c.member_id, c.needs::text[], case
	    when c.root_id is null then 'org' else 'channel' end,
	    id_text(coalesce(c.root_id, c.mesh_id)), id_text(c.root_id), null,
	    true, c.at) is not null as lacks
	from (select * from checked order by n) c
), made as (
	insert into channel (id, mesh_id, root_id, parent_id, name, name_folded,
	    topic, private, member_id, by_name, created_at)
	select id, mesh_id, root_id, parent_id, coalesce(name, ''),
	    coalesce(name_folded, ''), coalesce(topic, ''), private, member_id,
	    by_name, at::timestamptz from permitted where code = 0
	    and not lacks
	on conflict (id) do nothing returning id
), joined as (
	insert into channel_member (channel_id, member_id, role, joined_at)
	select m.id, i.member_id, 'owner', i.at::timestamptz
	from made m join i using (id) where i.root_id is null
), lines as materialized (
	select count(w) from (select array_agg((i.n::int8 << 32 | l.k, i.mesh_id, l.id, l.type, i.id, null,
	    l.payload, i.at)::journal_line) as v
	from unnest($15::int4[], $16::int8[], $17::uuid[], $18::text[],
	    $19::text[]) as l(n, k, id, type, payload)
	join i using (n) join made m on m.id = i.id) a, journal_write(a.v) w
)
select c.n, case when c.lacks then 3 else c.code end from permitted c, lines;

-- Those that a member may see, by id or by name, without a lock.
-- name: channel_find warm
select c.id, c.root_id, c.parent_id, c.name, c.private, c.seq, m.role,
    c.last_n, c.member_id = $4::uuid or coalesce(m.role in ('owner', 'admin'), false)
from channel c left join channel_member m
on m.channel_id = coalesce(c.root_id, c.id) and m.member_id = $4
where c.mesh_id = $1::uuid and c.closed_at is null
and (c.id = $2::uuid or c.name_folded = $3::text and c.root_id is null)
and channel_admits(c, $4) order by c.id limit $5::int8;

-- Messages, each with the events that it makes; a payload has the seq between
-- its two parts.  Columns: 0 done, 1 no such channel (or it may not be seen),
-- 2 another message has the sender's id, 3 it takes a grant that the member has
-- not got ($13: what it lacks otherwise); the message's id, seq and time, which
-- are those of the first when it is sent again, and whether it is; the place of
-- its first event, and of the one before about the channel; what is lacking.
-- name: post_put batch 13 warm
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::text[], $7::text[], $8::bytea[], $9::uuid[],
	    $10::text[], $11::text[], $12::bool[], $13::text[])
	    as t(n, id, mesh_id,
	    channel_id, member_id, by_name, client_id, fingerprint, reply_to,
	    parts, at, compares, needs)
), checked as (
	select i.*, c.root_id, c.seq as last, p.id as had_id, p.seq as had_seq,
	    p.created_at as had_at, p.fingerprint as had_fingerprint,
	    c.id is not null and c.closed_at is null
	    and channel_admits(c, i.member_id) as admitted,
	    case when i.client_id is null then i.n
	    else min(i.n) over (partition by i.channel_id, i.member_id,
		i.client_id) end as first
	from i left join channel c on c.id = i.channel_id
	and c.mesh_id = i.mesh_id
	left join post p on p.id = i.id or p.channel_id = i.channel_id
	and p.member_id = i.member_id and p.client_id = i.client_id
), permitted as materialized (
	select c.*, case when c.needs is not null and c.admitted
	    and c.had_id is null and c.n = c.first
	    then grant_take(c.mesh_id, c.member_id, c.needs::text[], case
		when c.root_id is null then 'channel' else 'thread' end,
		id_text(c.channel_id),
		id_text(coalesce(c.root_id, c.channel_id)), c.parts, true,
		c.at) end as lacks
	from (select * from checked order by n) c
), new as (
	select *, last + row_number() over (partition by channel_id order by n)
	    as seq from permitted where admitted and had_id is null
	    and n = first and lacks is null
), stored as (
	insert into post (id, mesh_id, channel_id, seq, member_id, by_name,
	    client_id, fingerprint, reply_to, parts, created_at)
	select id, mesh_id, channel_id, seq, member_id, by_name, client_id,
	    fingerprint, reply_to, parts::json, at::timestamptz from new
), lines as materialized (
	select w.* from (select array_agg((new.n::int8 << 32 | l.k, new.mesh_id,
	    l.id, l.type, new.channel_id, new.seq, l.head || new.seq || l.tail,
	    new.at)::journal_line) as v
	from unnest($14::int4[], $15::int8[], $16::uuid[], $17::text[],
	    $18::text[], $19::text[]) as l(n, k, id, type, head, tail)
	join new using (n)) a, journal_write(a.v) w
)
select c.n, case when not c.admitted then 1 when d.lacks is not null then 3
    when c.compares and c.fingerprint <> coalesce(c.had_fingerprint,
	f.fingerprint) then 2 else 0 end,
    coalesce(c.had_id, f.id), coalesce(c.had_seq, f.seq),
    coalesce(c.had_at, f.at::timestamptz), c.n <> c.first
	or c.had_id is not null, l.n, l.before, d.lacks
from permitted c join permitted d on d.n = c.first
left join new f on f.n = c.first
left join lines l on l.k = c.n::int8 << 32;

-- Messages get other parts, from who wrote them, or are taken back (parts null),
-- also by who has a hand in the channel ($6: in all of them), or a grant.  $10:
-- what the member wrote and what it owns is for it to do.  Columns: 0 done, 1 no
-- such message, 2 not for this member to do, 3 it was taken back; was anything
-- changed; the channel; the place of the entry; is it a thread.
-- name: post_change batch 10
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::bool[], $7::text[], $8::text[], $9::bytea[],
	    $10::bool[]) as t(n, mesh_id, id, by_member, parts, moderates, why, at,
	    fingerprint, owns)
), checked as (
	select i.*, p.channel_id, c.root_id, case
	when p.id is null or c.id is null or not channel_admits(c, i.by_member) then 1
	when not (i.owns and p.member_id = i.by_member)
	and (i.parts is not null or not (i.moderates or i.owns
	    and (r.member_id = i.by_member
	    or coalesce(b.role in ('owner', 'admin'), false)))) then 2
	when p.redacted_at is not null and i.parts is not null then 3
	else 0 end as code, p.redacted_at is null as fresh
	from i left join post p on p.id = i.id and p.mesh_id = i.mesh_id
	left join channel c on c.id = p.channel_id and c.closed_at is null
	left join channel r on r.id = coalesce(c.root_id, c.id)
	left join channel_member b on b.channel_id = r.id
	and b.member_id = i.by_member
), permitted as materialized (
	select c.*, case when c.code = 2 and c.parts is null
	    and grant_take(c.mesh_id, c.by_member, '{message:redact}', case
		when c.root_id is null then 'channel' else 'thread' end,
		id_text(c.channel_id),
		id_text(coalesce(c.root_id, c.channel_id)), null,
		c.fresh, c.at) is null then 0
	    else c.code end as passed
	from (select * from checked order by n) c
), news as (
	select * from permitted where passed = 0 and fresh
), changed as (
	update post p set parts = coalesce(news.parts, '[]')::json,
	    fingerprint = coalesce(news.fingerprint, p.fingerprint),
	    edited_at = case when news.parts is null then p.edited_at
		else news.at::timestamptz end,
	    redacted_at = case when news.parts is null
		then news.at::timestamptz end,
	    redacted_by = case when news.parts is null then news.by_member end,
	    redacted_why = news.why
	from news where p.id = news.id
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, news.channel_id, null, l.head || '"' ||
	    replace(news.channel_id::text, '-', '') || '"' || l.tail,
	    news.at)::journal_line) as v
	from unnest($11::int4[], $12::int8[], $13::uuid[], $14::text[],
	    $15::text[], $16::text[]) as l(n, k, id, type, head, tail)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.passed, l.n is not null, c.channel_id, l.n, c.root_id is not null
from permitted c left join lines l on l.k = c.n::int8 << 32;

-- Reactions come, and go ($6 false).  Columns as above; and how many there are
-- of it.
-- name: post_react batch 7
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::bool[], $7::text[]) as t(n, mesh_id, id, member_id,
	    reaction, here, at)
), checked as (
	select i.*, p.channel_id, case
	when p.id is null or c.id is null or not channel_admits(c, i.member_id) then 1
	when p.redacted_at is not null then 3 else 0 end as code,
	exists (select from post_reaction x where x.post_id = i.id
	    and x.reaction = i.reaction and x.member_id = i.member_id) as had,
	(select count(*) from post_reaction x where x.post_id = i.id
	    and x.reaction = i.reaction) as before,
	i.n = max(i.n) over (partition by i.id, i.reaction, i.member_id)
	    as counts
	from i left join post p on p.id = i.id and p.mesh_id = i.mesh_id
	left join channel c on c.id = p.channel_id and c.closed_at is null
), news as (
	select * from checked where code = 0 and counts and here <> had
), come as (
	insert into post_reaction (post_id, member_id, reaction, made_at)
	select id, member_id, reaction, at::timestamptz from news where here
), gone as (
	delete from post_reaction x using news where not news.here
	and x.post_id = news.id and x.reaction = news.reaction
	and x.member_id = news.member_id
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, news.channel_id, null, l.head || '"' ||
	    replace(news.channel_id::text, '-', '') || '"' || l.tail,
	    news.at)::journal_line) as v
	from unnest($8::int4[], $9::int8[], $10::uuid[], $11::text[],
	    $12::text[], $13::text[]) as l(n, k, id, type, head, tail)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.code, l.n is not null, c.channel_id, l.n,
    c.before + (select coalesce(sum(case when here then 1 else -1 end), 0)
	from news where news.id = c.id and news.reaction = c.reaction)
from checked c left join lines l on l.k = c.n::int8 << 32;

-- Channels end, with their threads, for who has a hand in them ($5: in all), or
-- a grant; $7: what the member owns is for it to do.  Columns: 0
-- done, 1 no such channel, 2 not for this member to do; the place of the entry,
-- how many threads, and one of them: a row for each.
-- name: channel_close batch 7
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::text[], $7::bool[]) as t(n, mesh_id,
	    channel_id, by_member, moderates, at, owns)
), checked as (
	select i.*, c.root_id, case
	when c.id is null or not channel_admits(c, i.by_member) then 1
	when not (i.moderates or i.owns and (c.member_id = i.by_member
	    or coalesce(b.role in ('owner', 'admin'), false))) then 2
	else 0 end as code
	from i left join channel c on c.id = i.channel_id
	and c.mesh_id = i.mesh_id and c.closed_at is null
	left join channel_member b on b.channel_id = coalesce(c.root_id, c.id)
	and b.member_id = i.by_member
), permitted as materialized (
	select c.*, case when c.code = 2
	    and grant_take(c.mesh_id, c.by_member, '{channel:admin}', case
		when c.root_id is null then 'channel' else 'thread' end,
		id_text(c.channel_id),
		id_text(coalesce(c.root_id, c.channel_id)), null, true,
		c.at) is null then 0 else c.code end as passed
	from (select * from checked order by n) c
), news as (
	select *, (select count(*) from channel t where t.root_id = channel_id
	    and t.closed_at is null) as threads
	from permitted where passed = 0
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, null, null, l.head || news.threads || l.tail,
	    news.at)::journal_line) as v
	from unnest($8::int4[], $9::int8[], $10::uuid[], $11::text[],
	    $12::text[], $13::text[]) as l(n, k, id, type, head, tail)
	join news using (n)) a, journal_write(a.v) w
), closed as (
	update channel c set closed_at = news.at::timestamptz from news
	where (c.id = news.channel_id or c.root_id = news.channel_id)
	and c.closed_at is null returning c.id, news.n
), hid as (
	update permission_request q set root_id = null, walled = true from news
	where q.root_id = coalesce(news.root_id, news.channel_id)
	and q.status = 'open' and news.channel_id in (q.about, q.root_id)
)
select c.n, c.passed, l.n, coalesce(news.threads, 0), closed.id
from permitted c left join lines l on l.k = c.n::int8 << 32
left join news on news.n = c.n left join closed on closed.n = c.n;

-- Members of channels come, go (role null) and get another role.  A member may
-- come as a member, and go, by itself where it sees the channel; the rest is for
-- who has a hand in the channel ($8: in all that it sees), or a grant; $9: what
-- the member is, and owns, is for it to use.  Columns: 0 done, 1 no such channel, 2
-- not for this member to do, 3 no such member; was anything changed; the place
-- of the entry, and of the one before.
-- name: channel_join batch 9
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::text[], $7::text[], $8::bool[], $9::bool[])
	    as t(n, mesh_id, channel_id, member_id, by_member, role, at,
	    moderates, owns)
), checked as (
	select i.*, m.role as had, case
	when c.id is null then 1
	when o.id is null then 3
	when m.role is not distinct from i.role then 0
	when i.moderates or i.owns and (c.member_id = i.by_member
	    or coalesce(b.role in ('owner', 'admin'), false)
	    or i.member_id = i.by_member and coalesce(i.role, '') in (
		'', case when m.role is null then 'member' else '' end))
	then 0 else 2 end as code
	from i left join channel c on c.id = i.channel_id
	and c.mesh_id = i.mesh_id and c.root_id is null and c.closed_at is null
	and channel_admits(c, i.by_member)
	left join channel_member m on m.channel_id = i.channel_id
	and m.member_id = i.member_id
	left join channel_member b on b.channel_id = i.channel_id
	and b.member_id = i.by_member
	left join member o on o.id = i.member_id and o.mesh_id = i.mesh_id
	and o.revoked_at is null
), permitted as materialized (
	select c.*, case when c.code = 2
	    and grant_take(c.mesh_id, c.by_member, '{channel:admin}',
		'channel', id_text(c.channel_id), id_text(c.channel_id), null,
		true, c.at) is null then 0 else c.code end as passed
	from (select * from checked order by n) c
), news as (
	select * from permitted where passed = 0
	and role is distinct from had
), gone as (
	delete from channel_member m using news
	where news.role is null and m.channel_id = news.channel_id
	and m.member_id = news.member_id
), come as (
	insert into channel_member (channel_id, member_id, role, joined_at)
	select channel_id, member_id, role, at::timestamptz from news
	where role is not null
	on conflict (channel_id, member_id) do update set role = excluded.role
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, news.channel_id, null, l.payload,
	    news.at)::journal_line) as v
	from unnest($10::int4[], $11::int8[], $12::uuid[], $13::text[],
	    $14::text[]) as l(n, k, id, type, payload)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.passed, l.n is not null, l.n, l.before
from permitted c left join lines l on l.k = c.n::int8 << 32;

-- Its members, by name, for a member that may see it: else no row.
-- name: channel_members
select m.id, m.name, m.key, cm.role, cm.joined_at
from channel c join channel_member cm on cm.channel_id =
    coalesce(c.root_id, c.id) join member m on m.id = cm.member_id
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2::uuid)
and (m.name_folded, m.id) > ($3::text, $4::uuid)
order by m.name_folded, m.id limit $5::int8;

-- Channels that a member may see, by name; its own alone if $5.  Or threads of
-- one, by age.
-- name: channel_list warm
select c.id, c.name, c.topic, c.private, c.seq, m.role,
    coalesce(k.seen, 0), c.created_at, c.by_name, c.member_id
from channel c left join channel_member m
on m.channel_id = c.id and m.member_id = $2::uuid
left join channel_cursor k on k.channel_id = c.id and k.member_id = $2
where c.mesh_id = $1::uuid and c.root_id is null and c.closed_at is null
and (not c.private or m.member_id is not null)
and (not $5::bool or m.member_id is not null)
and (c.name_folded, c.id) > ($3::text, $4::uuid)
order by c.name_folded, c.id limit $6::int8;

-- name: thread_list
select t.id, t.parent_id, t.private, t.seq, coalesce(k.seen, 0), t.created_at,
    t.by_name, t.member_id
from channel c join channel t on t.root_id = c.id
left join channel_cursor k on k.channel_id = t.id and k.member_id = $2::uuid
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2)
and channel_admits(t, $2) and t.id > $3::uuid order by t.id limit $4::int8;

-- How far a member has read, of what it may see: else no row.
-- name: cursor_set warm
insert into channel_cursor as k (channel_id, member_id, seen, acked, updated_at)
select c.id, $2::uuid, $3::int8, $4::int8, now() from channel c
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2)
on conflict (channel_id, member_id) do update set
    seen = case when $5::bool then excluded.seen
	else greatest(k.seen, excluded.seen) end,
    acked = case when $5 then excluded.acked
	else greatest(k.acked, excluded.acked) end, updated_at = now()
returning seen, acked, (select seq from channel where id = $1);

-- The same, to be read: the newest seq, and null where it has none.
-- name: cursor_get
select c.seq, k.seen, k.acked, k.updated_at from channel c
left join channel_cursor k on k.channel_id = c.id and k.member_id = $2::uuid
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2);

-- What was said after a seq, for a member that may see it: else no row.
-- Without a message the first column is null.
-- name: posts_after warm
select p.id, p.seq, p.member_id, p.by_name, p.client_id, p.reply_to, p.parts,
    p.created_at, p.edited_at, p.redacted_at, c.mesh_id, c.id,
    post_reactions(p.id)
from channel c left join lateral (select * from post
    where channel_id = c.id and seq > $3::int8 order by seq limit $4::int8) p
on true
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2::uuid)
order by p.seq;

-- What happened in a channel after a line of the journal, with the messages that
-- were posted if $5; at least one line, and so many as have a megabyte.  No row:
-- there is no such channel, or it may not be seen.  n null: nothing happened.
-- Columns: n, type, seq, payload, time, channel, mesh, the last line that there
-- is about the channel; then a message, as posts_after; the line's id.
-- name: events_after
select n, type, seq, payload, created_at, channel_id, mesh_id, last_n,
    post_id, post_seq, member_id, by_name, client_id, reply_to, parts,
    posted_at, edited_at, redacted_at, mesh_id, channel_id,
    post_reactions(post_id), id
from (select e.id, e.n, e.type, e.seq, e.payload, e.created_at,
    c.id as channel_id, c.mesh_id, c.last_n, p.id as post_id, p.seq as post_seq,
    p.member_id, p.by_name, p.client_id, p.reply_to, p.parts,
    p.created_at as posted_at, p.edited_at, p.redacted_at,
    sum(octet_length(e.payload) + coalesce(octet_length(p.parts::text), 0))
    over (order by e.n rows between unbounded preceding and 1 preceding)
    as before
    from channel c left join lateral (select * from event
	where channel_id = c.id and n > $3::int8
	order by n limit $4::int8) e on true
    left join post p on $5::bool and e.type = 'message.appended'
    and p.channel_id = c.id and p.seq = e.seq
    where c.id = $1::uuid and c.closed_at is null
    and channel_admits(c, $2::uuid)) e
where coalesce(before, 0) < 1048576 order by n;

-- The same of what came with messages after a seq, without the messages.
-- name: events_of_posts
select e.n, e.type, e.seq, e.payload, e.created_at, c.id, c.mesh_id, c.last_n,
    null, null, null, null, null, null, null, null, null, null, null, null,
    null, e.id
from channel c left join lateral (select * from event where channel_id = c.id
    and seq > $3::int8 order by seq, n limit $4::int8) e on true
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2::uuid)
order by e.n;

-- The same of a whole mesh.  Lines that are not for the member have n alone; it
-- sees those about channels that it may see, and of the others all ($6) or
-- those that name it.
-- name: mesh_events_after
select n, case when sees then type end, seq, case when sees then payload end,
    created_at, channel_id, mesh_id, head, post_id, post_seq, member_id,
    by_name, client_id, reply_to, parts, posted_at, edited_at, redacted_at,
    mesh_id, channel_id, post_reactions(post_id), id
from (select e.*, p.id as post_id, p.seq as post_seq, p.member_id, p.by_name,
    p.client_id, p.reply_to, p.parts, p.created_at as posted_at, p.edited_at,
    p.redacted_at, sum(case when e.sees then octet_length(e.payload)
	+ coalesce(octet_length(p.parts::text), 0) else 0 end)
    over (order by e.n rows between unbounded preceding and 1 preceding)
    as before
    from (select j.mesh_id, j.n as head, l.id, l.n, l.type, l.seq, l.payload,
	l.created_at, l.channel_id, case when l.channel_id is null
	    then $6::bool or event_concerns(l.payload, $2::uuid)
	-- What is said of one that is gone is for the audit alone.
	else c.id is not null and c.closed_at is null
	    and channel_admits(c, $2) end as sees
	from journal j left join lateral (select * from event
	    where mesh_id = j.mesh_id and n > $3::int8 order by n
	    limit $4::int8) l on true
	left join channel c on c.id = l.channel_id
	where j.mesh_id = $1::uuid) e
    left join post p on $5::bool and e.sees and e.type = 'message.appended'
    and p.channel_id = e.channel_id and p.seq = e.seq) e
where coalesce(before, 0) < 1048576 order by n;

-- The line after which comes what came after a message ($2): the last about it
-- or one before it; after none that before the first about a message; but if
-- the line of this id ($3) is behind that, that.  Without a seq $4.  And the id
-- of that line.
-- name: follow_place
with posted as (
	select case when $2::int8 is null then $4::int8 else coalesce((
	    select n from event where channel_id = $1::uuid and seq <= $2
	    order by seq desc, n desc limit 1),
	    (select n - 1 from event where channel_id = $1 and seq > 0
	    order by seq, n limit 1), $4) end as n
), place as (
	select coalesce((select min(e.n) from event e where e.mesh_id = $5::uuid
	    and e.id = $3::uuid and e.channel_id = $1 and e.n > posted.n),
	    posted.n) as n
	from posted
)
select p.n, e.id from place p
left join event e on e.channel_id = $1 and e.n = p.n;

-- Where a line is that the member may have been told of, by its id; else null.
-- And the last line before those of another id.
-- name: entry_place
select (select min(e.n) from event e where e.mesh_id = $1::uuid
    and e.id = $2::uuid and case when e.channel_id is null
	then $5::bool or event_concerns(e.payload, $4::uuid)
	else exists (select from channel c where c.id = e.channel_id
	    and c.closed_at is null and channel_admits(c, $4)) end),
    coalesce((select e.n from event e where e.mesh_id = $1
	and e.id < $3::uuid order by e.id desc limit 1), 0);

-- The last line of a journal.
-- name: journal_end
select n from journal where mesh_id = $1::uuid;

-- Grants ---------------------------------------------------------------------

-- New ones.  $13: who makes it needs a grant for that, and cannot make one for
-- itself.  Columns: 0 made, 1 no such member, 2 not for this member to do.
-- name: grant_make batch 13
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
	    $10::int8[], $11::uuid[], $12::text[], $13::bool[]) as t(n, id,
	    mesh_id, member_id, capability, resource_type, resource_id,
	    constraints, expires_at, max_uses, by_member, at, needs)
), checked as materialized (
	select i.*, case
	when m.id is null then 1
	when exists (select from permission_grant g where g.id = i.id) then 0
	when i.needs and (i.member_id = i.by_member or grant_take(i.mesh_id,
	    i.by_member, '{grant:create}', 'org', id_text(i.mesh_id), null,
	    null, true, i.at) is not null) then 2
	else 0 end as code
	from (select * from i order by n) i left join member m
	on m.id = i.member_id and m.mesh_id = i.mesh_id
	and m.revoked_at is null
), made as (
	insert into permission_grant (id, mesh_id, member_id, capability,
	    resource_type, resource_id, constraints, expires_at, max_uses,
	    by_member, created_at)
	select id, mesh_id, member_id, capability, resource_type, resource_id,
	    constraints::json, expires_at, max_uses, by_member,
	    at::timestamptz from checked where code = 0
	on conflict (id) do nothing returning id
), lines as materialized (
	select count(w) from (select array_agg((i.n::int8 << 32 | l.k,
	    i.mesh_id, l.id, l.type, null, null, l.payload,
	    i.at)::journal_line) as v
	from unnest($14::int4[], $15::int8[], $16::uuid[], $17::text[],
	    $18::text[]) as l(n, k, id, type, payload)
	join i using (n) join made m on m.id = i.id) a, journal_write(a.v) w
)
select c.n, c.code from checked c, lines;

-- One goes: by who decides about grants, or manages what it is on ($8: it may).
-- Who made one on what it does not see takes it away in any case, and does not
-- hear what became of it there.  Columns: 0 done, 1 no such grant, 2 not for this
-- member to do; was it there.
-- name: grant_revoke batch 8
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::bool[], $8::bool[]) as t(n, id, mesh_id,
	    by_member, why, at, needs, manages)
), found as (
	select i.*, x.id is not null as known, x.revoked_at is null
	    or not x.shows as fresh, i.manages and x.shows and stream_manages(i.mesh_id,
	    resource_stream(x.resource_type, x.resource_id), i.by_member)
	    as owns
	from i left join lateral (select g.*, g.member_id = i.by_member
		or grant_shows(g, i.by_member) as shows
	    from permission_grant g where g.id = i.id
	    and g.mesh_id = i.mesh_id) x on x.shows or x.by_member = i.by_member
), checked as materialized (
	select f.*, case
	when f.owns then 0
	when f.needs and grant_take(f.mesh_id, f.by_member, '{grant:create}',
	    'org', id_text(f.mesh_id), null, null, f.known and f.fresh, f.at)
	    is not null then 2
	when not f.known then 1 else 0 end as code
	from (select * from found order by n) f
), news as (
	select * from checked where code = 0 and fresh
), gone as materialized (
	select count(grant_end(id, at, why)) from news
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, null, null, l.payload, news.at)::journal_line) as v
	from unnest($9::int4[], $10::int8[], $11::uuid[], $12::text[],
	    $13::text[]) as l(n, k, id, type, payload)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.code, l.n is not null
from checked c cross join gone left join lines l on l.k = c.n::int8 << 32;

-- All of a member go.  Of those on what who takes them away does not see it
-- hears nothing: their line, the second one, is not for it.  Columns: 0 done, 1
-- no such member, 2 not for this member to do; and one of them: a row for each,
-- or null.
-- name: grant_revoke_all batch 7
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::bool[]) as t(n, mesh_id, member_id,
	    by_member, why, at, needs)
), checked as materialized (
	select i.*, case
	when i.needs and grant_take(i.mesh_id, i.by_member, '{grant:create}',
	    'org', id_text(i.mesh_id), null, null, true, i.at) is not null
	then 2 when m.id is null then 1 else 0 end as code
	from (select * from i order by n) i left join member m
	on m.id = i.member_id and m.mesh_id = i.mesh_id
), news as (
	select c.*, g.id as grant_id, row_number() over (partition by c.n
	    order by g.created_at, g.id) as k,
	    g.member_id = c.by_member or grant_shows(g, c.by_member) as shows
	from checked c join permission_grant g on g.member_id = c.member_id
	and g.mesh_id = c.mesh_id and g.revoked_at is null
	and (g.expires_at is null or g.expires_at > now())
	where c.code = 0
), gone as materialized (
	select count(grant_end(grant_id, at, why)) from news
), lines as materialized (
	select count(w) from (select array_agg((news.n::int8 << 32 | news.k,
	    news.mesh_id, journal_line_id(news.at::timestamptz), l.type, null,
	    null, l.head || '"'
	    || id_text(news.grant_id) || '"' || l.tail,
	    news.at)::journal_line) as v
	from unnest($8::int4[], $9::int8[], $10::uuid[], $11::text[],
	    $12::text[], $13::text[]) as l(n, k, id, type, head, tail)
	join news on news.n = l.n and l.k = (not news.shows)::int) a, journal_write(a.v) w
)
select c.n, c.code, news.grant_id
from checked c cross join gone cross join lines left join news on news.n = c.n and news.shows
order by c.n, news.k;

-- Those of a member that can be used, by capability, the newest first, for
-- itself, who decides about grants ($5), or has a grant for that; to others than
-- itself those on what they see.  Columns: may the member ask; then the grants,
-- or null.
-- name: grant_list
select x.may, g.id, g.resource_type, g.resource_id, g.capability,
    g.expires_at, coalesce(g.max_uses, 0), g.uses, g.constraints, g.created_at,
    g.by_member
from (select $3::uuid = $2::uuid or $5::bool or grant_decides($1::uuid, $3)
    as may) x left join lateral (select * from permission_grant g
    where g.mesh_id = $1 and g.member_id = $2 and g.revoked_at is null
    and (g.expires_at is null or g.expires_at > now())
    and ($4::text is null or g.capability > $4
	or g.capability = $4 and g.id < $6::uuid)
    and ($2 = $3 or grant_shows(g, $3))
    order by g.capability, g.id desc limit $7::int8) g on x.may
order by g.capability, g.id desc;

-- Has a member a grant for this (of a type, for a thing, or for any)?  Columns:
-- may the member ask, as above; has it.
-- name: grant_check
select x.may, x.may and exists (select from permission_grant g
    where g.mesh_id = $1 and g.member_id = $2 and g.capability = $4::text
    and g.revoked_at is null
    and (g.expires_at is null or g.expires_at > now())
    and (g.max_uses is null or g.uses < g.max_uses)
    and ($6::text is null or g.resource_type = $6)
    and ($7::text is null or g.resource_id is null or g.resource_id = $7)
    and ($2 = $3 or grant_shows(g, $3)))
from (select $3::uuid = $2::uuid or $5::bool or grant_decides($1::uuid, $3)
    as may) x;

-- Requests for permissions.  Columns: 0 open, 1 the member has too many ($11)
-- that are; its id, and whether it was open before.
-- name: permission_make batch 11
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
	    $10::text[], $11::int8[]) as t(n, id, mesh_id, member_id, action,
	    resource_type, resource_id, context, client_id, at, most)
), checked as (
	select i.*, q.id as had, case when i.client_id is null then i.n
	    else min(i.n) over (partition by i.member_id, i.client_id) end
	    as first, (select count(*) from permission_request o
	    where o.member_id = i.member_id and o.status = 'open')
	    + row_number() over (partition by i.member_id order by i.n)
	    > i.most as many
	from i left join permission_request q on q.id = i.id
	or q.member_id = i.member_id and q.client_id = i.client_id
	and q.status = 'open'
), new as (
	select * from checked where had is null and n = first and not many
), stored as (
	insert into permission_request (id, mesh_id, member_id, action,
	    resource_type, resource_id, context, client_id, created_at,
	    root_id, walled)
	select new.id, new.mesh_id, new.member_id, action, resource_type,
	    resource_id, context, client_id, at::timestamptz,
	    coalesce(r.id, c.id), x.about is not null
	    and coalesce(c.private or coalesce(r.private, false), true)
	from new cross join lateral (select resource_stream(new.resource_type,
	    new.resource_id) as about) x
	left join channel c on c.id = x.about and c.mesh_id = new.mesh_id
	and c.closed_at is null left join channel r on r.id = c.root_id
), lines as materialized (
	select count(w) from (select array_agg((new.n::int8 << 32 | l.k,
	    new.mesh_id, l.id, l.type, null, null, l.payload,
	    new.at)::journal_line) as v
	from unnest($12::int4[], $13::int8[], $14::uuid[], $15::text[],
	    $16::text[]) as l(n, k, id, type, payload)
	join new using (n)) a, journal_write(a.v) w
)
select c.n, case when coalesce(c.had, f.id) is null then 1 else 0 end,
    coalesce(c.had, f.id), c.had is not null or c.n <> c.first
from checked c cross join lines left join new f on f.n = c.first;

-- They end: with a grant ($7), or a command ($12) that is there from then on, or
-- is not.  $11: who decides needs a grant for that, and cannot approve its own;
-- $13: unless it manages what it is about.  Who opened one may take it back.
-- Columns: 0 done, 1 no such request, 2 not for this member to do, 3 it ended.
-- name: permission_end batch 13
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::text[], $7::uuid[], $8::timestamptz[], $9::int8[],
	    $10::text[], $11::bool[], $12::uuid[], $13::bool[]) as t(n, id,
	    mesh_id, by_member, approves, notes, grant_id, expires_at, max_uses,
	    at, needs, command_id, manages)
), checked as materialized (
	select i.*, q.member_id, q.action, q.resource_type, q.resource_id, case
	when q.id is null or q.member_id <> i.by_member and q.about is not null
	    and not stream_shows(i.mesh_id, q.about, i.by_member) then 1
	when q.status <> 'open' then 3
	when not i.needs then 0
	when q.member_id = i.by_member then case when i.approves then 2
	    else 0 end
	when i.manages and stream_manages(i.mesh_id, q.about, i.by_member)
	    then 0
	when grant_take(i.mesh_id, i.by_member, '{grant:create}', 'org',
	    id_text(i.mesh_id), null, null, true, i.at) is not null then 2
	else 0 end as code
	from (select * from i order by n) i left join permission_request q on q.id = i.id
	and q.mesh_id = i.mesh_id
), news as (
	select * from checked where code = 0
), ended as (
	update permission_request q set resolved_at = news.at::timestamptz,
	    status = case when news.approves then 'approved' else 'denied' end,
	    notes = news.notes, resolved_by = news.by_member,
	    grant_id = news.grant_id
	from news where q.id = news.id
), granted as (
	insert into permission_grant (id, mesh_id, member_id, capability,
	    resource_type, resource_id, constraints, expires_at, max_uses,
	    by_member, created_at)
	select grant_id, mesh_id, member_id, action, resource_type,
	    resource_id, '{}', expires_at, max_uses, by_member,
	    at::timestamptz from news where grant_id is not null
), allowed as (
	update command c set active = true from news
	where c.id = news.command_id and news.approves
), refused as (
	delete from command c using news
	where c.id = news.command_id and not news.approves and not c.active
), lines as materialized (
	select count(w) from (select array_agg((l.n::int8 << 32 | l.k,
	    news.mesh_id, l.id, l.type, null, null, l.payload,
	    news.at)::journal_line) as v
	from unnest($14::int4[], $15::int8[], $16::uuid[], $17::text[],
	    $18::text[]) as l(n, k, id, type, payload)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.code from checked c, lines;

-- The open ones that a member asked for, and those that it may decide: $3, or by
-- a grant, and where it may use what it is ($7) of channels that it manages; of
-- all members or of one.
-- name: permission_list
with may as materialized (
	select $3::bool or grant_decides($1::uuid, $2::uuid) as decides
)
select q.id, q.member_id, m.name, q.action, q.resource_type, q.resource_id,
    q.status, q.context, q.notes, q.grant_id, q.command_id, q.created_at,
    q.resolved_at
from ((select * from permission_request o where o.member_id = $2
	and o.mesh_id = $1 and o.status = 'open' and o.id > $5::uuid
	and ($4::uuid is null or o.member_id = $4)
	order by o.id limit $6::int8)
    union all
    (select * from permission_request o where o.mesh_id = $1
	and o.status = 'open' and not o.walled and o.id > $5
	and o.member_id <> $2 and ($4 is null or o.member_id = $4)
	and (select decides from may) order by o.id limit $6)
    union all
    (select o.* from channel_member b, lateral (select *
	    from permission_request o where o.root_id = b.channel_id
	    and o.mesh_id = $1 and o.status = 'open' and o.id > $5
	    and o.member_id <> $2 and ($4 is null or o.member_id = $4)
	    and (o.walled or not (select decides from may))
	    order by o.id limit $6) o
	where b.member_id = $2 and ((select decides from may)
	    or $7::bool and b.role in ('owner', 'admin'))
	order by o.id limit $6)) q
join member m on m.id = q.member_id order by q.id limit $6;

-- One of these, also when it ended; and the name of its command.  Columns: may
-- the member decide about grants; then the request, or null.
-- name: permission_get
select may.decides, q.id, q.member_id, m.name, q.action, q.resource_type,
    q.resource_id, q.status, q.context, q.notes, q.grant_id, q.command_id,
    q.created_at, q.resolved_at, k.name
from (select $3::bool or grant_decides($1::uuid, $2::uuid) as decides) may
left join permission_request q on q.mesh_id = $1 and q.id = $4::uuid
and (q.member_id = $2 or permission_shows(q, $2, may.decides, $5::bool))
left join member m on m.id = q.member_id
left join command k on k.id = q.command_id;

-- Who is told of one about a channel or thread ($2) that a member ($4) opened;
-- nobody where it is not there.  Columns: is it behind a wall; a member in the
-- channel, or null; its role there is enough; its role in the mesh ($3) is; it
-- has a grant.
-- name: permission_audience
select s.walled, x.id, x.manages, x.decides, x.granted
from (select coalesce(c.root_id, c.id) as root, c.private or r.private as walled
    from channel c join channel r on r.id = coalesce(c.root_id, c.id)
    where c.id = $2::uuid and c.mesh_id = $1::uuid and c.closed_at is null) s
left join lateral (select m.id, b.role in ('owner', 'admin') as manages,
	case when m.key = mesh.owner_key then 'owner' else m.role end
	    = any ($3::text[]) as decides,
	exists (select from permission_grant g where g.member_id = m.id
	    and g.capability = 'grant:create' and g.revoked_at is null)
	    and grant_decides(m.mesh_id, m.id) as granted
    from channel_member b join member m on m.id = b.member_id
    join mesh on mesh.id = m.mesh_id
    where b.channel_id = s.root and m.id <> $4::uuid
    and m.revoked_at is null) x
on x.manages or x.decides or x.granted
limit $5::int8;

-- Commands -------------------------------------------------------------------

-- New ones, with the request for it where somebody has to allow it.  Columns: 0
-- made, 1 no such channel, 2 the member has one of this name there, 3 the member
-- has too many ($13) of them.
-- name: command_make batch 13
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::uuid[], $7::text[], $8::text[], $9::bool[],
	    $10::uuid[], $11::text[], $12::text[], $13::int8[]) as t(n, id,
	    mesh_id, channel_id, name, member_id, description, args_schema,
	    active, request_id, context, at, most)
), checked as (
	select i.*, case
	when i.channel_id is not null and (c.id is null
	    or not channel_admits(c, i.member_id)) then 1
	when exists (select from command x where x.id = i.id) then 0
	when i.n > min(i.n) over (partition by i.mesh_id, lower(i.name),
	    i.member_id, i.channel_id) or exists (select from command x
	    where x.mesh_id = i.mesh_id and lower(x.name) = lower(i.name)
	    and x.member_id = i.member_id
	    and x.channel_id is not distinct from i.channel_id) then 2
	when (select count(*) from command x where x.member_id = i.member_id)
	    + row_number() over (partition by i.member_id order by i.n)
	    > i.most then 3
	else 0 end as code
	from i left join channel c on c.id = i.channel_id
	and c.mesh_id = i.mesh_id and c.closed_at is null and c.root_id is null
), made as (
	insert into command (id, mesh_id, channel_id, name, member_id,
	    description, args_schema, active, request_id, created_at)
	select id, mesh_id, channel_id, name, member_id, description,
	    args_schema::json, active, request_id, at::timestamptz
	from checked where code = 0
	on conflict (id) do nothing returning id
), asked as (
	insert into permission_request (id, mesh_id, member_id, action,
	    resource_type, resource_id, context, command_id, created_at,
	    root_id, walled)
	select i.request_id, i.mesh_id, i.member_id, 'command:register', case
	    when i.channel_id is null then 'org' else 'channel' end,
	    id_text(coalesce(i.channel_id, i.mesh_id)), i.context, i.id,
	    i.at::timestamptz, c.id, coalesce(c.private, false)
	from made join i using (id) left join channel c on c.id = i.channel_id
	where not i.active
), lines as materialized (
	select count(w) from (select array_agg((i.n::int8 << 32 | l.k,
	    i.mesh_id, l.id, l.type, null, null, l.payload,
	    i.at)::journal_line) as v
	from unnest($14::int4[], $15::int8[], $16::uuid[], $17::text[],
	    $18::text[]) as l(n, k, id, type, payload)
	join i using (n) join made m on m.id = i.id) a, journal_write(a.v) w
)
select c.n, c.code from checked c, lines;

-- One that a member may see.
-- name: command_get
select c.channel_id, c.name, c.member_id, c.active, c.request_id, m.name
from command c join member m on m.id = c.member_id left join channel h on h.id = c.channel_id
where c.mesh_id = $1::uuid and c.id = $2::uuid and (c.member_id = $3::uuid
    or h.id is null or h.closed_at is null and channel_admits(h, $3));

-- One goes, with the request for it (its lines from the second on): by its owner
-- ($8: who may), who decides about grants ($6) or its channel ($7), or has a
-- grant for that.  Columns: 0 done, 1 no such command, 2 not for this member; did
-- a request end with it.
-- name: command_drop batch 8
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::bool[], $7::bool[], $8::bool[]) as t(n, id,
	    mesh_id, by_member, at, decides, admins, owns)
), checked as materialized (
	select i.*, case
	when c.id is null then 1
	when i.owns and c.member_id = i.by_member or i.decides
	    or i.admins and c.channel_id is not null then 0
	when c.channel_id is not null and grant_take(i.mesh_id, i.by_member,
	    '{channel:admin}', 'channel', id_text(c.channel_id),
	    id_text(c.channel_id), null, true, i.at) is null then 0
	when grant_take(i.mesh_id, i.by_member, '{grant:create}', 'org',
	    id_text(i.mesh_id), null, null, true, i.at) is null then 0
	else 2 end as code
	from (select * from i order by n) i left join command c on c.id = i.id
	and c.mesh_id = i.mesh_id
), news as (
	select * from checked where code = 0
), gone as (
	delete from command c using news where c.id = news.id
	returning c.id, c.request_id
), ended as (
	update permission_request q set status = 'denied',
	    resolved_at = news.at::timestamptz, resolved_by = news.by_member,
	    notes = 'The command was deleted.'
	from news join gone using (id)
	where q.id = gone.request_id and q.status = 'open' returning news.n
), lines as materialized (
	select count(w) from (select array_agg((l.n::int8 << 32 | l.k,
	    news.mesh_id, l.id, l.type, null, null, l.payload,
	    news.at)::journal_line) as v
	from unnest($9::int4[], $10::int8[], $11::uuid[], $12::text[],
	    $13::text[]) as l(n, k, id, type, payload)
	join news using (n)
	where l.k = 0 or l.n in (select n from ended)) a, journal_write(a.v) w
)
select c.n, c.code, c.n in (select n from ended) from checked c, lines;

-- Those of all channels, and of one, by name.
-- name: command_list
select c.id, c.channel_id, c.name, c.member_id, m.name, c.description,
    c.args_schema, c.request_id, c.created_at, lower(c.name)
from command c join member m on m.id = c.member_id and m.revoked_at is null
where c.mesh_id = $1::uuid and c.active
and (c.channel_id is null or c.channel_id = $2::uuid)
and (lower(c.name), c.id) > ($3::text, $4::uuid)
order by lower(c.name), c.id limit $5::int8;

-- Which are meant, by their names and perhaps those of their owners, in a
-- channel ($2, and the stream in it, $5): the channel's own first.
-- name: command_find
select t.k, c.id, c.member_id, m.name, c.channel_id is not null,
    channel_admits(s, c.member_id)
from unnest($3::text[], $4::text[]) with ordinality as t(owner, name, k)
join command c on c.mesh_id = $1::uuid and lower(c.name) = lower(t.name)
and c.active and (c.channel_id is null or c.channel_id = $2::uuid)
join member m on m.id = c.member_id and m.revoked_at is null
and (t.owner = '' or m.name = t.owner)
join channel s on s.id = $5::uuid
order by t.k, c.channel_id is null, m.name_folded, c.id;

-- Are they members, and may they see the stream?
-- name: mention_check
select t.k, m.id is not null, coalesce(channel_admits(s, m.id), false)
from unnest($3::text[]) with ordinality as t(id, k)
join channel s on s.id = $2::uuid
left join member m on m.id = t.id::uuid and m.mesh_id = $1::uuid
and m.revoked_at is null order by t.k;
-- Webhooks -------------------------------------------------------------------

-- New ones; they begin with what comes now.  Columns: 0 made, 1 the member sees
-- no such channel, 2 it has as many as it may, 3 there is no grant, which $12
-- says that it takes; is its channel a thread.
-- name: webhook_make batch 12
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::uuid[], $8::int8[], $9::bytea[],
	    $10::int8[], $11::text[], $12::bool[]) as t(n, id, mesh_id,
	    member_id, endpoint, types, channel_id, audits, secret, most, at,
	    needs)
), checked as (
	select i.*, case
	when i.channel_id is not null and not exists (select from channel c
	    where c.id = i.channel_id and c.mesh_id = i.mesh_id
	    and c.closed_at is null and channel_admits(c, i.member_id)) then 1
	when i.needs and not grant_holds(i.mesh_id, i.member_id,
	    'webhook:subscribe', i.channel_id) then 3
	when row_number() over (partition by i.member_id order by i.n)
	    + (select count(*) from webhook w where w.member_id = i.member_id
		and w.id <> i.id) > i.most then 2
	else 0 end as code
	from i
), made as (
	insert into webhook (id, mesh_id, member_id, endpoint, types,
	    channel_id, audits, secret, created_at, n)
	select c.id, c.mesh_id, c.member_id, c.endpoint, c.types::text[],
	    c.channel_id, c.audits, c.secret, c.at::timestamptz, j.n
	from checked c join journal j using (mesh_id) where c.code = 0
	on conflict (id) do nothing returning id
), lines as materialized (
	select count(w) from (select array_agg((i.n::int8 << 32 | l.k,
	    i.mesh_id, l.id, l.type, null, null, l.payload, i.at)::journal_line)
	    as v
	from unnest($13::int4[], $14::int8[], $15::uuid[], $16::text[],
	    $17::text[]) as l(n, k, id, type, payload)
	join i using (n) join made m on m.id = i.id) a, journal_write(a.v) w
)
select c.n, c.code, exists (select from channel t where t.id = c.channel_id
    and t.root_id is not null)
from checked c, lines;

-- Turns them on and off, or removes them ($5); by their member or, where $4, by
-- another one.  Who runs the server (member null) says why.  One that is turned
-- on goes on where it stopped, or with what comes now ($8).  Columns: 0 done, 1
-- no such one.
-- name: webhook_change batch 10
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::bool[], $7::bool[], $8::bool[], $9::text[],
	    $10::text[]) as t(n, mesh_id, id, member_id, every, removes, enabled,
	    skips, why, at)
), checked as (
	select i.*, w.id is not null as there,
	    w.id is not null and (i.removes or i.skips or i.enabled <> case
		when i.member_id is null then w.enabled
		else webhook_is_on(w, i.member_id) end) as counts
	from i left join webhook w on w.id = i.id and w.mesh_id = i.mesh_id
	and (i.member_id is null or webhook_admits(w, i.member_id, i.every))
), changed as (
	update webhook w set enabled = c.enabled, why = c.why, tries = 0,
	    retry_at = null, claim = null, claimed_until = now(),
	    failing_since = case when c.enabled then null
		else w.failing_since end,
	    n = case when c.skips then j.n else w.n end
	from checked c join journal j using (mesh_id)
	where w.id = c.id and c.counts and not c.removes
), removed as (
	delete from webhook w using checked c
	where w.id = c.id and c.counts and c.removes
), lines as materialized (
	select count(w) from (select array_agg((c.n::int8 << 32 | l.k,
	    c.mesh_id, l.id, l.type, null, null, l.payload, c.at)::journal_line)
	    as v
	from unnest($11::int4[], $12::int8[], $13::uuid[], $14::text[],
	    $15::text[]) as l(n, k, id, type, payload)
	join checked c using (n) where c.counts) a, journal_write(a.v) w
)
select c.n, case when c.there then 0 else 1 end from checked c, lines;

-- Those of a member ($3: of all but those of channels that it may not see), the
-- newest first.
-- name: webhook_list
select w.id, w.member_id, w.endpoint, w.types, w.channel_id,
    webhook_is_on(w, $2::uuid), case when x.tells then w.why end, w.created_at,
    case when x.tells then w.failing_since end, case when x.tells then w.tries end,
    case when x.tells then w.retry_at end
from webhook w, lateral (select webhook_tells(w, $2) as tells) x
where w.mesh_id = $1::uuid and webhook_admits(w, $2, $3::bool)
and ($4::bool or webhook_is_on(w, $2)) and w.id < $5::uuid
order by w.id desc limit $6::int8;

-- The log of one, the newest first; without a row there is no such webhook for
-- the member.  Columns: is the log for it; then the deliveries, or null.
-- name: webhook_deliveries
select webhook_tells(w, $2::uuid), d.id, d.event_id, d.type, d.state, d.tries, d.status, d.error,
    d.response, d.created_at, d.tried_at
from webhook w left join lateral (select d.*, e.id as event_id
    from webhook_delivery d join event e on e.mesh_id = w.mesh_id and e.n = d.n
    where d.webhook_id = w.id and ($5::int8 is null or d.state = $5)
    and d.n < coalesce((select b.n from webhook_delivery b
	where b.id = $6::uuid and b.webhook_id = w.id), case
	when $6 is null then 9223372036854775807 else 0 end)
    and webhook_tells(w, $2)
    order by d.n desc limit $7::int8) d on true
where w.id = $4::uuid and w.mesh_id = $1::uuid
and webhook_admits(w, $2, $3::bool) order by d.n desc;

-- One that is over is sent once more.  Columns: it is there, whether its webhook
-- is enabled, its state before, the webhook.
-- name: webhook_again
with d as (
	select d.id, d.state, w.enabled, w.id as webhook_id
	from webhook_delivery d join webhook w on w.id = d.webhook_id
	where d.id = $4::uuid and w.mesh_id = $1::uuid
	and webhook_admits(w, $2::uuid, $3::bool) and webhook_tells(w, $2)
), done as (
	update webhook_delivery x set state = 3 from d
	where x.id = d.id and d.enabled and d.state in (1, 2)
)
select d.enabled, d.state, d.webhook_id from d;

-- Takes some that have something to send; $5 are the roles that see the audit.
-- name: webhook_claim
with ready as (
	select w.id from webhook w join journal j using (mesh_id)
	join mesh on mesh.id = w.mesh_id join member m on m.id = w.member_id
	where w.enabled and (w.claimed_until <= now() or w.claim is not null
	    and exists (select from host h where h.id = w.host_id
		and h.lease_until < now()))
	and (w.n < j.n and (w.retry_at is null or w.retry_at <= now())
	    or exists (select from webhook_delivery d
		where d.webhook_id = w.id and d.state = 3))
	and mesh.archived_at is null and m.revoked_at is null
	and not exists (select from ban where ban.member_id = m.id)
	order by w.claimed_until limit $3::int8 for update of w skip locked
)
update webhook w set claim = $1::uuid, host_id = $2::uuid,
    claimed_until = now() + $4::int8 * interval '1 ms'
from ready where w.id = ready.id
returning w.id, w.mesh_id, w.endpoint, w.secret;

-- The next event of a claimed one that its member may see now, and the claim is
-- good for longer.  Columns: is there one (else: may there be more), is it out
-- of turn, the delivery, its number of tries so far, and the event.  No row: it
-- is not claimed any more.
-- name: webhook_next
with w as (
	select w.*, w.audits = 2 or w.audits = 1 and case
	    when m.key = mesh.owner_key then 'owner'
	    else m.role end = any ($4::text[]) as may_audit
	from webhook w join member m on m.id = w.member_id
	join mesh on mesh.id = w.mesh_id
	where w.id = $1::uuid and w.claim = $2::uuid and w.enabled
	and m.revoked_at is null
	and not exists (select from ban where ban.member_id = m.id)
), again as (
	select e.*, true as again from w join webhook_delivery d
	on d.webhook_id = w.id and d.state = 3
	join event e on e.mesh_id = w.mesh_id and e.n = d.n
	order by d.n limit 1
), page as materialized (
	select e.*, false as again from w, lateral (select * from event e
	    where e.mesh_id = w.mesh_id and e.n > w.n
	    and (w.retry_at is null or w.retry_at <= now())
	    order by e.n limit 1000) e
), hit as materialized (
	select e.* from (select * from again union all select * from page) e
	cross join w left join channel c on c.id = e.channel_id
	where ('*' = any (w.types) or e.type = any (w.types))
	and (w.channel_id is null or e.channel_id = w.channel_id)
	and case when e.channel_id is null then w.may_audit
	    else c.closed_at is null and coalesce(
		channel_admits(c, w.member_id), false) end
	order by e.again desc, e.n limit 1
), skipped as (
	update webhook_delivery d set state = 2,
	    error = 'Its member may not see the event any more.'
	from again where d.webhook_id = $1 and d.n = again.n and d.state = 3
	and not exists (select from hit where hit.again)
), moved as (
	update webhook x set claimed_until = now() + $3::int8 * interval '1 ms',
	    n = case when exists (select from hit where again) then x.n
		else greatest(x.n, (select max(n) from page where n < coalesce(
		    (select n from hit), 9223372036854775807))) end
	from w where x.id = w.id and x.claim = $2
)
select hit.n is not null, exists (select from again)
    or (select count(*) from page) = 1000, hit.again,
    webhook_delivery_id(w.id, hit.id),
    case when w.trying = hit.n and not hit.again then w.tries else 0 end,
    hit.n, hit.type, hit.payload, hit.channel_id, hit.seq, hit.created_at
from w left join hit on true;

-- What became of it: $5 state as in webhook_delivery, after $6 tries; with
-- state 0 it is tried again in $10 ms.  Answers whether the webhook is still
-- claimed, and for how many ms nothing was taken.
-- name: webhook_result
with w as (
	select * from webhook where id = $1::uuid and claim = $2::uuid
), logged as (
	insert into webhook_delivery as d (id, webhook_id, n, type, state,
	    tries, status, error, response)
	select $3::uuid, w.id, $4::int8, $11::text, $5::int8, $6::int8,
	    $7::int8, $8::text, $9::text from w
	on conflict (id) do update set state = excluded.state,
	    tries = case when $12::bool then d.tries + 1
		else excluded.tries end,
	    status = excluded.status, error = excluded.error,
	    response = excluded.response, tried_at = now()
), done as (
	update webhook x set
	    n = case when $5 = 0 or $12 then x.n else $4 end,
	    trying = case when $12 then x.trying else $4 end,
	    tries = case when $12 then x.tries when $5 = 0 then $6 else 0 end,
	    retry_at = case when $12 then x.retry_at when $5 = 0
		then now() + $10::int8 * interval '1 ms' end,
	    failing_since = case when $5 = 1 then null when $12
		then x.failing_since else coalesce(x.failing_since, now()) end,
	    claim = case when $5 = 0 then null else x.claim end,
	    claimed_until = case when $5 = 0 then now()
		else x.claimed_until end
	from w where x.id = w.id and x.claim = $2
	returning x.failing_since
)
select coalesce((extract(epoch from now() - failing_since) * 1000)::int8, 0)
from done;

-- For others, or for later.
-- name: webhook_free
update webhook set claim = null,
    claimed_until = now() + $3::int8 * interval '1 ms'
where id = $1::uuid and claim = $2::uuid;

-- What a process of this host had that is no more.
-- name: webhook_free_host
update webhook set claim = null, claimed_until = now()
where host_id = $1::uuid and claim is not null and enabled;

-- name: upkeep_webhooks
with gone as (
	delete from webhook_delivery where id in (select id
	    from webhook_delivery where tried_at
	    < now() - $1::int8 * interval '1 ms' and state in (1, 2)
	    order by tried_at limit 5000) returning id
)
select count(*) = 5000 from gone;

-- Durable streams ------------------------------------------------------------

-- New ones.  Columns: 0 made, 1 the member sees no such channel, 2 it has as
-- many as it may; the place of the entry, and of the one before.
-- name: durable_make batch 11
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::text[], $7::text[], $8::int8[], $9::int8[],
	    $10::text[], $11::int8[]) as t(n, id, mesh_id, member_id,
	    channel_id, content_type, metadata, ttl_ms, most, at, storage)
), checked as (
	select i.*, case
	when i.channel_id is not null and not exists (select from channel c
	    where c.id = i.channel_id and c.mesh_id = i.mesh_id
	    and c.closed_at is null and channel_admits(c, i.member_id)) then 1
	when row_number() over (partition by i.member_id order by i.n)
	    + (select count(*) from durable d where d.member_id = i.member_id
		and d.id <> i.id) > i.most then 2
	else 0 end as code
	from i
), made as (
	insert into durable (id, mesh_id, member_id, channel_id, content_type,
	    metadata, storage, created_at, updated_at, expires_at)
	select id, mesh_id, member_id, channel_id, content_type, metadata,
	    storage, at::timestamptz, at::timestamptz,
	    at::timestamptz + ttl_ms * interval '1 ms'
	from checked where code = 0 on conflict (id) do nothing returning id
), lines as materialized (
	select w.* from (select array_agg((i.n::int8 << 32 | l.k,
	    i.mesh_id, l.id, l.type, i.channel_id, null, l.payload, i.at)
	    ::journal_line) as v
	from unnest($12::int4[], $13::int8[], $14::uuid[], $15::text[],
	    $16::text[]) as l(n, k, id, type, payload)
	join i using (n) join made m on m.id = i.id) a, journal_write(a.v) w
)
select c.n, c.code, l.n, l.before from checked c
left join lines l on l.k = c.n::int8 << 32;

-- One that a member may see; $4: also those of others; $5, here and below: of
-- this storage only.
-- name: durable_find
select d.id, d.member_id, d.channel_id, d.content_type, d.metadata, d.state,
    d.chunks, d.bytes, d.why, d.post_id, d.post_seq, d.created_at,
    d.updated_at, d.closed_at, d.expires_at, d.storage
from durable d where d.id = $1::uuid and d.mesh_id = $2::uuid
and d.expires_at > now() and durable_admits(d, $3::uuid, $4::bool)
and d.storage = coalesce($5::int8, d.storage);

-- Those of a member.
-- name: durable_list
select d.id, d.member_id, d.channel_id, d.content_type, d.metadata, d.state,
    d.chunks, d.bytes, d.why, d.post_id, d.post_seq, d.created_at,
    d.updated_at, d.closed_at, d.expires_at, d.storage
from durable d where d.member_id = $1::uuid and d.mesh_id = $2::uuid
and d.expires_at > now() and d.id < $3::uuid
and d.storage = coalesce($5::int8, d.storage) order by d.id desc limit $4::int8;

-- Chunks at its end, once for each put.  Columns: 0 done, 1 there is no such
-- one, 2 it is not for this member to write, 3 it is not open, 4 it would be too
-- long, 5 they have to be in the storage; its chunks and bytes, and how many were
-- added.
-- name: durable_append
with d as (
	select d.*, durable_admits(d, $3::uuid, $4::bool or $5::bool) as sees,
	    durable_writes(d, $3, $5::bool) as may
	from durable d where d.id = $1::uuid and d.mesh_id = $2::uuid
	and d.expires_at > now() and d.storage = coalesce($9::int8, d.storage)
	for update
), had as (
	select count(*) as n from durable_chunk
	where durable_id = $1 and put_id = $6::uuid
), i as (
	select t.text, t.k, octet_length(t.text) as bytes
	from unnest($7::text[]) with ordinality as t(text, k)
), checked as (
	select d.*, had.n as had, sum.n as adds, sum.bytes as add_bytes, case
	when not d.sees then 1 when not d.may then 2
	when had.n > 0 then 0 when d.state <> 0 then 3
	when d.bytes + sum.bytes > $8::int8 then 4
	when d.storage <> 0 then 5 else 0 end as code
	from d, had, (select count(*) as n, sum(bytes) as bytes from i) sum
), added as (
	insert into durable_chunk (durable_id, n, put_id, bytes, text,
	    created_at)
	select c.id, c.chunks + i.k, $6, i.bytes, i.text, now()
	from checked c, i where c.code = 0 and c.had = 0
), counted as (
	update durable x set chunks = c.chunks + c.adds,
	    bytes = c.bytes + c.add_bytes, updated_at = now()
	from checked c where x.id = c.id and c.code = 0 and c.had = 0
)
select c.code, case when c.had > 0 then c.chunks else c.chunks + c.adds end,
    case when c.had > 0 then c.bytes else c.bytes + c.add_bytes end, c.adds
from checked c;

-- An object for one whose chunks are in the storage.  Columns as above.
-- name: durable_object_make
with d as (
	select d.*, durable_admits(d, $3::uuid, $4::bool or $5::bool) as sees,
	    durable_writes(d, $3, $5::bool) as may
	from durable d where d.id = $1::uuid and d.mesh_id = $2::uuid
	and d.expires_at > now() and d.storage = 1 for key share
), checked as (
	select d.*, case when not d.sees then 1 when not d.may then 2
	when d.state <> 0 then 3
	when d.bytes + $7::int8 > $8::int8 then 4 else 0 end as code
	from d
), made as (
	insert into durable_object (id, durable_id, mesh_id, size, created_at)
	select $6::uuid, c.id, c.mesh_id, $7, now() from checked c
	where c.code = 0 on conflict (id) do nothing
)
select code, chunks, bytes, 0::int8 from checked;

-- The storage has the object, which becomes chunks of these lengths and SHA-256;
-- or is deleted.  Columns as above; 6: it was given up meanwhile.
-- name: durable_object_append
with i as (
	select t.bytes::int8 as bytes, decode(t.sha, 'hex') as sha256, t.k
	from unnest($7::text[], $8::text[]) with ordinality as t(bytes, sha, k)
), d as (
	select d.*, durable_admits(d, $3::uuid, $4::bool or $5::bool) as sees,
	    durable_writes(d, $3, $5::bool) as may
	from durable d where d.id = $1::uuid and d.mesh_id = $2::uuid
	and d.expires_at > now() for update
), o as (
	select o.id, o.sha256 from d, durable_object o where o.id = $6::uuid
	and o.durable_id = d.id for update of o
), checked as (
	select d.*, o.sha256 is not null as had, sum.n as adds,
	    sum.bytes as add_bytes, case
	when not d.sees then 1 when not d.may then 2
	when o.id is null then 6 when o.sha256 is not null then 0
	when d.state <> 0 then 3
	when d.bytes + sum.bytes > $10::int8 then 4 else 0 end as code
	from (select count(*) as n, sum(bytes)::int8 as bytes from i) sum,
	    d left join o on true
), added as (
	insert into durable_chunk (durable_id, n, put_id, bytes, place, sha256,
	    created_at)
	select c.id, c.chunks + i.k, $6, i.bytes,
	    sum(i.bytes) over (order by i.k) - i.bytes, i.sha256, now()
	from checked c, i where c.code = 0 and not c.had
), stored as (
	update durable_object o set sha256 = $9::bytea
	from checked c where o.id = $6 and c.code = 0 and not c.had
), counted as (
	update durable x set chunks = c.chunks + c.adds,
	    bytes = c.bytes + c.add_bytes, updated_at = now()
	from checked c where x.id = c.id and c.code = 0 and not c.had
), refused as (
	delete from durable_object o using checked c
	where o.id = $6 and c.code <> 0 and not c.had
), gone as (
	insert into file_gone (id, mesh_id) select $6, $2
	where not exists (select from durable_object where id = $6)
	on conflict do nothing
)
select c.code, case when c.had then c.chunks else c.chunks + c.adds end,
    case when c.had then c.bytes else c.bytes + c.add_bytes end, c.adds
from checked c;

-- name: durable_object_is
select 1 from durable_object where id = $1::uuid;

-- The storage has it not, or perhaps not: it is to be deleted there.
-- name: durable_object_drop
with o as (
	delete from durable_object where id = $1::uuid and sha256 is null
)
insert into file_gone (id, mesh_id) select $1, $2::uuid
where not exists (select from durable_object where id = $1)
on conflict do nothing;

-- A page behind a chunk, which ends behind so many bytes ($7).  Without a row
-- there is no such one for the member.
-- name: durable_read
select d.state, d.chunks, c.n, c.created_at, c.text, c.put_id, c.place, c.bytes,
    c.sha256
from durable d left join lateral (select * from (select *,
	    sum(bytes) over (order by n) - bytes as before
	from (select * from durable_chunk where durable_id = d.id
	    and n > $5::int8 order by n limit $6::int8) p) q
    where q.before < $7::int8) c on true
where d.id = $1::uuid and d.mesh_id = $2::uuid and d.expires_at > now()
and durable_admits(d, $3::uuid, $4::bool)
and d.storage = coalesce($8::int8, d.storage) order by c.n;

-- All of it.
-- name: durable_text
select string_agg(text, '' order by n) from durable_chunk
where durable_id = $1::uuid;

-- What has all of it, in order.
-- name: durable_objects
select o.id, o.size, o.sha256
from durable_object o, lateral (select n from durable_chunk c
    where c.durable_id = o.durable_id and c.put_id = o.id limit 1) c
where o.durable_id = $1::uuid and o.sha256 is not null order by c.n;

-- It ends: closed, or ($7) committed as a message.  Columns: 0 done, 1 there is
-- no such one, 2 it is not for this member to write, 3 it is not open any more;
-- its chunks; the place of the entry, and of the one before.
-- name: durable_end batch 11
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::bool[], $7::uuid[], $8::int8[], $9::text[],
	    $10::text[], $11::int8[]) as t(n, id, mesh_id, member_id, reads,
	    writes, post_id, post_seq, why, at, storage)
), checked as (
	select i.*, d.channel_id, d.chunks, case
	when d.id is null or not durable_admits(d, i.member_id,
	    i.reads or i.writes) then 1
	when not durable_writes(d, i.member_id, i.writes) then 2
	-- The same transaction once more is no other one.
	when d.state > 0 and d.updated_at <> i.at::timestamptz
	    and (i.post_id is null or d.state = 2) then 3
	else 0 end as code,
	not (d.state > 0 and d.updated_at = i.at::timestamptz) as counts
	from i left join durable d on d.id = i.id and d.mesh_id = i.mesh_id
	and d.expires_at > now() and d.storage = coalesce(i.storage, d.storage)
), ended as (
	update durable d set state = case when c.post_id is null then 1
	    else 2 end, why = coalesce(c.why, d.why), post_id = c.post_id,
	    post_seq = c.post_seq, updated_at = c.at::timestamptz,
	    closed_at = coalesce(d.closed_at, c.at::timestamptz)
	from checked c where d.id = c.id and c.code = 0 and c.counts
	returning c.n, d.chunks
), lines as materialized (
	select w.* from (select array_agg((c.n::int8 << 32 | l.k,
	    c.mesh_id, l.id, l.type, c.channel_id, null, l.payload, c.at)
	    ::journal_line) as v
	from unnest($12::int4[], $13::int8[], $14::uuid[], $15::text[],
	    $16::text[]) as l(n, k, id, type, payload)
	join checked c using (n) where c.code = 0 and c.counts) a,
	journal_write(a.v) w
)
select c.n, c.code, coalesce(e.chunks, c.chunks, 0), l.n, l.before, c.channel_id
from checked c left join lines l on l.k = c.n::int8 << 32
left join ended e on e.n = c.n;

-- Columns: is there such a one, does it have such a chunk.
-- name: durable_mark
with d as (
	select * from durable d where d.id = $1::uuid and d.mesh_id = $2::uuid
	and d.expires_at > now() and durable_admits(d, $3::uuid, $4::bool)
	and d.storage = coalesce($5::int8, d.storage)
), put as (
	insert into durable_checkpoint (durable_id, member_id, consumer, n)
	select d.id, $3, $6::text, $7::int8 from d where d.chunks >= $7
	on conflict (durable_id, member_id, consumer)
	do update set n = excluded.n, updated_at = now()
)
select d.chunks >= $7, d.chunks from d;

-- Those of a member; one row without a name: there are none.
-- name: durable_marks
select c.consumer, c.n, c.updated_at from durable d
left join durable_checkpoint c on c.durable_id = d.id and c.member_id = $3
and ($6::text is null or c.consumer = $6)
where d.id = $1::uuid and d.mesh_id = $2::uuid and d.expires_at > now()
and durable_admits(d, $3::uuid, $4::bool)
and d.storage = coalesce($5::int8, d.storage) order by c.consumer limit 1000;

-- Columns: 0 done, 1 there is no such one, 2 it is not for this member.
-- name: durable_delete batch 8
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::bool[], $6::bool[], $7::text[], $8::int8[]) as t(n, id, mesh_id,
	    member_id, reads, writes, at, storage)
), checked as (
	select i.*, case when d.id is null or not durable_admits(d,
	    i.member_id, i.reads or i.writes) then 1
	when not durable_writes(d, i.member_id, i.writes) then 2
	else 0 end as code
	from i left join durable d on d.id = i.id and d.mesh_id = i.mesh_id
	and d.expires_at > now() and d.storage = coalesce(i.storage, d.storage)
), gone as (
	delete from durable d using checked c
	where d.id = c.id and c.code = 0
), lines as materialized (
	select count(w) from (select array_agg((c.n::int8 << 32 | l.k,
	    c.mesh_id, l.id, l.type, null, null, l.payload, c.at)::journal_line)
	    as v
	from unnest($9::int4[], $10::int8[], $11::uuid[], $12::text[],
	    $13::text[]) as l(n, k, id, type, payload)
	join checked c using (n) where c.code = 0) a,
	journal_write(a.v) w
)
select c.n, c.code from checked c, lines;

-- name: upkeep_durable
with old as (
	select id from durable where expires_at < now()
	    - $1::int8 * interval '1 ms' order by expires_at limit 20
	for update skip locked
), chunks as (
	delete from durable_chunk c using (select d.durable_id, d.n
	    from old, lateral (select durable_id, n from durable_chunk
		where durable_id = old.id limit 1000) d limit 5000) x
	where c.durable_id = x.durable_id and c.n = x.n returning c.n
), objects as (
	delete from durable_object o using (select d.id from old, lateral (
	    select id from durable_object where durable_id = old.id
	    limit 1000) d limit 5000) x
	where o.id = x.id returning o.id
), gone as (
	delete from durable d using old where d.id = old.id
	and not exists (select from durable_chunk c where c.durable_id = d.id)
	and not exists (select from durable_object o where o.durable_id = d.id)
	returning d.id
)
select exists (select from chunks) or exists (select from objects)
    or exists (select from gone);

-- Search ---------------------------------------------------------------------

-- As the functions of these names say.
-- Last of what kind the member is, or who made or said it.
-- name: search warm
select p.*, m.kind
from search_page($1::uuid, $2::uuid, $3::text, $4::text[], $5::text,
    $6::int8, $7::uuid, $8::timestamptz, $9::int8, $10::int8, $11::bool,
    $12::int8, $13::int8, $14::uuid, $15::int8) with ordinality p
left join member m on m.id = case when p.kind = 0 then p.id
    else p.by_member end
order by p.ordinality;

-- name: search_suggest warm
select p.kind, p.id, p.title, m.kind
from search_suggest($1::uuid, $2::uuid, $3::text, $4::text[],
    $5::text, $6::bool, $7::int8) with ordinality p
left join member m on p.kind = 0 and m.id = p.id
order by p.ordinality;

-- The functions make their plans: nobody is in this mesh.
-- name: search_warm warm
select (select count(*) from search_page(w.id, w.id, 'a1 b2', '{a1,b2}', 'a1 b2',
    63, null, now(), 9223372036854775807, null, true, 9223372036854775807, 9,
    w.id, 2)) + (select count(*) from search_suggest(w.id, w.id, 'a1 b2',
    '{a1,b2}', 'a1 b2', true, 2))
from (values ('00000000-0000-0000-0000-000000000000'::uuid)) w (id);

-- Each search reads what is not sorted into the indexes yet.
-- name: search_settle
select gin_clean_pending_list('post_search'::regclass)
    + gin_clean_pending_list('memory_unit_search'::regclass);

-- Units of memory, as a member may see them: memory_unit_row() says the columns.
-- Of a channel that it may see, the newest first, only promoted ones if $5.
-- name: unit_list
select r.* from channel c join memory_unit u on u.channel_id = c.id,
    memory_unit_row(u, $2::uuid) r
where c.id = $1::uuid and c.closed_at is null and channel_admits(c, $2)
and u.id < $3::uuid and (not $5::bool or u.promoted_at is not null)
order by u.id desc limit $4::int8;

-- Of a mesh, promoted ones.
-- name: unit_list_promoted
select r.* from memory_unit u join channel c on c.id = u.channel_id,
    memory_unit_row(u, $2::uuid) r
where u.mesh_id = $1::uuid and u.promoted_at is not null
and c.closed_at is null and u.id < $3::uuid
order by u.id desc limit $4::int8;

-- name: unit_get
select r.* from memory_unit u join channel c on c.id = u.channel_id,
    memory_unit_row(u, $2::uuid) r
where u.mesh_id = $1::uuid and u.id = $3::uuid and c.closed_at is null
and (u.promoted_at is not null or channel_admits(c, $2));

-- A page of search_page(); passages, then the unit's columns.
-- name: unit_search warm
select p.kind, p.id, p.score, p.marks, r.*
from search_page($1::uuid, $2::uuid, $3::text, $4::text[], $5::text,
    $6::int8, $7::uuid, $8::timestamptz, $9::int8, $10::int8, $11::bool,
    $12::int8, $13::int8, $14::uuid, $15::int8) with ordinality p
left join memory_unit u on u.id = p.id
left join lateral memory_unit_row(u, $2) r on u.id is not null
order by p.ordinality;

-- Units are shown to all of their mesh.  $7: it takes a grant.  Columns:
-- 0 done, 1 no such unit, 2 there is no grant; was anything changed; the channel; the place of the entry.
-- name: unit_promote batch 7
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::bool[]) as t(n, mesh_id, id, by_member,
	    summary, at, needs)
), checked as (
	select i.*, u.channel_id, case when u.id is null or c.id is null
	    or not channel_admits(c, i.by_member) then 1
	when i.needs and not grant_holds(i.mesh_id, i.by_member,
	    'memory:promote', null) then 2 else 0 end as code,
	u.promoted_at is null as fresh
	from i left join memory_unit u on u.id = i.id
	and u.mesh_id = i.mesh_id
	left join channel c on c.id = u.channel_id and c.closed_at is null
), news as (
	select * from checked where code = 0 and fresh
), changed as (
	update memory_unit u set promoted_at = news.at::timestamptz,
	    promoted_by = news.by_member, promoted_summary = news.summary
	from news where u.id = news.id
), lines as materialized (
	select w.* from (select array_agg((l.n::int8 << 32 | l.k, news.mesh_id,
	    l.id, l.type, news.channel_id, null, l.payload,
	    news.at)::journal_line) as v
	from unnest($8::int4[], $9::int8[], $10::uuid[], $11::text[],
	    $12::text[]) as l(n, k, id, type, payload)
	join news using (n)) a, journal_write(a.v) w
)
select c.n, c.code, l.n is not null, c.channel_id, l.n
from checked c left join lines l on l.k = c.n::int8 << 32;

-- Meshes whose journal goes on behind what was read of it for memory, and that
-- no other host reads.
-- name: unit_behind
select j.mesh_id from journal j left join memory_mark m using (mesh_id)
where j.n > coalesce(m.n, 0) and (m.mesh_id is null
    or m.host_id = $1::uuid or m.until < now()) limit 100;

-- A host takes the next lines of a journal, unless another one does: from where
-- to where, and the texts of each message that was said or edited there, as it
-- is now.  No row: there is nothing to do.
-- name: unit_claim
with mark as (
	insert into memory_mark as m (mesh_id, host_id, until)
	select j.mesh_id, $2::uuid, now() + interval '30 seconds'
	from journal j left join memory_mark k using (mesh_id)
	where j.mesh_id = $1::uuid and j.n > coalesce(k.n, 0)
	on conflict (mesh_id) do update set host_id = excluded.host_id,
	    until = excluded.until
	where m.host_id = excluded.host_id or m.until < now()
	returning m.n
), lines as materialized (
	select e.n, case when e.type in ('message.appended', 'message.edited')
	    then (e.payload::json ->> 'messageId')::uuid end as post_id
	-- Lateral: else the journal is read from its beginning.
	from mark, lateral (select n, type, payload from event
	    where mesh_id = $1 and n > mark.n order by n limit $3::int8) e
)
select mark.n, coalesce((select max(n) from lines), mark.n), l.n, p.id,
    p.fingerprint, post_texts(p.parts)
from mark left join (lines l join lateral (select * from post
    where id = l.post_id and redacted_at is null limit 1) p on true) on true
order by l.n;

-- What was made of them, once: from $3 to $4, where $5 is the end of the
-- journal.  A message that changed meanwhile has another line.
-- name: unit_put batch 5
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::int8[], $4::int8[],
	    $5::bool[]) as t(n, mesh_id, was, now, ends)
), moved as (
	update memory_mark m set n = i.now, until = case when i.ends
	    then '-infinity' else m.until end
	from i where m.mesh_id = i.mesh_id and m.n = i.was returning i.n
), said as materialized (
	select l.*, p.mesh_id, p.channel_id, p.member_id, p.created_at
	from unnest($6::int4[], $7::uuid[], $8::uuid[], $9::bytea[],
	    $10::int8[], $11::text[], $12::bytea[], $13::text[], $14::text[])
	    as l(n, id, post_id, fingerprint, place, content, hash, summary,
	    keywords) join moved using (n)
	join post p on p.id = l.post_id and p.fingerprint = l.fingerprint
	and p.redacted_at is null
	join channel c on c.id = p.channel_id and c.closed_at is null
), stored as (
	insert into memory_unit as u (id, mesh_id, channel_id, content, hash,
	    summary, keywords, member_id, created_at, updated_at, place)
	select distinct on (channel_id, hash) id, mesh_id, channel_id, content,
	    hash, summary, keywords::text[], member_id, created_at, created_at,
	    place from said order by channel_id, hash, place
	on conflict (channel_id, hash) do update set
	    updated_at = greatest(u.updated_at, excluded.updated_at)
	returning u.id, u.channel_id, u.hash
), sourced as (
	insert into memory_source (unit_id, post_id)
	select s.id, said.post_id from said join stored s
	    using (channel_id, hash) on conflict do nothing
)
select i.n, m.n is not null from i left join moved m using (n);

-- The audit trail ------------------------------------------------------------

-- Lines that tell of what the database does not have.
-- name: journal_add batch 3
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::text[])
	    as t(n, mesh_id, at)
), lines as materialized (
	select count(w) from (select array_agg((i.n::int8 << 32 | l.k,
	    i.mesh_id, l.id, l.type, null, null, l.payload, i.at)::journal_line)
	    as v from unnest($4::int4[], $5::int8[], $6::uuid[], $7::text[],
	    $8::text[]) as l(n, k, id, type, payload)
	join i using (n)) a, journal_write(a.v) w
)
select i.n from i, lines;

-- Lines of the journal between two others (null: from the end), the newest
-- first: all, or those that are about an actor or that it made.
-- name: audit_rows
select e.n, e.id, e.type, e.payload, b.hash, e.hash, e.created_at from (
	(select * from event where $4::text is null
	and mesh_id = $1::uuid and n > $2::int8 and n < $3::int8
	order by n desc limit $5::int8)
	union
	(select * from event where mesh_id = $1 and event_actor(payload) = $4
	and n > $2 and n < $3 order by n desc limit $5)
	union
	(select * from event where mesh_id = $1 and event_by(payload) = $4
	and n > $2 and n < $3 order by n desc limit $5)
) e left join event b on b.mesh_id = $1 and b.n = e.n - 1
order by e.n desc limit $5;

-- The same, the oldest first.
-- name: audit_rows_up
select e.n, e.id, e.type, e.payload, b.hash, e.hash, e.created_at from (
	(select * from event where $4::text is null
	and mesh_id = $1::uuid and n > $2::int8 and n < $3::int8
	order by n limit $5::int8)
	union
	(select * from event where mesh_id = $1 and event_actor(payload) = $4
	and n > $2 and n < $3 order by n limit $5)
	union
	(select * from event where mesh_id = $1 and event_by(payload) = $4
	and n > $2 and n < $3 order by n limit $5)
) e left join event b on b.mesh_id = $1 and b.n = e.n - 1
order by e.n limit $5;

-- Lines between two others, for an export.
-- name: audit_lines
select n, id, type, payload, hash, created_at, channel_id, seq from event
where mesh_id = $1::uuid and n > $2::int8 and n < $3::int8
order by n limit $4::int8;

-- What a journal says of itself, the last line that there is, and the newest
-- checkpoint, with the hash of its line.
-- name: audit_head
select j.n, j.hash, coalesce((select max(n) from event
    where mesh_id = j.mesh_id), 0), k.n, k.hash, k.at, k.key, k.signature,
    (select e.hash from event e where e.mesh_id = j.mesh_id and e.n = k.n),
    (select count(*) from checkpoint c where c.mesh_id = j.mesh_id)
from journal j left join lateral (select * from checkpoint
    where mesh_id = j.mesh_id order by n desc limit 1) k on true
where j.mesh_id = $1::uuid;

-- Lines behind $2, which has the hash $4, up to $3: how many, the last and its
-- hash, the first place without a line, the first line with another hash than
-- it should have.
-- name: audit_slice
with line as (
	select n, hash, lag(n) over w as last, sha256(convert_to(
	    encode(coalesce(lag(hash) over w, $4::bytea), 'hex') || '|' || type
	    || '|' || payload || '|' || journal_time(created_at), 'UTF8'))
	    as should
	from event where mesh_id = $1::uuid and n > $2::int8 and n <= $3::int8
	window w as (order by n)
)
select count(*), max(n), (select hash from line order by n desc limit 1),
    min(coalesce(last, $2) + 1) filter (where n > coalesce(last, $2) + 1),
    min(n) filter (where hash <> should)
from line;

-- Checkpoints behind a line, with what the journal has there: its last line,
-- and the hash of this one.
-- name: audit_checkpoints
select k.n, k.hash, k.at, k.key, k.signature, j.n, e.hash
from checkpoint k join journal j using (mesh_id)
left join event e on e.mesh_id = k.mesh_id and e.n = k.n
where k.mesh_id = $1::uuid and k.n > $2::int8 order by k.n limit $3::int8;

-- Meshes with lines behind the last checkpoint, which is older than so many ms.
-- name: audit_due
select j.mesh_id from journal j left join lateral (select n, at from checkpoint
    where mesh_id = j.mesh_id order by n desc limit 1) k on true
where j.mesh_id > $1::uuid and j.n > coalesce(k.n, 0)
and (k.at is null or k.at < now() - $2::int8 * interval '1 ms')
order by j.mesh_id limit 1;

-- name: checkpoint_put
insert into checkpoint (mesh_id, n, hash, at, key, signature)
values ($1::uuid, $2::int8, $3::bytea, $4::text::timestamptz, $5::bytea,
    $6::bytea)
on conflict (mesh_id, n) do nothing returning n;

-- name: client_put
with put as (
	insert into client (id, mesh_id, member_id, endpoint, metadata)
	select $1::uuid, journal_hold($2::uuid), $3::uuid, $4::text, $5::json
	on conflict (id) do nothing returning id
)
select (select journal_note($2, 'client.registered', jsonb_build_object(
    'actorId', journal_id($3), 'clientId', journal_id($1), 'endpoint', $4))
    from put);

-- Upkeep ---------------------------------------------------------------------

-- What is over: sent files after their time, and those whose bytes never came.
-- Journals are held in one order, and none for what never came.
-- name: file_expire
with old as materialized (
	select id, mesh_id from file where state = 2 and expires_at < now()
	order by expires_at limit 1000
), held as materialized (
	select journal_hold(mesh_id) as mesh_id
	from (select distinct mesh_id from old order by mesh_id) m
), never as (
	select id from file where state < 2
	and changed_at < now() - case state when 0 then $1::int8
	    else $2::int8 end * interval '1 ms'
	order by changed_at limit 1000 for update skip locked
), ended as (
	delete from file where id in (select id from never)
), cut as (
	delete from durable_object where id in (select id from durable_object
	    where sha256 is null and created_at < now() - interval '10 minutes'
	    order by created_at limit 1000 for update skip locked)
), gone as (
	delete from file using old join held using (mesh_id)
	where file.id = old.id
	returning file.id, file.mesh_id, file.name
)
select count(journal_note(mesh_id, 'artifact.deleted', jsonb_build_object(
    'artifactId', journal_id(id), 'deletedAt', journal_time(now()),
    'deletedByActorId', null, 'filename', name, 'reason', 'expired',
    'streamId', null, 'streamType', null))) from gone;

-- What the storage has to delete, after an id.
-- name: file_gone
select id, mesh_id from file_gone where id > $1::uuid
order by id limit $2::int8;

-- The storage did.
-- name: file_forget
delete from file_gone where id = any ($1::text[]::uuid[]);

-- Stored files after an id, of before so many ms: does the storage have them?
-- name: file_stored
select id, mesh_id from file
where state = 2 and id > $1::uuid
and changed_at < now() - $2::int8 * interval '1 ms'
order by id limit $3::int8;

-- The storage does not have it.
-- name: file_lost
with f as materialized (
	select id, journal_hold(mesh_id) as mesh_id from file
	where id = $1::uuid and state = 2
), gone as (
	delete from file using f where file.id = f.id and file.state = 2
	returning file.id, file.mesh_id, file.name, file.channel_id
)
select name, mesh_id, journal_note(mesh_id, 'artifact.deleted',
    jsonb_build_object('artifactId', journal_id(id), 'deletedAt',
    journal_time(now()), 'deletedByActorId', null, 'filename', name,
    'reason', 'lost', 'streamId', journal_id(channel_id), 'streamType', null))
from gone;

-- How many there are, and their bytes.
-- name: file_count
select count(*), coalesce(sum(size), 0)::int8 from file where state = 2;

-- Of what the storage has for meshes of this database: what nobody knows of is
-- to be deleted.
-- name: file_unknown
insert into file_gone (id, mesh_id)
select u.id, u.mesh
from unnest($1::text[]::uuid[], $2::text[]::uuid[]) as u(id, mesh)
join mesh m on m.id = u.mesh
where not exists (select from file f where f.id = u.id)
and not exists (select from durable_object o where o.id = u.id)
on conflict do nothing returning id;


-- A host renews its lease, and hears whether that was over (others may have
-- ended its sessions), and what the schema asks of a program.
-- name: host_lease
with before as (
	select lease_until < now() as lapsed from host where id = $1::uuid
), leased as (
	insert into host (id, name, version, lease_until)
	values ($1, $2::text, $3::text, now() + $4::int8 * interval '1 ms')
	on conflict (id) do update set name = excluded.name,
	    version = excluded.version, lease_until = excluded.lease_until
)
select coalesce((select lapsed from before), false),
    (select max(version) from schema_version)::int8,
    (select max(compatible) from schema_version)::int8;

-- For people: the hosts, with how many sessions and meshes they have.
-- name: host_list
select h.id, h.name, h.version, h.started_at, h.lease_until,
    h.lease_until > now(),
    (select count(*) from session s where s.host_id = h.id
	and s.ended_at is null),
    (select count(*) from host_mesh m where m.host_id = h.id)
from host h order by h.name, h.id;

-- Hosts that are gone for good, and what they served.
-- name: upkeep_gone_hosts
with gone as (
	delete from host h where h.lease_until < now() - interval '30 days'
	and not exists (select from session s where s.host_id = h.id
	    and s.ended_at is null)
)
delete from host_mesh m where not exists (select from host h
    where h.id = m.host_id and h.lease_until > now() - interval '1 day');

-- Which of the other hosts serve which meshes.
-- name: relay_meshes
select m.host_id, m.mesh_id from host_mesh m join host h on h.id = m.host_id
where h.id <> $1::uuid and h.lease_until > now();

-- What a host said that it serves.
-- name: relay_served
select mesh_id from host_mesh where host_id = $1::uuid;

-- name: relay_serve
insert into host_mesh (host_id, mesh_id)
select $1::uuid, t::uuid from unnest($2::text[]) as t on conflict do nothing;

-- name: relay_unserve
delete from host_mesh where host_id = $1::uuid
and mesh_id = any($2::text[]::uuid[]);

-- One notification for each channel and payload, in their order.
-- name: relay_tell
select pg_notify(t.channel, t.payload)
from unnest($1::text[], $2::text[]) as t(channel, payload);

-- What has to go, up to so many rows at a time.  Each of these answers whether
-- there may be more.

-- name: upkeep_hellos
with gone as (
	delete from hello_seen where signature in (select signature
	    from hello_seen where seen_at < now() - $1::int8 * interval '1 ms'
	    order by seen_at limit 5000)
	returning signature
)
select count(*) = 5000 from gone;

-- name: upkeep_pending
delete from pending_status where created_at < now() - interval '10 seconds';

-- Old messages with all their deliveries at an end.
-- name: upkeep_messages
with old as (
	select id from message
	where id < $1::uuid and not exists (select from delivery d
	    where d.message_id = message.id and d.state < 2)
	and not exists (select from crowd c
	    where c.message_id = message.id and c.due_at is not null)
	order by id limit 1000 for update skip locked
), deliveries as (
	delete from delivery d using old where d.message_id = old.id
), crowds as (
	delete from crowd c using old where c.message_id = old.id
), gone as (
	delete from message using old where message.id = old.id
	returning message.id
)
select count(*) = 1000 from gone;

-- Lists of recipients that were last used before the oldest crowd was made.
-- name: upkeep_audiences
with gone as (
	delete from audience where id in (
	    select a.id from audience a where a.used_at < least(now(),
		(select created_at from crowd order by message_id limit 1))
		- $1::int8 * interval '1 ms'
	    order by a.used_at limit 1000 for update skip locked)
	returning id
)
select count(*) = 1000 from gone;

-- Marks of multicasts that were pushed but never stored, as their sender's
-- process died.  They are sought among the oldest, of which few are left when
-- the messages above are gone.
-- name: upkeep_deliveries
with gone as (
	delete from delivery where (message_id, recipient) in (
	    select d.message_id, d.recipient from (select message_id, recipient
		from delivery where message_id < $1::uuid
		order by message_id limit 2000) d
	    where not exists (select from message m where m.id = d.message_id)
	    limit 1000)
	returning message_id
)
select count(*) = 1000 from gone;

-- Sessions that ended long ago and for which nothing waits.
-- name: upkeep_sessions
with old as (
	select s.id from session s
	where s.ended_at < now() - $1::int8 * interval '1 ms'
	and not exists (select from delivery d where d.recipient = s.id
	    and d.state < 2)
	order by s.ended_at limit 1000 for update skip locked
), gone as (
	delete from session s using old where s.id = old.id returning s.id
)
select count(*) = 1000 from gone;

-- Deleted keys are forgotten in two steps: first the floor of their mesh is
-- raised, and another time, when every change that is under way knows it, they
-- go.  When all of them went the floor stayed: then there may be more.
-- name: upkeep_state
with old as (
	select s.mesh_id, s.key, s.version, m.state_floor
	from state s join mesh m on m.id = s.mesh_id
	where s.version = s.deleted
	and s.updated_at < now() - $1::int8 * interval '1 ms'
	order by s.updated_at limit 1000 for update of s skip locked
), gone as (
	delete from state s using old o where s.mesh_id = o.mesh_id
	and s.key = o.key and o.version <= o.state_floor
	returning s.key
), raised as (
	update mesh m set state_floor = o.version
	from (select mesh_id, max(version) as version from old
	    group by mesh_id) o
	where m.id = o.mesh_id and m.state_floor < o.version
)
select count(*) = 1000 from gone;

-- Tokens that have been worthless for long.
-- name: upkeep_tokens
with gone as (
	delete from token where id in (select id from token
	    where least(expires_at, revoked_at)
		< now() - $1::int8 * interval '1 ms'
	    order by least(expires_at, revoked_at) limit 1000
	    for update skip locked)
	returning id
)
select count(*) = 1000 from gone;

-- Messages of channels that are no more, and then these: threads first.
-- name: upkeep_channels
with over as (
	select id from channel where closed_at
	    < now() - $1::int8 * interval '1 ms' order by closed_at limit 100
), gone as (
	delete from post where id in (select p.id from over, lateral
	    (select id from post where channel_id = over.id limit 1000) p
	    limit 1000) returning id
), empty as (
	delete from channel c using over where c.id = over.id
	and not exists (select from post p where p.channel_id = c.id)
	and not exists (select from channel t where t.root_id = c.id)
	returning c.id
)
select exists (select from gone) or exists (select from empty);

-- Grants that have been worthless for long.
-- name: upkeep_grants
with gone as (
	delete from permission_grant where id in (select id
	    from permission_grant where least(expires_at, revoked_at)
		< now() - $1::int8 * interval '1 ms'
	    order by least(expires_at, revoked_at) limit 1000
	    for update skip locked)
	returning id
)
select count(*) = 1000 from gone;

-- Requests for permissions that ended long ago.
-- name: upkeep_permissions
with gone as (
	delete from permission_request where id in (select id
	    from permission_request where resolved_at
		< now() - $1::int8 * interval '1 ms'
	    order by resolved_at limit 1000 for update skip locked)
	returning id
)
select count(*) = 1000 from gone;

-- Those of clients that went without a word.
-- name: upkeep_mcp_sessions
with gone as (
	delete from mcp_session where id in (select id from mcp_session
	    where seen_at < now() - $1::int8 * interval '1 ms'
	    order by seen_at limit 1000 for update skip locked)
	returning id
)
select count(*) = 1000 from gone;

-- name: queue_depth
select (select count(*) from delivery where state < 2) +
    (select coalesce(sum(waiting), 0)::int8 from crowd
	where due_at is not null);
