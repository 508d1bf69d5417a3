-- Times are microseconds since 1970 in UTC; NULL is never, or not known.
CREATE TABLE {prefix}jwt_families (
	id             TEXT    NOT NULL PRIMARY KEY,
	user_id        TEXT    NOT NULL,
	client_id      TEXT    NOT NULL,
	scopes         TEXT,               -- separated by spaces; NULL is not limited
	created        INTEGER NOT NULL,
	last_used      INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	max_expires_at INTEGER NOT NULL,
	revoked_at     INTEGER,
	ip             TEXT    NOT NULL,
	user_agent     TEXT    NOT NULL,
	stamp          TEXT    NOT NULL,
	auth_time      INTEGER,
	amr            TEXT,               -- a JSON array
	acr            TEXT    NOT NULL,
	claims         TEXT                -- a JSON object
) WITHOUT ROWID;

CREATE INDEX {prefix}jwt_families_user ON {prefix}jwt_families (user_id, created);

CREATE INDEX {prefix}jwt_families_expires ON {prefix}jwt_families (expires_at);

CREATE TABLE {prefix}jwt_refresh (
	digest     TEXT    NOT NULL PRIMARY KEY,
	family_id  TEXT    NOT NULL REFERENCES {prefix}jwt_families (id),
	issued     INTEGER,
	expires_at INTEGER NOT NULL,
	rotated    INTEGER,
	successor  TEXT    NOT NULL,   -- a digest, or ''
	sealed     BLOB
) WITHOUT ROWID;

CREATE INDEX {prefix}jwt_refresh_family ON {prefix}jwt_refresh (family_id, expires_at);
