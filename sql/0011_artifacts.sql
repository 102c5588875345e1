-- compatible: 1
-- Artifacts: files that are kept with a channel or a thread, for those who may
-- see that.

alter table file
	-- That it is kept with.
	add column channel_id uuid references channel on delete cascade;
create index file_channel on file (channel_id) where channel_id is not null;

-- May a member have it?
create function file_admits(f file, member uuid) returns bool
language sql stable as $$
	select case when f.channel_id is not null then exists (
	    select from channel c where c.id = f.channel_id
	    and c.closed_at is null and channel_admits(c, member))
	else not f.attached or f.member_id = member
	or member = any (f.readers) end
$$;

-- What was kept; it outlives the file, so that all know what was there.
create table artifact (
	-- The file's.
	id uuid primary key,
	mesh_id uuid not null,
	channel_id uuid not null references channel on delete cascade,
	member_id uuid not null,
	name text not null,
	mime text not null,
	size int8 not null,
	sha256 bytea not null,
	created_at timestamptz not null,
	deleted_at timestamptz,
	deleted_by uuid,
	deleted_why text
);
create index artifact_channel on artifact (channel_id, id);
