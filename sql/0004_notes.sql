-- compatible: 1
-- State that is changed on a condition and deleted; memory in several
-- languages, found by tag and author.

alter table state
	-- As bytes, in every database: ranges of keys are prefixes.
	alter column key type text collate "C",
	-- The version that deleted it: when this is still its version, there
	-- is no such key.  The row stays for a while, so that processes that
	-- missed the change can learn of it.
	add column deleted int8 not null default 0,
	-- The last conditional changes, in their order: a change that comes
	-- again, as the answer to it was lost, is one of them.
	add column writes uuid[] not null default '{}';
create index state_deleted on state (updated_at) where version = deleted;

-- The greatest version of the keys that were deleted and then forgotten: new
-- ones go on from there, so that the versions of a key only ever rise.
alter table mesh add column state_floor int8 not null default 0;

-- What a change makes of a key.  The key is its last version and what a
-- condition compares: the version, or 0 while there is no value.
create function state_step(now int8[], version int8, there bool,
    if_version int8, sets bool) returns int8[]
language plpgsql immutable parallel safe as $$
begin
	if now is null then
		now := array[version, case when there then version else 0 end];
	end if;
	if if_version <> now[2] or not (sets or now[2] > 0) then
		return now;
	end if;
	return array[now[1] + 1, case when sets then now[1] + 1 else 0 end];
end
$$;
-- The same for several changes, in their order.
create aggregate state_fold(int8, bool, int8, bool) (
	sfunc = state_step,
	stype = int8[]
);

-- The words of a text.  The name is that of one of PostgreSQL's own
-- configurations, as these are there also when a dump is read back; not a
-- regconfig, with which pg_upgrade(1) could not move the database.
create function memory_words(language text, content text) returns tsvector
language sql immutable parallel safe as $$
	select to_tsvector(
	    ('pg_catalog.' || quote_ident(language))::regconfig, content)
$$;

-- What somebody looks for.  Null: there is no such language, or PostgreSQL
-- cannot read the query (one of forty hyphens is too much for its parser).
create function memory_query(language text, query text) returns tsquery
language plpgsql stable as $$
begin
	return websearch_to_tsquery(
	    ('pg_catalog.' || quote_ident(language))::regconfig, query);
exception
	when undefined_object or syntax_error or program_limit_exceeded
	    or internal_error then
		return null;
end
$$;

-- What a memory is chosen by: all of it in one index, with the mesh, so that
-- what others remember costs nothing.  What is null is left out.  An index
-- takes no text of 4096 bytes.
create function memory_terms(mesh uuid, member uuid, by text, tags text[])
returns text[]
language sql immutable parallel safe as $$
	select array_remove(array['mesh ' || mesh::text,
	    'member ' || member::text, 'by ' || by], null) || array(select
		case when octet_length(t) <= 256 then 'tag ' || t
		else 'long tag ' || md5(t) end from unnest(tags) as t)
$$;

alter table memory
	drop column search,
	add column language text not null default 'english',
	-- The author's name as names are compared; null: nearly so.
	add column by_folded text;
alter table memory
	add column search tsvector not null
		generated always as (memory_words(language, content)) stored,
	add column terms text[] not null
		generated always as (memory_terms(mesh_id, member_id,
		    coalesce(by_folded, lower(by_name)), tags)) stored;
create index memory_search on memory using gin (search, terms)
	where forgotten_at is null;
-- By their age, which their ids have.
create index memory_newest on memory (mesh_id, id) where forgotten_at is null;
create index memory_forgotten on memory (mesh_id, id)
	where forgotten_at is not null;
drop index memory_mesh;
