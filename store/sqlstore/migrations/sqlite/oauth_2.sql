-- Lists of grants come in pages, the newest first, and step over none that ended. What
-- each client has of a user is read in the order of the client, and what it has for itself
-- is counted in the index alone.
CREATE INDEX {prefix}oauth_grants_live ON {prefix}oauth_grants (user_id, revoked_at, id);

CREATE INDEX {prefix}oauth_grants_live_client ON {prefix}oauth_grants
	(user_id, revoked_at, client_id, id, expires_at);

DROP INDEX {prefix}oauth_grants_user;
