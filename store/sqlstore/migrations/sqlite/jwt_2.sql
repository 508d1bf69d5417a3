-- The list of a user's logins comes in pages, the newest first, and steps over none
-- that ended.
CREATE INDEX {prefix}jwt_families_live ON {prefix}jwt_families (user_id, revoked_at, id);

DROP INDEX {prefix}jwt_families_user;
