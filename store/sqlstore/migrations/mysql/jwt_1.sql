-- Times are microseconds since 1970 in UTC; NULL is never, or not known.
CREATE TABLE {prefix}jwt_families (
	id             VARBINARY(64) NOT NULL,
	user_id        VARBINARY(512) NOT NULL,
	client_id      VARBINARY(1024) NOT NULL,
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	created        BIGINT NOT NULL,
	last_used      BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	max_expires_at BIGINT NOT NULL,
	revoked_at     BIGINT,
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          VARBINARY(512) NOT NULL,
	auth_time      BIGINT,
	amr            TEXT,   -- a JSON array
	acr            TEXT NOT NULL,
	claims         MEDIUMTEXT,   -- a JSON object
	PRIMARY KEY (id),
	KEY {prefix}jwt_families_live (user_id, revoked_at, id),
	KEY {prefix}jwt_families_expires (expires_at),
	KEY {prefix}jwt_families_ended (revoked_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}jwt_refresh (
	digest     VARBINARY(255) NOT NULL,
	family_id  VARBINARY(64) NOT NULL,
	issued     BIGINT,
	expires_at BIGINT NOT NULL,
	rotated    BIGINT,
	successor  VARBINARY(255) NOT NULL, -- a digest, or ''
	sealed     MEDIUMBLOB,
	adopted    BOOLEAN NOT NULL, -- of another system, and taken over
	PRIMARY KEY (digest),
	KEY {prefix}jwt_refresh_family (family_id, expires_at),
	FOREIGN KEY (family_id) REFERENCES {prefix}jwt_families (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
