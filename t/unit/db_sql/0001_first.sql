create table item (
	ord bigserial,
	id uuid primary key,
	k int8 not null check (k <> 666),
	body text,
	data bytea,
	at timestamptz
);
create table child (item_id uuid not null references item, name text not null);
