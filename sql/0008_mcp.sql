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
