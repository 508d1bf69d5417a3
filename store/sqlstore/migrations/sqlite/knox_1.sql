-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}knox_tokens (
	digest         TEXT    NOT NULL PRIMARY KEY,
	id             TEXT    NOT NULL,
	user_id        TEXT    NOT NULL,
	name           TEXT    NOT NULL,
	scopes         TEXT,               -- separated by spaces; NULL is not limited
	created        INTEGER NOT NULL,
	expires_at     INTEGER,
	slide          INTEGER NOT NULL,   -- microseconds
	max_expires_at INTEGER,
	last_used      INTEGER,
	ip             TEXT    NOT NULL,
	user_agent     TEXT    NOT NULL,
	stamp          TEXT    NOT NULL,
	auth_time      INTEGER,
	amr            TEXT    NOT NULL,   -- a JSON array since version 2, and separated by spaces before
	acr            TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}knox_tokens_user ON {prefix}knox_tokens (user_id, id);

CREATE INDEX {prefix}knox_tokens_expires ON {prefix}knox_tokens (expires_at);

-- What is kept of tokens that ended. Nothing here can be used as a token.
CREATE TABLE {prefix}knox_ended (
	n          INTEGER NOT NULL PRIMARY KEY,
	id         TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	scopes     TEXT,               -- as in knox_tokens
	created    INTEGER NOT NULL,
	last_used  INTEGER,
	ended_at   INTEGER NOT NULL,
	reason     TEXT    NOT NULL,
	ip         TEXT    NOT NULL,
	user_agent TEXT    NOT NULL
);

CREATE INDEX {prefix}knox_ended_user ON {prefix}knox_ended (user_id, ended_at);

CREATE INDEX {prefix}knox_ended_ended ON {prefix}knox_ended (ended_at);
