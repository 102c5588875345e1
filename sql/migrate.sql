-- What db_migrate.c runs before there is a schema: in the form of stmts.sql,
-- but not prepared on connect.

-- name: present
select to_regclass('schema_version') is not null;

-- name: create
create table if not exists schema_version (
	version int primary key,
	name text not null,
	-- The oldest program, by the version it knows, that may run on it.
	compatible int not null,
	applied_at timestamptz not null default now()
);

-- name: version
select coalesce(max(version), 0)::int8 from schema_version;

-- name: compatible
select coalesce(max(compatible), 0)::int8 from schema_version;

-- name: record
insert into schema_version (version, name, compatible)
values ($1::int4, $2::text, $3::int4);

-- One migrates, the others wait.  The number is "linnet" in ASCII.
-- name: lock
select pg_advisory_lock(119200080094580);

-- name: unlock
select pg_advisory_unlock(119200080094580);
