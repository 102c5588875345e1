-- Messages that are sent later.

-- What is not sent yet.  It is sent by its sender as it was then: the row has
-- what a session would know.
create table schedule (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	sender_session uuid not null,
	sender_key bytea not null,
	sender_name text not null,
	-- By a tool, on behalf of the member.
	control bool not null,
	targets text[] not null,
	priority int2 not null,
	subtype int2 not null,
	-- Null: the body is plain text; else what a client encrypted.
	nonce text,
	body text not null,
	-- Null: once.
	cron text,
	until_at timestamptz,
	-- Null: it could not be sent, and will not be tried again.
	due_at timestamptz,
	created_at timestamptz not null,
	sent int8 not null default 0,
	-- When it was last sent or tried, and why it was not sent.
	last_at timestamptz,
	last_error text
);
create index schedule_due on schedule (due_at) where due_at is not null;
create index schedule_member on schedule (member_id);
create index schedule_mesh on schedule (mesh_id, due_at, id);
create index schedule_over on schedule (last_at) where due_at is null;

-- What few messages have; message_more.c has the order.
alter table message add column more text[];
