-- Every statement that the programs run, by name.  `batch N`: the parameters
-- are arrays, the first N make one row per item, the rest are a second group
-- of any number of rows per item; the first parameter of each group is the
-- item's ordinal.  In one transaction batch statements run in this order.

-- Sessions ------------------------------------------------------------------

-- A hello: the member must be known, the signature new, a claimed session key
-- must not be another member's.  A session that was here before is the same
-- row, and within the lease keeps what it had.
-- name: session_open batch 25
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::bytea[],
	    $5::bytea[], $6::bytea[], $7::bytea[], $8::text[], $9::text[],
	    $10::text[], $11::int8[], $12::text[], $13::text[], $14::text[],
	    $15::text[], $16::bool[], $17::bool[], $18::text[], $19::uuid[],
	    $20::uuid[], $21::int8[], $22::int8[], $23::int8[], $24::int8[],
	    $25::uuid[]) as t(n, id, mesh_id, member_key, signature, ident, key, name,
	    name_folded, client_session, pid, cwd, hostname, peer_type, model,
	    control, acks, groups, host_id, incarnation, ref, at_ms, lease_ms,
	    sessions_max, member_id)
), known as (
	select i.*, m.name as member_name, m.role,
	    m.revoked_at is not null as revoked, mesh.slug,
	    m.name_folded as member_folded,
	    coalesce(i.name, m.name) as shown,
	    i.key is not null and (exists (select from session s
		where s.mesh_id = i.mesh_id and s.key = i.key
		and s.member_id <> m.id)
		or exists (select from member o
		where o.mesh_id = i.mesh_id and o.key = i.key
		and o.id <> m.id)) as taken,
	    -- Counted only where the roster says that the limit is near.
	    case when i.sessions_max is null then false else
		(select count(*) from session s where s.mesh_id = i.mesh_id
		and s.ended_at is null and s.ident <> i.ident)
		>= i.sessions_max end as full
	from i join member m on m.mesh_id = i.mesh_id and m.key = i.member_key
	    and m.id = i.member_id
	join mesh on mesh.id = i.mesh_id and mesh.archived_at is null
), fresh as (
	insert into hello_seen (signature)
	select signature from known on conflict do nothing returning signature
), good as (
	select k.* from known k join fresh using (signature)
	where not k.revoked and not k.taken and not k.full
), before as (
	select s.*, s.ended_at is null or s.ended_at >
	    to_timestamp(g.at_ms / 1000.0) - g.lease_ms * interval '1 ms' as kept
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
	    host_id, incarnation, ref, connected_at)
	select g.id, g.mesh_id, g.member_id, g.ident, g.key, g.shown,
	    coalesce(g.name_folded, g.member_folded), g.client_session, g.pid,
	    g.cwd, g.hostname, g.peer_type, g.model, g.control, g.acks,
	    coalesce(h.status, b.status, 0),
	    case when h.n is not null then 2 else coalesce(b.status_source, 0) end,
	    to_timestamp(g.at_ms / 1000.0), b.summary,
	    coalesce(nullif(g.groups::text[], '{}'), b.groups, '{}'),
	    g.host_id, g.incarnation, g.ref, to_timestamp(g.at_ms / 1000.0)
	from good g left join hook h using (n)
	left join before b on b.mesh_id = g.mesh_id and b.ident = g.ident
	    and b.kept
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
	    ended_at = null, returns = true
	where s.member_id = excluded.member_id
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
select i.n, k.member_id, k.member_name, k.role, k.revoked, k.taken, k.full,
    f.signature is null and o.id is null as replayed, o.id, o.name,
    o.name_folded, o.status, o.status_source, o.summary, o.groups, k.slug,
    coalesce(b.kept, false) as returned, o.connected_at
from i left join known k using (n)
left join fresh f on f.signature = i.signature
left join there o on o.mesh_id = i.mesh_id and o.ident = i.ident
left join before b on b.mesh_id = i.mesh_id and b.ident = i.ident;

-- What a session says of itself.
-- name: session_update batch 9
update session s set status = i.status, status_source = i.source,
    status_at = to_timestamp(i.at_ms / 1000.0), summary = i.summary,
    groups = i.groups::text[], acks = i.acks
from (select distinct on (id) * from unnest($1::int4[], $2::uuid[],
    $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::text[], $8::text[],
    $9::bool[]) as t(n, id, ref, status, source, at_ms, summary, groups, acks)
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
	returning s.id, s.mesh_id, s.member_id, s.ref
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
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
	returning s.id, s.mesh_id, s.member_id, s.ref
), freed as (
	update delivery d set state = 0, holder = null,
	    due_at = now() + interval '5 seconds'
	from ended e where d.recipient in (e.id, e.member_id)
	and d.holder = e.id and d.state < 2
	returning d.message_id
)
select id, mesh_id, member_id, ref, (select count(*) from freed) from ended;

-- The roster of a mesh: who is connected, and who may come back.
-- name: session_roster
select s.id, s.member_id, s.key, m.key, s.name, s.name_folded,
    s.client_session, s.pid, s.cwd, s.hostname, s.peer_type, s.model,
    s.control, s.acks, s.status, s.status_source, s.summary, s.groups,
    s.host_id, s.ref, s.connected_at, s.ended_at, m.role, m.name
from session s join member m on m.id = s.member_id
where s.mesh_id = $1::uuid and (s.ended_at is null or (s.returns
    and s.ended_at > now() - $2::int8 * interval '1 ms'));

-- A session that a hook means: by its session id, else process id and
-- directory, else directory, inside one mesh.
-- name: session_hooked
select id, mesh_id, ref, host_id,
    case when client_session = $2::text and $2 <> '' then 0
	when pid = $3::int8 and cwd = $4::text then 1 else 2 end as rank
from session where ended_at is null
and ($1::uuid is null or mesh_id = $1)
and ($5::uuid is null or member_id = $5)
and ((client_session = $2 and $2 <> '') or (cwd = $4 and $4 <> ''))
order by rank, connected_at desc limit 1;

-- name: pending_status_put
insert into pending_status (member_id, client_session, pid, cwd, status)
values ($1::uuid, $2::text, $3::int8, $4::text, $5::int8);

-- name: hook_member
select id, mesh_id from member
where hook_digest = $1::bytea and revoked_at is null;

-- Members, invites -----------------------------------------------------------

-- Members and sessions that a target may mean and that are not in the roster:
-- by key, or by name.  A session that has just begun may not be there yet.
-- name: target_find
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
where mesh_id = $1::uuid and ended_at is null and not control limit 500)
union
(select name from member where mesh_id = $1 and revoked_at is null
order by joined_at desc limit 500);

-- name: member_list
select m.id, m.name, m.key, m.role, m.joined_at, m.revoked_at,
    (select count(*) from session s where s.member_id = m.id
	and s.ended_at is null)
from member m where m.mesh_id = $1::uuid order by m.joined_at, m.id;

-- name: member_create
insert into member (id, mesh_id, key, name, name_folded, role)
values ($1::uuid, $2::uuid, $3::bytea, $4::text, $5::text, $6::text)
returning id;

-- One use of an invite, whole or not at all.  Column status: why not.
-- name: member_join
with inv as (
	select i.*, m.owner_key, m.archived_at, m.id as mesh
	from invite i join mesh m on m.id = i.mesh_id
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
    (select slug from mesh where id = $2), (select name from mesh where id = $2)
from problem p;

-- name: invite_create
insert into invite (id, mesh_id, digest, role, max_uses, expires_at)
values ($1::uuid, $2::uuid, $3::bytea, $4::text, $5::int8,
    to_timestamp($6::int8 / 1000.0))
returning id;

-- name: mesh_create
insert into mesh (id, slug, name, owner_key, owner_sealed, root_key)
values ($1::uuid, $2::text, $3::text, $4::bytea, $5::bytea, $6::text)
on conflict (slug) do nothing returning id;

-- name: mesh_list
select m.id, m.slug, m.name, m.created_at, m.archived_at,
    (select count(*) from member b where b.mesh_id = m.id
	and b.revoked_at is null),
    (select count(*) from session s where s.mesh_id = m.id
	and s.ended_at is null)
from mesh m order by m.slug;

-- name: mesh_find
select id, slug, name, owner_key, owner_sealed, root_key from mesh
where slug = $1::text and archived_at is null;

-- Messages -------------------------------------------------------------------

-- New messages with a row for each recipient, in the order in which others
-- mark them.  Column fresh is false when the sender had sent it before (see
-- message_find).
-- name: message_insert batch 15
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::uuid[], $6::bytea[], $7::text[], $8::text[], $9::int8[],
	    $10::text[], $11::text[], $12::text[], $13::bytea[], $14::int8[],
	    $15::int8[]) as t(n, id, mesh_id, member_id, session_id, key, name,
	    target, priority, nonce, ciphertext, client_id, fingerprint, at_ms,
	    hold_ms)
), stored as (
	insert into message (id, mesh_id, sender_member, sender_session,
	    sender_key, sender_name, target, priority, nonce, ciphertext,
	    client_id, fingerprint, created_at, expires_at)
	select id, mesh_id, member_id, session_id, key, name, target, priority,
	    nonce, ciphertext, client_id, fingerprint,
	    to_timestamp(at_ms / 1000.0),
	    to_timestamp((at_ms + hold_ms) / 1000.0)
	from i order by n on conflict do nothing
	returning id, expires_at
), addressed as (
	insert into delivery (message_id, recipient, mesh_id, priority, state,
	    holder, due_at, pushes, pushed_at, acked_at, expires_at)
	select i.id, r.recipient, i.mesh_id, i.priority, r.state, r.holder,
	    now() + r.due_ms * interval '1 ms', least(r.state, 1),
	    case when r.state > 0 then now() end,
	    case when r.state > 1 then now() end, stored.expires_at
	from unnest($16::int4[], $17::uuid[], $18::int8[], $19::uuid[],
	    $20::int8[]) as r(n, recipient, state, holder, due_ms)
	join i using (n) join stored on stored.id = i.id
	order by i.id, r.recipient on conflict do nothing
)
select i.n, stored.id is not null as fresh from i
left join stored on stored.id = i.id;

-- The message that a sender sent before under this id of its own.
-- name: message_find
select id, fingerprint from message
where sender_key = $1::bytea and client_id = $2::text and mesh_id = $3::uuid;

-- Pushed and acked.  A row that is further already stays.  A multicast is
-- pushed before it is stored: the mark may come before the row, and makes it.
-- name: delivery_mark batch 10
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
-- name: delivery_claim
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
    b.key, c.pushes, (select count(*) from waiting) as waited
from claimed c join message m on m.id = c.message_id
left join member b on b.id = m.sender_member order by c.message_id;

-- Deliveries that nobody brought to an end in time: free them, or expire
-- them.  Where a session could take it now it is looked at again soon.
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
		where s.ended_at is null and not s.control
		and (s.id = d.recipient or s.member_id = d.recipient)
		and d.priority >= case s.status when 0 then 0 else 2 end)
		then least(d.expires_at, now() + $2::int8 * interval '1 ms')
		else d.expires_at end
	from due where d.message_id = due.message_id
	and d.recipient = due.recipient
	returning d.recipient, d.mesh_id, d.state
)
select distinct recipient, mesh_id from freed where state = 0;

-- What became of a message; for its sender and its recipients.
-- name: message_status
select m.target, m.created_at, d.state, d.pushed_at, d.acked_at,
    coalesce(s.name, b.name, '') as name,
    coalesce(s.key, sm.key, b.key) as key, d.expires_at, d.pushes,
    d.recipient
from message m left join delivery d on d.message_id = m.id
left join session s on s.id = d.recipient
left join member sm on sm.id = s.member_id
left join member b on b.id = d.recipient
where m.id = $1::uuid and m.mesh_id = $2::uuid
and (m.sender_member = $3::uuid or exists (select from delivery x
    where x.message_id = m.id and x.recipient in ($3, $4::uuid)))
order by name, d.recipient limit 10000;

-- A session ends, after the marks of the same transaction: what it held is free
-- for another session of its member, or waits for its return.
-- name: session_close batch 4
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

-- Several writes to one key in a batch are numbered each, the last one stays.
-- name: state_set batch 6
with i as (
	select *, row_number() over (partition by mesh_id, key order by n) as rn,
	    count(*) over (partition by mesh_id, key) as cnt
	from unnest($1::int4[], $2::uuid[], $3::text[], $4::text[], $5::uuid[],
	    $6::text[]) as t(n, mesh_id, key, value, by_session, by_name)
), last as (
	insert into state as s (mesh_id, key, value, version, by_session,
	    by_name, updated_at)
	select mesh_id, key, value::json, cnt, by_session, by_name,
	    clock_timestamp()
	from i where rn = cnt order by mesh_id, key
	on conflict (mesh_id, key) do update set value = excluded.value,
	    version = s.version + excluded.version,
	    by_session = excluded.by_session, by_name = excluded.by_name,
	    updated_at = excluded.updated_at
	returning mesh_id, key, version, updated_at
)
select i.n, l.version - i.cnt + i.rn, l.updated_at
from i join last l on l.mesh_id = i.mesh_id and l.key = i.key;

-- name: state_get
select value, by_name, updated_at, version from state
where mesh_id = $1::uuid and key = $2::text;

-- Up to so many bytes, and the key with which it is more.
-- name: state_list
select key, value, by_name, updated_at, version from (select *,
    sum(octet_length(value::text)) over w - octet_length(value::text) as before
    from state where mesh_id = $1::uuid
    window w as (order by key collate "C")) s
where before <= $2::int8 order by key collate "C";

-- What changed since a time, for a process that missed events.
-- name: state_since
select key, value, by_name, updated_at, version, by_session from state
where mesh_id = $1::uuid and updated_at >= to_timestamp($2::int8 / 1000.0)
order by updated_at;

-- Memory ---------------------------------------------------------------------

-- name: memory_put batch 7
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::uuid[], $4::uuid[],
	    $5::text[], $6::text[], $7::text[])
	    as t(n, id, mesh_id, member_id, by_name, content, tags)
), stored as (
	insert into memory (id, mesh_id, member_id, by_name, content, tags,
	    created_at)
	select id, mesh_id, member_id, by_name, content, tags::text[], now()
	from i on conflict do nothing
)
select n from i;

-- name: memory_search
select id, content, tags, by_name, created_at,
    ts_rank(search, query)::float8 as rank
from memory, plainto_tsquery('english', $2::text) as query
where mesh_id = $1::uuid and forgotten_at is null and search @@ query
order by rank desc, created_at desc limit $3::int8;

-- name: memory_forget
update memory set forgotten_at = now()
where mesh_id = $1::uuid and id = $2::uuid and forgotten_at is null
returning id;

-- Upkeep ---------------------------------------------------------------------

-- name: host_lease
insert into host (id, name, version, lease_until)
values ($1::uuid, $2::text, $3::text, now() + $4::int8 * interval '1 ms')
on conflict (id) do update set name = excluded.name,
    version = excluded.version, lease_until = excluded.lease_until
returning (select count(*) from host h
    where h.id <> $1 and h.lease_until > now());

-- Meshes that other hosts serve now.
-- name: relay_meshes
select distinct s.mesh_id from host h join session s on s.host_id = h.id
where h.id <> $1::uuid and h.lease_until > now() and s.ended_at is null;

-- name: relay_tell
select pg_notify('linnet', $1::text);

-- name: upkeep_hellos
delete from hello_seen where signature in (select signature from hello_seen
    where seen_at < now() - $1::int8 * interval '1 ms' limit 5000);

-- name: upkeep_pending
delete from pending_status where created_at < now() - interval '10 seconds';

-- Old messages with all their deliveries at an end.
-- name: upkeep_messages
with old as (
	select id from message
	where id < $1::uuid and not exists (select from delivery d
	    where d.message_id = message.id and d.state < 2)
	order by id limit $2::int8 for update skip locked
), gone as (
	delete from delivery d using old where d.message_id = old.id
)
delete from message using old where message.id = old.id;

-- Marks of multicasts that were pushed but never stored, as their sender's
-- process died.
-- name: upkeep_deliveries
delete from delivery where (message_id, recipient) in (
    select d.message_id, d.recipient from delivery d
    where d.message_id < $1::uuid and not exists (select from message m
	where m.id = d.message_id) limit $2::int8);

-- Sessions that ended long ago and for which nothing waits.
-- name: upkeep_sessions
delete from session where id in (select s.id from session s
    where s.ended_at < now() - $1::int8 * interval '1 ms'
    and not exists (select from delivery d where d.recipient = s.id
	and d.state < 2)
    order by s.ended_at limit $2::int8);

-- name: queue_depth
select count(*) from delivery where state < 2;
