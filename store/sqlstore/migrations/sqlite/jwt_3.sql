-- A purge takes the logins that ended some time ago, in order.
CREATE INDEX {prefix}jwt_families_ended ON {prefix}jwt_families (revoked_at) WHERE revoked_at IS NOT NULL;
