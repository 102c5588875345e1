-- compatible: 1
-- People: what kind of member somebody is, passwords, tokens that others made,
-- and meshes that applications make.

alter table member
	-- human, agent, app or bridge.
	add column kind text not null default 'agent',
	-- As crypto_pwhash_str() of libsodium makes it; null: it has none.
	add column password text;
create index member_page on member (mesh_id, id) where revoked_at is null;

alter table token
	-- It was made with this one, and ends with it.
	add column parent_id uuid references token on delete cascade,
	-- Somebody showed a password for it.
	add column login bool not null default false;
create index token_parent on token (parent_id) where parent_id is not null;
create index token_login on token (member_id, id) where login;

-- Is the token good of which another one is made (null: of none), and so until
-- the transaction ends?
create function token_holds(parent uuid) returns bool
language plpgsql as $$
begin
	perform from token where id = parent and revoked_at is null for share;
	return parent is null or found;
end
$$;

-- A token ends, with all that were made of it: a function, as what waited for
-- the journal does not see those that were made meanwhile.
create function token_end(top uuid)
returns table (token_id uuid, of_member uuid, was_good bool)
language sql as $$
	with recursive below as (
		select $1 as id
		union
		select c.id from token c join below b on c.parent_id = b.id
	)
	update token t set revoked_at = now() from below b
	where t.id = b.id and t.revoked_at is null
	returning t.id, t.member_id, t.expires_at > now()
$$;

-- A member gets another password.  Whoever had logged in with the old one has
-- to do it again, but for the token keep; also who is just doing it: login_put
-- has the member's row when it looks at the password.
create function password_set(one uuid, mesh uuid, hashed text, keep uuid)
returns bool language plpgsql as $$
begin
	update member m set password = hashed
	where m.id = one and m.mesh_id = mesh and m.revoked_at is null;
	if not found then
		return false;
	end if;
	update token t set revoked_at = now() where t.member_id = one
	and t.login and t.revoked_at is null and t.id is distinct from keep;
	return true;
end
$$;

-- Where else a member can be reached, as its programs said.
create table client (
	id uuid primary key,
	mesh_id uuid not null references mesh on delete cascade,
	member_id uuid not null references member on delete cascade,
	endpoint text not null,
	metadata json not null,
	created_at timestamptz not null default now()
);
create index client_mesh on client (mesh_id);
create index client_member on client (member_id, id);

-- A mesh, and where there is an owner, who has its key, the owner and its
-- token.  False: another one has the slug.
create function mesh_make(mesh uuid, slug text, name text, key bytea,
    root_key text, owner uuid, owner_name text, owner_folded text,
    owner_kind text, token uuid, digest bytea, key_name bytea, scopes text[],
    expires_ms int8) returns bool
language plpgsql as $$
begin
	insert into mesh (id, slug, name, owner_key, root_key)
	values (mesh, slug, name, key, root_key) on conflict do nothing;
	if not found then
		return exists (select from mesh m where m.id = mesh_make.mesh);
	end if;
	if owner is null then
		return true;
	end if;
	insert into member (id, mesh_id, key, name, name_folded, kind, role)
	values (owner, mesh, key, owner_name, owner_folded, owner_kind,
	    'owner');
	perform journal_note(mesh, 'membership.updated', jsonb_build_object(
	    'actorId', journal_id(owner), 'addedByActorId', null,
	    'displayName', owner_name, 'role', 'owner', 'scope', 'org'));
	insert into token (id, mesh_id, member_id, digest, key_name, name,
	    scopes, expires_at)
	values (token, mesh, owner, digest, key_name, '', scopes,
	    to_timestamp(expires_ms / 1000.0));
	return true;
end
$$;
