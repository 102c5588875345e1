-- compatible: 1
-- Search, and what is remembered of messages.
--
-- An index that knows words alone reads all that has a word before it can tell
-- what the caller may see, and what is new.  So an entry of these indexes is a
-- word within a class of those who may see it: a mesh, for what all of its
-- members may see, or a channel, for what only that one's members may; a word
-- that is only elsewhere is not there at all.  And each row is in blocks of the
-- journal, of growing sizes, by which it is read from the newest back, no
-- further than needed.

-- The part of an id that is chance.
create function search_key(id uuid) returns int8
language sql immutable parallel safe as $$
	select ('x' || right(replace(id::text, '-', ''), 16))::bit(64)::int8
$$;
-- Blocks of 64, 512, 4096 ... lines of the journal of a mesh, by its key.
create function search_block(mesh int8, level int, block int8) returns int8
language sql immutable parallel safe as $$
	select mesh # ((level + 1)::int8 << 48) # block
$$;
create function search_in(channel uuid) returns int8
language sql immutable parallel safe as $$
	select search_key(channel) # (255::int8 << 48)
$$;

-- What a row is found by; a row without words is not.
create function search_terms(mesh uuid, channel uuid, class uuid, place int8,
    words tsvector) returns int8[]
language plpgsql immutable parallel safe as $$
declare
	whole int8 := search_key(mesh);
	within int8 := search_key(class);
	terms int8[];
	n int := 8;
	w text;
begin
	if length(words) = 0 then
		return '{}';
	end if;
	terms := array[search_in(channel),
	    search_block(whole, 0, place >> 6),
	    search_block(whole, 1, place >> 9),
	    search_block(whole, 2, place >> 12),
	    search_block(whole, 3, place >> 15),
	    search_block(whole, 4, place >> 18),
	    search_block(whole, 5, place >> 21),
	    search_block(whole, 6, place >> 24)];
	foreach w in array tsvector_to_array(words) loop
		n := n + 1;
		terms[n] := hashtextextended(w, within);
	end loop;
	return terms;
end
$$;

-- Who may see what is in a channel: a mesh, or the channel whose members do.
create function channel_class(c channel) returns uuid
language plpgsql stable as $$
begin
	return case when c.private or c.root_id is not null and exists (select
	    from channel r where r.id = c.root_id and r.private)
	then coalesce(c.root_id, c.id) else c.mesh_id end;
end
$$;
-- The classes of a member.
create function search_classes(mesh uuid, member uuid) returns uuid[]
language plpgsql stable as $$
begin
	return array(select c.id from channel_member m
	    join channel c on c.id = m.channel_id
	    where m.member_id = member and c.mesh_id = mesh
	    and c.closed_at is null and (c.private or exists (select
		from channel t where t.root_id = c.id and t.private))) || mesh;
end
$$;
create index channel_private_thread on channel (root_id)
	where root_id is not null and private;
create index channel_parent on channel (parent_id)
	where parent_id is not null;

-- Words are looked for in what text can hold: not in NUL.
create or replace function post_text(parts json) returns text
language plpgsql immutable parallel safe as $$
declare
	clean json := replace(parts::text, '\u0000', ' ');
	part json := clean -> 0;
begin
	-- Most have one, which costs less by itself.
	if json_array_length(clean) = 1 and part ->> 'type' = 'text' then
		return coalesce(part -> 'payload' ->> 'text', '');
	end if;
	return (select coalesce(string_agg(p -> 'payload' ->> 'text', ' '), '')
	from json_array_elements(clean) p where p ->> 'type' = 'text');
end
$$;
-- The same one by one, of the first so many the beginning.
create function post_texts(parts json) returns text[]
language sql immutable parallel safe as $$
	select array(select left(p -> 'payload' ->> 'text', 8192)
	    from json_array_elements(replace(parts::text, '\u0000', ' ')::json)
		as p
	    where p ->> 'type' = 'text' and p -> 'payload' ->> 'text' <> ''
	    limit 16)
$$;
-- Of a long text its beginning: words are for finding it.
create function search_words(content text) returns tsvector
language sql immutable parallel safe as $$
	select to_tsvector('pg_catalog.english', left(content, 32768))
$$;

drop index post_search;
alter table post
	drop column search,
	drop column terms,
	add column search tsvector not null default '',
	-- The head of the journal when it was stored.
	add column place int8 not null default 0,
	-- A thread begins at it.
	add column threaded bool not null default false,
	add column terms int8[] not null default '{}';
create function post_words() returns trigger language plpgsql as $$
declare
	root uuid;
	shut bool;
	head int8;
begin
	select coalesce(c.root_id, c.id), c.private into root, shut
	from channel c where c.id = new.channel_id;
	if root <> new.channel_id and not shut then
		select c.private into shut from channel c where c.id = root;
	end if;
	if tg_op = 'INSERT' then
		select j.n into head from journal j
		where j.mesh_id = new.mesh_id;
		new.place := coalesce(head, 0) + 1;
	end if;
	new.search := search_words(post_text(new.parts));
	new.terms := search_terms(new.mesh_id, new.channel_id, case
	    when root is null then new.channel_id when shut then root
	    else new.mesh_id end, new.place, new.search);
	if new.threaded and new.terms <> '{}' then
		new.terms := new.terms || search_in(new.mesh_id);
	end if;
	return new;
end
$$;
create trigger post_words before insert or update of parts, threaded on post
	for each row execute function post_words();
update post set parts = parts;
-- A small list of what is not sorted in yet: each search reads all of it.
-- search_settle in stmts.sql sorts it in from time to time.
create index post_search on post using gin (terms)
	with (gin_pending_list_limit = 64);

-- Names, by the beginning of each word in them, for those who may know of them.
create table search_name (
	class uuid not null,
	-- From that word to the end of the name.
	word text collate "C" not null,
	id uuid not null,
	is_member bool not null,
	primary key (class, word, id)
);
create index search_name_id on search_name (id);
create function search_name_words(name text) returns setof text
language sql immutable parallel safe as $$
	select distinct left(w, 128) from (select substr(name, i) as w
	    from generate_series(1, least(length(name), 256)) i
	    where substr(name, i, 1) ~ '[^[:space:][:punct:]]'
	    and (i = 1 or substr(name, i - 1, 1) ~ '[[:space:][:punct:]]')) t
	union select left(name, 128) where name <> ''
$$;
create function search_name_member() returns trigger language plpgsql as $$
begin
	delete from search_name where id = new.id;
	if new.revoked_at is null then
		insert into search_name select new.mesh_id, w, new.id, true
		    from search_name_words(new.name_folded) w;
	end if;
	return null;
end
$$;
create trigger search_name_member after insert or update of name_folded,
	revoked_at on member
	for each row execute function search_name_member();
create function search_name_channel() returns trigger language plpgsql as $$
begin
	delete from search_name where id = new.id;
	if new.root_id is null and new.closed_at is null then
		insert into search_name select channel_class(new), w, new.id,
		    false from search_name_words(new.name_folded) w;
	end if;
	if tg_op = 'INSERT' and new.root_id is not null then
		update post set threaded = true where id = new.parent_id
		    and channel_id = new.root_id and not threaded;
	end if;
	-- Other members may see what is in it.
	if tg_op = 'UPDATE' and new.private <> old.private then
		update post set parts = parts where channel_id in
		    (select id from channel where new.id in (id, root_id));
		update memory_unit set content = content where channel_id in
		    (select id from channel where new.id in (id, root_id));
	end if;
	return null;
end
$$;
create trigger search_name_channel after insert or update of name_folded,
	closed_at, private on channel
	for each row execute function search_name_channel();
create function search_name_gone() returns trigger language plpgsql as $$
begin
	delete from search_name where id = old.id;
	return null;
end
$$;
create trigger search_name_gone after delete on member
	for each row execute function search_name_gone();
create trigger search_name_gone after delete on channel
	for each row execute function search_name_gone();
insert into search_name select m.mesh_id, w, m.id, true from member m,
    search_name_words(m.name_folded) w where m.revoked_at is null;
insert into search_name select channel_class(c), w, c.id, false from channel c,
    search_name_words(c.name_folded) w
where c.root_id is null and c.closed_at is null;

-- What is remembered of messages: a passage that somebody said in a channel,
-- once, however often it was said.  It is there while one of these messages is.
create table memory_unit (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	channel_id uuid not null references channel on delete cascade,
	content text not null,
	-- Of the text in lower case.
	hash bytea not null,
	summary text not null,
	keywords text[] not null,
	member_id uuid not null,
	created_at timestamptz not null,
	-- When it was said again.
	updated_at timestamptz not null,
	-- It is for all of the mesh.
	promoted_at timestamptz,
	promoted_by uuid,
	promoted_summary text,
	-- As in post.
	place int8 not null,
	search tsvector not null default '',
	terms int8[] not null default '{}',
	unique (channel_id, hash)
);
create index memory_unit_search on memory_unit using gin (terms)
	with (gin_pending_list_limit = 64);
create index memory_unit_newest on memory_unit (channel_id, id);
create index memory_unit_promoted on memory_unit (mesh_id, id)
	where promoted_at is not null;
create table memory_source (
	unit_id uuid not null references memory_unit on delete cascade,
	post_id uuid not null,
	primary key (unit_id, post_id)
);
create index memory_source_post on memory_source (post_id);
create function memory_unit_words() returns trigger language plpgsql as $$
declare
	c channel;
begin
	select * into c from channel where id = new.channel_id;
	new.search := search_words(new.content || ' '
	    || coalesce(new.promoted_summary, ''));
	new.terms := search_terms(new.mesh_id, new.channel_id,
	    case when new.promoted_at is not null then new.mesh_id
	    else channel_class(c) end, new.place, new.search);
	return new;
end
$$;
create trigger memory_unit_words before insert or update of content,
	promoted_at, promoted_summary on memory_unit
	for each row execute function memory_unit_words();

-- What a message does not say any more, it is no source of.
create function memory_unsay() returns trigger language plpgsql as $$
declare
	was uuid[];
begin
	with gone as (
		delete from memory_source where post_id = old.id
		returning unit_id
	)
	select array_agg(unit_id) into was from gone;
	if was is null then
		return null;
	end if;
	-- In the order of their ids, as others lock them.
	perform from memory_unit where id = any (was) order by id for update;
	delete from memory_unit u where u.id = any (was)
	    and not exists (select from memory_source s where s.unit_id = u.id);
	return null;
end
$$;
create trigger memory_unsay after update of parts on post
	for each row when (old.parts::text <> new.parts::text)
	execute function memory_unsay();
create trigger memory_unsaid after delete on post
	for each row execute function memory_unsay();

-- How far the journal of a mesh was read for that, and which host does it.
create table memory_mark (
	mesh_id uuid primary key references mesh on delete cascade,
	n int8 not null default 0,
	host_id uuid,
	until timestamptz not null default '-infinity'
);

-- The words that a query cannot do without, as terms of these classes: two
-- sets, of each of which one has to be there; null: there is none.
create function search_sets(query tsquery, classes uuid[], out one int8[],
    out two int8[])
language plpgsql stable as $$
declare
	tree text := querytree(query);
	words text[];
begin
	if tree is null or tree in ('', 'T') then
		return;
	end if;
	if position(' | ' in tree) > 0 then
		-- One of each of those that are joined by "or".
		select array_agg(w) into words from (select (select m[1]
		    from regexp_matches(part, $w$'((?:[^']|'')+)'$w$, 'g') m
		    order by length(m[1]) desc limit 1) as w
		    from regexp_split_to_table(tree, ' \| ') part) t
		where w is not null;
		one := array(select hashtextextended(replace(w, '''''', ''''),
		    search_key(c)) from unnest(words) w, unnest(classes) c);
		two := one;
		return;
	end if;
	-- Long ones are rare.
	select array_agg(m order by length(m) desc) into words from (select
	    distinct replace(m[1], '''''', '''') as m
	    from regexp_matches(tree, $w$'((?:[^']|'')+)'$w$, 'g') m) t;
	one := array(select hashtextextended(words[1], search_key(c))
	    from unnest(classes) c);
	two := one;
	if words[2] is not null then
		two := array(select hashtextextended(words[2], search_key(c))
		    from unnest(classes) c);
	end if;
end
$$;

-- How good a find is by its words: 2 to 6.
create function search_rank(words tsvector, query tsquery) returns float8
language sql immutable parallel safe as $$
	select 2 + 4 * ts_rank_cd(words, query, 32)
$$;
-- And by its age: 1 to 0, in thirty days.
create function search_age(made timestamptz, now timestamptz) returns float8
language sql immutable parallel safe as $$
	select greatest(0, least(1, 1 - extract(epoch from now - made)
	    / 2592000))::float8
$$;

-- What was found: of which kind and where, when it was said or shown to all, how
-- good it is, but for its age, and its place in the journal.  A marked message
-- is one at which a thread begins, a marked unit a promoted one.
create type search_find as (kind int4, id uuid, channel_id uuid,
    at timestamptz, marked bool, good float8, place int8);

-- The newest posts, or units, with a word of each of two sets and with all of
-- the terms in also, in which a query is found, from a place back, at least so
-- many if there are; and the place that it looked back to, 0: the end.  step:
-- how many lines it looks at first.  With until not null it looks back to there
-- and no further.  Else it ends when it took long, or at back: nobody wants what
-- is before that.
--
-- To read a row costs more than to find it in the index, so it looks so far back
-- as it should take by what was found, and leaves a part as soon as it shows
-- that it has more than that.
create function search_latest(units bool, mesh uuid, query tsquery,
    one int8[], two int8[], also int8[], below int8, until int8, back int8,
    step int8, want int8, out finds search_find[], out ends int8)
language plpgsql stable set plan_cache_mode = force_generic_plan
set enable_seqscan = off set jit = off as $$
declare
	began timestamptz := clock_timestamp();
	whole int8 := search_key(mesh);
	floor int8 := greatest(until, back);
	most int8 := 256;
	far int8 := 9223372036854775807;
	looked bool := false;
	look int8 := 0;
	dense bool := false;
	first_round bool;
	from_place int8;
	hi int8;
	lo int8;
	span int8;
	level int;
	blocks int8[];
	had int8 := 0;
	n int8;
	last int8;
	rows_read int8;
	more search_find[];
begin
	finds := '{}';
	select least(below, j.n + 2), below > j.n into hi, first_round
	from journal j where j.mesh_id = mesh;
	-- Without a journal there is nothing, but the plans are made.
	hi := coalesce(hi, 1);
	if one is null then
		hi := floor;
	end if;
	if until is not null then
		want := 1000;
		most := 9223372036854775807;
		step := hi - floor;
	end if;
	from_place := hi;
	while hi > floor loop
		step := least(step, hi);
		look := least(look, hi);
		span := step;
		if floor = 0 and not looked and had < 8 and hi > 65536
		    and from_place - hi > 4096 then
			looked := true;
			look := hi;
		end if;
		if look > 4096 then
			-- Here and there in so many lines.
			blocks := array(select search_block(whole, 0,
			    (hi - 1 - look * i / 32) / 64)
			    from generate_series(0, 31) i);
			if units then
				select count(*), max(u.place) into n, last
				from memory_unit u where u.terms && one
				and u.terms && two and u.terms @> also
				and u.terms && blocks and u.search @@ query
				and u.place < hi;
			else
				select count(*), max(p.place) into n, last
				from post p where p.terms && one
				and p.terms && two and p.terms @> also
				and p.terms && blocks and p.search @@ query
				and p.place < hi;
			end if;
			if (hi - last) * n > look * 8
			    and hi - last > look / 8 then
				-- Many, but further back: where do they end?
				span := hi - last - look / 16;
				step := 64;
				look := look / 8;
			else
				step := look / 16;
				far := look / 4;
				if n > 1 then
					step := want * 3072 / n + 64;
					far := most * 1024 / n;
				end if;
				span := step;
				look := 0;
			end if;
		end if;
		lo := greatest(hi - span, floor);
		if lo = 0 and first_round then
			-- All that there is, but for what is had.
			blocks := one;
		else
			level := 0;
			while (hi - lo) >> (6 + 3 * level) > 16
			    and level < 6 loop
				level := level + 1;
			end loop;
			lo := greatest(floor, lo >> (6 + 3 * level)
			    << (6 + 3 * level));
			blocks := array(select search_block(whole, level, b)
			    from generate_series(lo >> (6 + 3 * level),
				(hi - 1) >> (6 + 3 * level)) b);
		end if;
		if units then
			with f as materialized (
				select u.id, u.channel_id, u.created_at,
				    u.promoted_at, u.search, u.place
				from memory_unit u where u.terms && one
				and u.terms && two and u.terms @> also
				and u.terms && blocks and u.search @@ query
				and u.place >= lo and u.place < hi
				limit case when hi - lo > 2048 then most end
			)
			select array_agg((4, g.id, g.channel_id,
			    coalesce(g.promoted_at, g.created_at),
			    g.promoted_at is not null,
			    search_rank(g.search, query), g.place)
			    ::search_find), count(*), min(g.place),
			    (select count(*) from f)
			into more, n, last, rows_read
			from (select * from f order by f.place desc
			    fetch first (want - had) rows with ties) g;
		else
			with f as materialized (
				select p.id, p.channel_id, p.created_at,
				    p.threaded, p.search, p.place
				from post p where p.terms && one
				and p.terms && two and p.terms @> also
				and p.terms && blocks and p.search @@ query
				and p.place >= lo and p.place < hi
				limit case when hi - lo > 2048 then most end
			)
			select array_agg((3, g.id, g.channel_id, g.created_at,
			    g.threaded, search_rank(g.search, query), g.place)
			    ::search_find), count(*), min(g.place),
			    (select count(*) from f)
			into more, n, last, rows_read
			from (select * from f order by f.place desc
			    fetch first (want - had) rows with ties) g;
		end if;
		if rows_read = most and hi - lo > 2048 then
			-- Too many, and of these not the newest.
			looked := true;
			look := case when dense then 0 else hi - lo end;
			step := (hi - lo) / 16;
			dense := true;
			continue;
		end if;
		dense := false;
		finds := finds || more;
		had := had + n;
		hi := case when had >= want then last else lo end;
		exit when had >= want or until is null and
		    clock_timestamp() - began > interval '40 milliseconds';
		-- No further than it takes if it goes on like that.
		step := step * 16;
		if had > 0 then
			step := least(step, (from_place - hi) * 3 / 2
			    * (want - had) / had + 1024);
		end if;
		if had < 4 then
			step := least(step, far);
		end if;
	end loop;
	ends := greatest(hi, 0);
end
$$;

-- Members and channels of which each of these words begins a word of the name.
create function search_names(classes uuid[], words text[], want int8)
returns table (id uuid, is_member bool)
language sql stable as $$
	select distinct n.id, n.is_member
	from unnest(classes) c, lateral (select * from search_name x
	    where x.class = c and x.word >= words[1]
	    and x.word < words[1] || U&'\+10FFFF'
	    order by x.class, x.word limit want) n
	where not exists (select from unnest(words[2:]) w
	    where not exists (select from search_name o where o.id = n.id
		and starts_with(o.word, w)))
$$;
-- How good a name is for what was looked for.
create function search_name_rank(name text, whole text) returns float8
language sql immutable parallel safe as $$
	select case when name = whole then 12
	    when starts_with(name, whole) then 8 else 5 end
$$;

-- Up to three passages with the words.
create function search_marks(content text, query tsquery) returns text[]
language sql stable as $$
	select string_to_array(ts_headline('pg_catalog.english',
	    left(content, 8192), query, 'StartSel="", StopSel="", '
	    'MaxFragments=3, MaxWords=12, MinWords=4, FragmentDelimiter="'
	    || U&'\001F' || '"'), U&'\001F')
$$;

-- A unit as a member may see it: where it was said, by whom and when, is for
-- those who may see that; others know of a promoted one that it was promoted.
create function memory_unit_as(u memory_unit, member uuid) returns memory_unit
language plpgsql stable as $$
begin
	if not exists (select from channel c where c.id = u.channel_id
	    and c.closed_at is null and channel_admits(c, member)) then
		u.channel_id := null;
		u.member_id := null;
		u.created_at := u.promoted_at;
		u.updated_at := u.promoted_at;
	end if;
	return u;
end
$$;

-- What is told of one.
create function memory_unit_row(u memory_unit, member uuid)
returns table (id uuid, channel_id uuid, thread bool, private bool,
    content text, summary text, keywords text[], member_id uuid,
    sources text[], promoted_at timestamptz, promoted_by uuid,
    promoted_summary text, created_at timestamptz, updated_at timestamptz)
language sql stable as $$
	select v.id, v.channel_id, c.root_id is not null,
	    channel_class(c) <> v.mesh_id, v.content, v.summary, v.keywords,
	    v.member_id, case when v.channel_id is not null then
		array(select replace(s.post_id::text, '-', '')
		    from memory_source s where s.unit_id = v.id
		    order by s.post_id desc limit 100) else '{}' end,
	    v.promoted_at, v.promoted_by, v.promoted_summary, v.created_at,
	    v.updated_at
	from memory_unit_as(u, member) v left join channel c
	on c.id = v.channel_id
$$;

-- What a member finds, the best first: a page of one round.  words: what it
-- looks for as names are compared, taken apart; whole: the same as one text;
-- kinds: bits (0 member, 1 channel, 2 thread, 3 message, 4 unit of memory, 5
-- memory); stream: only what is in this channel; now: the time that ages are
-- counted to; below, until: the round, places of the journal (until null: as far
-- as it gets); first: the round that has what is in no channel.  After the
-- score, kind and id given; at most so many.  The first row has no kind, and the
-- place where the round ends.
create function search_page(mesh uuid, member uuid, look_for text,
    words text[], whole text, kinds int8, stream uuid, now timestamptz,
    below int8, until int8, first bool, after_score int8, after_kind int8,
    after_id uuid, want int8)
returns table (kind int4, id uuid, score int8, title text, content text,
    marks text[], channel_id uuid, thread bool, private bool, promoted bool,
    by_member uuid, by_name text, seq int8, at timestamptz)
language plpgsql stable set plan_cache_mode = force_generic_plan
set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
	query tsquery := memory_query('english', look_for);
	classes uuid[] := search_classes(mesh, member);
	at_stream int8[] := '{}';
	sets record;
	found record;
	finds search_find[] := '{}';
	more search_find[];
	ends int8 := 0;
begin
	if stream is not null then
		at_stream := array[search_in(stream)];
	end if;
	select * into sets from search_sets(query, classes);
	if kinds & 12 <> 0 then
		-- Threads are with the messages at which they begin.
		select * into found from search_latest(false, mesh, query,
		    sets.one, sets.two, case when kinds & 8 = 0
		    then at_stream || search_in(mesh) else at_stream end,
		    below, until, 0, 1024, greatest(want, 50));
		finds := found.finds;
		ends := found.ends;
	end if;
	if kinds & 16 <> 0 then
		-- As far as messages were looked for there are not many more.
		select * into found from search_latest(true, mesh, query,
		    sets.one, sets.two, at_stream, below, until, ends,
		    case when kinds & 12 <> 0 then 9223372036854775807
		    else 1024 end, greatest(want, 50));
		finds := finds || found.finds;
		ends := found.ends;
	end if;
	-- Until there the same for all: the others come with the next round.
	if first and words[1] is not null and kinds & 3 <> 0 then
		select array_agg((case when n.is_member then 0 else 1 end, n.id,
		    null, null, false, 0, ends)::search_find) into more
		    from search_names(classes, words, 100) n;
		finds := finds || more;
	end if;
	if first and kinds & 32 <> 0 and stream is null then
		select array_agg((5, m.id, null, m.created_at, false,
		    search_rank(m.search, query) + 2, ends)::search_find)
		    into more
		    from (select * from memory m where m.search @@ query
			and m.terms @> memory_terms(mesh, null, null, '{}')
			and m.forgotten_at is null
			order by m.id desc limit 200) m;
		finds := finds || more;
	end if;
	return query select null::int4, null::uuid, ends, null::text,
	    null::text, null::text[], null::uuid, null::bool, null::bool,
	    null::bool, null::uuid, null::text, null::int8, null::timestamptz;
	return query with here as materialized (
		select f.* from unnest(finds) f where f.place >= ends
	), seen as materialized (
		-- As channel_admits() says, by what is known of the member.
		select c.id, case when c.private or r.private
		    then coalesce(r.id, c.id) else c.mesh_id end = any (classes)
		    as admits
		from (select distinct h.channel_id from here h) h
		join channel c on c.id = h.channel_id
		left join channel r on r.id = c.root_id
		where c.closed_at is null
	), good as (
		select h.kind, h.id, h.good + search_age(h.at, now)
		    + case when h.kind = 3 then 0 when h.marked then 2
		    else 1 end as rank
		from here h join seen s on s.id = h.channel_id
		where h.kind = 3 and kinds & 8 <> 0 and s.admits
		or h.kind = 4 and (s.admits or h.marked)
		union all
		select 2, t.id, h.good + 1 + search_age(t.created_at, now)
		from here h join channel t on t.parent_id = h.id
		    and t.root_id = h.channel_id
		join channel r on r.id = h.channel_id
		where h.kind = 3 and h.marked and kinds & 4 <> 0
		and t.closed_at is null
		and case when t.private or r.private then r.id
		    else t.mesh_id end = any (classes)
		union all
		select h.kind, h.id, h.good + search_age(h.at, now)
		from here h where h.kind = 5
		union all
		select h.kind, m.id, search_name_rank(m.name_folded, whole) + 3
		    + search_age(m.joined_at, now)
		from here h join member m on m.id = h.id
		where h.kind = 0 and kinds & 1 <> 0 and stream is null
		and m.revoked_at is null
		union all
		select h.kind, c.id, search_name_rank(c.name_folded, whole) + 2
		    + search_age(c.created_at, now)
		from here h join channel c on c.id = h.id
		where h.kind = 1 and kinds & 2 <> 0
		and (stream is null or c.id = stream)
		and c.closed_at is null
		and case when c.private then c.id else c.mesh_id end
		    = any (classes)
	), page as (
		select g.kind, g.id, (g.rank * 1000)::int8 as score from good g
		where ((g.rank * 1000)::int8, g.kind, g.id)
		    < (after_score, after_kind, after_id)
		order by 3 desc, g.kind desc, g.id desc limit want
	)
	select b.kind, b.id, b.score,
	    left(coalesce(x.title, x.content), 80), left(x.content, 161),
	    search_marks(x.content, query), s.id, s.root_id is not null,
	    s.private or exists (select from channel r
		where r.id = s.root_id and r.private),
	    x.promoted, x.by_member, x.by_name, x.seq, x.at
	from page b, lateral (
		select m.name as title, m.name as content,
		    null::uuid as channel_id, false as promoted,
		    null::uuid as by_member, null as by_name,
		    null::int8 as seq, m.joined_at as at
		from member m where b.kind = 0 and m.id = b.id
		union all
		select c.name, concat_ws(' ', '#' || c.name,
		    nullif(c.topic, '')), c.id, false, c.member_id, c.by_name,
		    c.seq, c.created_at
		from channel c where b.kind = 1 and c.id = b.id
		union all
		select 're: ' || w, w, c.id, false, c.member_id, c.by_name,
		    c.seq, c.created_at
		from channel c join post p on p.id = c.parent_id,
		    post_text(p.parts) w
		where b.kind = 2 and c.id = b.id
		union all
		select null, post_text(p.parts), p.channel_id, false,
		    p.member_id, p.by_name, p.seq,
		    coalesce(p.edited_at, p.created_at)
		from post p where b.kind = 3 and p.id = b.id
		union all
		select coalesce(u.promoted_summary, u.summary), u.content,
		    v.channel_id, v.promoted_at is not null, v.member_id, null,
		    null, v.updated_at
		from memory_unit u, memory_unit_as(u, member) v
		where b.kind = 4 and u.id = b.id
		union all
		select null, k.content, null, false, k.member_id,
		    k.by_name, null, k.created_at
		from memory k where b.kind = 5 and k.id = b.id) x
	left join channel s on s.id = x.channel_id
	order by b.score desc, b.kind desc, b.id desc;
end
$$;

-- Members, channels and threads that a member may mean, the best first.
create function search_suggest(mesh uuid, member uuid, look_for text,
    words text[], whole text, members bool, want int8)
returns table (kind int4, id uuid, title text)
language plpgsql stable set plan_cache_mode = force_generic_plan
set enable_seqscan = off set jit = off as $$
#variable_conflict use_column
declare
	query tsquery := memory_query('english', look_for);
	classes uuid[] := search_classes(mesh, member);
begin
	return query with names as materialized (
		select n.* from search_names(classes, words, 100) n
	), finds as (
		select 0 as kind, m.id, m.name as title,
		    search_name_rank(m.name_folded, whole) as rank,
		    m.joined_at as at
		from names n join member m on m.id = n.id
		where members and n.is_member and m.revoked_at is null
		union all
		select 1, c.id, c.name, search_name_rank(c.name_folded, whole),
		    c.created_at
		from names n join channel c on c.id = n.id
		where not n.is_member and c.closed_at is null
		and channel_admits(c, member)
		union all
		select 2, t.id, left('re: ' || post_text(p.parts), 80), 0,
		    t.created_at
		from search_sets(query, classes) s, search_latest(false, mesh, query,
		    s.one, s.two, array[search_in(mesh)], 9223372036854775807,
		    null, 0, 1024, want) l, unnest(l.finds) f
		join post p on p.id = f.id join channel t on t.parent_id = p.id
		and t.root_id = p.channel_id
		where t.closed_at is null and channel_admits(t, member)
	)
	select f.kind, f.id, f.title from finds f
	order by f.rank desc, f.at desc, f.id limit want;
end
$$;
