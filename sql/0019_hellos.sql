-- compatible: 1
-- Hellos that were under way for long.

-- When the client says that it said the hello by which the session is open.
alter table session
	add column said_at timestamptz;
