-- Bans, blocks, rates and quotas.

-- Members that may not be here, until they are unbanned.  What is held for
-- them stays.
create table ban (
	member_id uuid primary key references member on delete cascade,
	mesh_id uuid not null references mesh on delete cascade,
	reason text not null,
	by_member uuid not null,
	by_name text not null,
	banned_at timestamptz not null default now()
);
create index ban_mesh on ban (mesh_id, banned_at);

-- What a member does not want of another one.  A row stays when it wants all
-- of it again: its version rises with each change, so that of two records
-- that arrive in the wrong order the newer one counts.
create table block (
	member_id uuid not null references member on delete cascade,
	blocked_id uuid not null references member on delete cascade,
	mesh_id uuid not null references mesh on delete cascade,
	-- Bits: 1 direct messages, 2 multicasts, 4 changes of state.
	what int2 not null,
	version int8 not null default 1,
	blocked_at timestamptz not null default now(),
	primary key (member_id, blocked_id)
);
create index block_mesh on block (mesh_id);

-- What a mesh may hold; null: what the configuration says.
alter table mesh
	add column max_sessions int8,
	add column max_queue int8,
	add column max_recipient_queue int8,
	add column max_state_keys int8,
	add column max_state_bytes int8,
	add column max_memories int8;
