-- Files: what the storage holds, and who has read it.

-- A row is there before the first byte is stored, and one of file_gone until
-- after the last one is deleted: what is stored without either was left by a
-- crash, and goes.
create table file (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	by_name text not null,
	by_folded text not null,
	name text not null,
	name_folded text not null,
	mime text not null,
	tags text[] not null,
	-- For the recipients of messages, and for a time; else for the mesh.
	attached bool not null,
	-- 0 waits for its bytes, 1 they come, 2 stored.
	state int2 not null default 0,
	-- Until it is stored: the most that it may become.
	size int8 not null,
	-- Until it is stored: what it has to be, if that was said.
	sha256 bytea,
	created_at timestamptz not null default now(),
	changed_at timestamptz not null default now(),
	expires_at timestamptz,
	-- Of a file whose bytes come: the process that takes them, and for whom.
	host_id uuid,
	incarnation uuid,
	claim uuid,
	-- Members that it was sent to.
	readers uuid[] not null default '{}',
	terms text[] not null generated always as
	    (memory_terms(mesh_id, member_id, by_folded, tags)) stored
);
create index file_mesh on file (mesh_id, id) where state = 2;
create index file_terms on file using gin (terms) where state = 2;
create index file_counted on file (mesh_id) include (size);
create index file_unfinished on file (changed_at) where state < 2;
create index file_expires on file (expires_at) where state = 2;
create index file_member on file (member_id);

-- What the storage has to delete, however its row went: with its mesh, too.
create table file_gone (
	id uuid primary key,
	mesh_id uuid not null
);
create function file_went() returns trigger language plpgsql as $$
begin
	insert into file_gone (id, mesh_id) values (old.id, old.mesh_id)
	on conflict do nothing;
	return null;
end
$$;
-- Also of those that wait: what a crash cut short may be stored.
create trigger file_went after delete on file
	for each row execute function file_went();

-- Who has read a file to its end.
create table file_access (
	file_id uuid not null references file on delete cascade,
	member_id uuid not null references member on delete cascade,
	name text not null,
	first_at timestamptz not null default now(),
	last_at timestamptz not null default now(),
	times int8 not null default 1,
	primary key (file_id, member_id)
);
create index file_access_last on file_access (file_id, last_at);
create index file_access_member on file_access (member_id);

-- What a mesh may hold; null: what the configuration says.
alter table mesh
	add column max_files int8,
	add column max_storage int8,
	add column max_file_bytes int8;
