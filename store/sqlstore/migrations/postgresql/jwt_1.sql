-- Times are microseconds since 1970 in UTC; NULL is never, or not known.
CREATE TABLE {prefix}jwt_families (
	id             TEXT COLLATE "C" NOT NULL,
	user_id        TEXT COLLATE "C" NOT NULL,
	client_id      TEXT COLLATE "C" NOT NULL,
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	created        BIGINT NOT NULL,
	last_used      BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	max_expires_at BIGINT NOT NULL,
	revoked_at     BIGINT,
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          TEXT COLLATE "C" NOT NULL,
	auth_time      BIGINT,
	amr            TEXT,   -- a JSON array
	acr            TEXT NOT NULL,
	claims         TEXT,   -- a JSON object
	PRIMARY KEY (id)
) WITH (fillfactor = 85);

CREATE INDEX {prefix}jwt_families_live ON {prefix}jwt_families (user_id, id) WHERE revoked_at IS NULL;

CREATE INDEX {prefix}jwt_families_expires ON {prefix}jwt_families (expires_at);

CREATE INDEX {prefix}jwt_families_ended ON {prefix}jwt_families (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE {prefix}jwt_refresh (
	digest     TEXT COLLATE "C" NOT NULL,
	family_id  TEXT COLLATE "C" NOT NULL REFERENCES {prefix}jwt_families (id),
	issued     BIGINT,
	expires_at BIGINT NOT NULL,
	rotated    BIGINT,
	successor  TEXT COLLATE "C" NOT NULL, -- a digest, or ''
	sealed     BYTEA,
	adopted    BOOLEAN NOT NULL, -- of another system, and taken over
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}jwt_refresh_family ON {prefix}jwt_refresh (family_id, expires_at);
