-- Several hosts on one database.

-- Which meshes a host serves: the others send it what concerns them, and only
-- that.  Without a foreign key: a host may serve before its first lease.
create table host_mesh (
	host_id uuid not null,
	mesh_id uuid not null,
	primary key (host_id, mesh_id)
);
