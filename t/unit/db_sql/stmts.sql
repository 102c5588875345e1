-- Statements for t/unit/db.c and t/unit/db_fault.c, in the form of
-- sql/stmts.sql.

-- Each type as a parameter and as a column.
-- name: types
select $1::uuid, $2::int8, $3::int4, $4::int2, $5::bool, $6::text, $7::bytea,
    $8::timestamptz, $9::json, $10::jsonb, $11::float8::int8, $12::text[];

-- name: types_batch batch 12
select * from unnest($1::int4[], $2::uuid[], $3::int8[], $4::int4[],
    $5::int2[], $6::bool[], $7::text[], $8::bytea[], $9::timestamptz[],
    $10::json[], $11::jsonb[], $12::float8[]) as
    t(n, a, b, c, d, e, f, g, h, i, j, k);

-- name: quoted
select '$1; -- "' || E'\\' || $1::text; -- $2

-- name: divide
select 1 / $1::int4;

-- name: series
select i::int4 from generate_series(1, $1::int4) as i;

-- name: wait
select count(*) from (select pg_sleep($1::int4 / 1000.0)) as s;

-- name: notify
select pg_notify('linnet_test', $1::text) is null;

-- name: item_put batch 6
with i as (
	select * from unnest($1::int4[], $2::uuid[], $3::int8[], $4::text[],
	    $5::bytea[], $6::timestamptz[]) as t(n, id, k, body, data, at)
), stored as (
	insert into item (id, k, body, data, at)
	select id, k, body, data, at from i order by n
	on conflict do nothing returning id
)
select i.n, i.k, stored.id is not null from i left join stored using (id);

-- name: item_add
insert into item (id, k) values ($1::uuid, 0) on conflict do nothing;

-- Refers to an item of the same transaction.
-- name: child_put batch 3
insert into child (item_id, name)
select id, name from unnest($1::int4[], $2::uuid[], $3::text[])
    as t(n, id, name);

-- Fails at the commit.
-- name: late_put batch 2
insert into late (k) select k from unnest($1::int4[], $2::int8[]) as t(n, k);

-- Every row of the second group comes back to its item, the last first.
-- name: parts batch 2
select p.n, i.tag || p.part
from unnest($1::int4[], $2::text[]) as i(n, tag)
join unnest($3::int4[], $4::text[]) with ordinality as p(n, part, o) using (n)
order by p.o desc;

-- name: tags batch 2
select n, tags::text[] from unnest($1::int4[], $2::text[]) as t(n, tags);
