-- Times are microseconds since 1970 in UTC.
CREATE TABLE {prefix}sessions (
	digest         VARBINARY(255) NOT NULL,
	id             VARBINARY(64) NOT NULL,
	user_id        VARBINARY(512) NOT NULL, -- '' marks a session that has another digest now
	owner          VARBINARY(512) NOT NULL, -- of such a mark, whose session it was; else ''
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	remembered     BOOLEAN NOT NULL,
	created        BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	idle           BIGINT NOT NULL, -- microseconds
	max_expires_at BIGINT NOT NULL,
	last_used      BIGINT NOT NULL, -- in no index, so that a touch writes none
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          VARBINARY(512) NOT NULL,
	auth_time      BIGINT,   -- NULL is not known
	amr            TEXT NOT NULL, -- a JSON array
	acr            TEXT NOT NULL,
	PRIMARY KEY (digest),
	KEY {prefix}sessions_user (user_id, id),
	KEY {prefix}sessions_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
