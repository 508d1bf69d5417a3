-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}knox_tokens (
	digest         TEXT COLLATE "C" NOT NULL,
	id             TEXT COLLATE "C" NOT NULL,
	user_id        TEXT COLLATE "C" NOT NULL,
	name           TEXT NOT NULL,
	scopes         TEXT,   -- separated by spaces; NULL is not limited
	created        BIGINT NOT NULL,
	expires_at     BIGINT,
	slide          BIGINT NOT NULL, -- microseconds
	max_expires_at BIGINT,
	last_used      BIGINT,   -- in no index, so that a touch writes none
	ip             TEXT NOT NULL,
	user_agent     TEXT NOT NULL,
	stamp          TEXT COLLATE "C" NOT NULL,
	auth_time      BIGINT,
	amr            TEXT NOT NULL, -- a JSON array
	acr            TEXT NOT NULL,
	PRIMARY KEY (digest)
) WITH (fillfactor = 85);

CREATE INDEX {prefix}knox_tokens_user ON {prefix}knox_tokens (user_id, id);

CREATE INDEX {prefix}knox_tokens_expires ON {prefix}knox_tokens (expires_at);

-- What is kept of tokens that ended. Nothing here can be used as a token.
CREATE TABLE {prefix}knox_ended (
	n          BIGINT GENERATED ALWAYS AS IDENTITY,
	id         TEXT COLLATE "C" NOT NULL,
	user_id    TEXT COLLATE "C" NOT NULL,
	name       TEXT NOT NULL,
	scopes     TEXT,   -- as in knox_tokens
	created    BIGINT NOT NULL,
	last_used  BIGINT,
	ended_at   BIGINT NOT NULL,
	reason     TEXT COLLATE "C" NOT NULL,
	ip         TEXT NOT NULL,
	user_agent TEXT NOT NULL,
	PRIMARY KEY (n)
);

CREATE INDEX {prefix}knox_ended_user ON {prefix}knox_ended (user_id, ended_at);

CREATE INDEX {prefix}knox_ended_ended ON {prefix}knox_ended (ended_at);
