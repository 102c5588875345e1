-- What a session shows of itself, and how it was proven.
alter table session
	-- A session_hello proved that its client has the session key: from
	-- then on only a session_hello may take the session up again.
	add column proven bool not null default false,
	-- Not shown to others, and in no multicast.
	add column hidden bool not null default false,
	add column role text not null default '',
	add column channel text not null default '',
	add column profile json,
	add column stats json,
	-- When it was there before the present connection; null: never.
	add column seen_at timestamptz;
