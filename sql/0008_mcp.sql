-- Sessions of the Model Context Protocol over HTTP, of the revisions that have
-- them: what is remembered of a client between its requests.

create table mcp_session (
	-- Random: who knows it and the token may use it.
	id uuid primary key,
	token_id uuid not null references token on delete cascade,
	revision text not null,
	-- URIs of which it wants to hear.
	subscriptions text[] not null default '{}',
	-- What it lets itself be asked, bits as in src/mcp/mcp_request.h; what
	-- it answered and nobody has taken yet, the newest 32.
	can bigint not null default 0,
	answers text[] not null default '{}',
	-- Within a minute.
	seen_at timestamptz not null default now()
);
create index mcp_session_token on mcp_session (token_id, seen_at);
create index mcp_session_seen on mcp_session (seen_at);

-- Visitors: sessions of who shows a token and has no connection.  No host has
-- one, and its ref names no process.
alter table session
	alter column host_id drop not null,
	alter column incarnation drop not null,
	-- Whose they are.  Without a foreign key: a token goes long after it is
	-- over, and then no session of it is there.
	add column token_id uuid,
	-- When one was last used or changed; it rises with each change, and of
	-- two tellings of it that with the later one counts.
	add column used_at timestamptz;
create index session_token on session (token_id)
	where token_id is not null and ended_at is null;
create index session_used on session (used_at)
	where used_at is not null and ended_at is null;
create index session_works on session (status_at)
	where status = 1 and token_id is not null and ended_at is null;
