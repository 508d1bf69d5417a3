-- A purge takes the grants that ended some time ago, in order.
CREATE INDEX {prefix}oauth_grants_ended ON {prefix}oauth_grants (revoked_at) WHERE revoked_at IS NOT NULL;
