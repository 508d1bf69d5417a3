-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}knox_tokens (
	digest         VARBINARY(255) NOT NULL,
	id             VARBINARY(64) NOT NULL,
	user_id        VARBINARY(512) NOT NULL,
	name           TEXT NOT NULL,
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	created        BIGINT NOT NULL,
	expires_at     BIGINT,
	slide          BIGINT NOT NULL, -- microseconds
	max_expires_at BIGINT,
	last_used      BIGINT,   -- in no index, so that a touch writes none
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          VARBINARY(512) NOT NULL,
	auth_time      BIGINT,
	amr            TEXT NOT NULL, -- a JSON array
	acr            TEXT NOT NULL,
	PRIMARY KEY (digest),
	KEY {prefix}knox_tokens_user (user_id, id),
	KEY {prefix}knox_tokens_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What is kept of tokens that ended. Nothing here can be used as a token.
CREATE TABLE {prefix}knox_ended (
	n          BIGINT NOT NULL AUTO_INCREMENT,
	id         VARBINARY(64) NOT NULL,
	user_id    VARBINARY(512) NOT NULL,
	name       TEXT NOT NULL,
	scopes     TEXT,   -- as in knox_tokens
	created    BIGINT NOT NULL,
	last_used  BIGINT,
	ended_at   BIGINT NOT NULL,
	reason     VARBINARY(64) NOT NULL,
	ip         TEXT NOT NULL,
	user_agent TEXT NOT NULL,
	PRIMARY KEY (n),
	KEY {prefix}knox_ended_user (user_id, ended_at),
	KEY {prefix}knox_ended_ended (ended_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
