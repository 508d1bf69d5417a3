-- Times are microseconds since 1970 in UTC.
CREATE TABLE {prefix}sessions (
	digest         TEXT COLLATE "C" NOT NULL,
	id             TEXT COLLATE "C" NOT NULL,
	user_id        TEXT COLLATE "C" NOT NULL, -- '' marks a session that has another digest now
	owner          TEXT COLLATE "C" NOT NULL, -- of such a mark, whose session it was; else ''
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	remembered     BOOLEAN NOT NULL,
	created        BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	idle           BIGINT NOT NULL, -- microseconds
	max_expires_at BIGINT NOT NULL,
	last_used      BIGINT NOT NULL, -- in no index, so that a touch writes none
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          TEXT COLLATE "C" NOT NULL,
	auth_time      BIGINT,   -- NULL is not known
	amr            TEXT NOT NULL, -- a JSON array
	acr            TEXT NOT NULL,
	PRIMARY KEY (digest)
) WITH (fillfactor = 85);

CREATE INDEX {prefix}sessions_user ON {prefix}sessions (user_id, id);

CREATE INDEX {prefix}sessions_expires ON {prefix}sessions (expires_at);
