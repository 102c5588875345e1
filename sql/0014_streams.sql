-- compatible: 1
-- What a journal tells to those whom it concerns.

-- Does a line name the member, as who did it or to whom it was done?
create function event_concerns(payload text, member uuid) returns bool
language sql immutable parallel safe as $$
	select strpos(payload, replace(member::text, '-', '')) > 0
	and exists (select from json_each_text(payload::json) as p
	    where p.value = replace(member::text, '-', '')
	    and p.key in ('actorId', 'createdByActorId', 'resolverActorId',
		'revokedByActorId', 'redactedByActorId', 'promotedByActorId',
		'deletedByActorId', 'addedByActorId', 'removedByActorId',
		'indexedByActorId', 'ownerActorId', 'mentionedActorId'))
$$;
