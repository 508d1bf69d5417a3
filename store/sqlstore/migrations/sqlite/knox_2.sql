-- What is kept of tokens that ended. Nothing here can be used as a token.
CREATE TABLE {prefix}knox_ended (
	n          INTEGER NOT NULL PRIMARY KEY,
	id         TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	scopes     TEXT,                -- as in knox_tokens
	created    INTEGER NOT NULL,
	last_used  INTEGER,
	ended      INTEGER NOT NULL,
	reason     TEXT    NOT NULL,
	ip         TEXT    NOT NULL,
	user_agent TEXT    NOT NULL
);

CREATE INDEX {prefix}knox_ended_user ON {prefix}knox_ended (user_id, ended);

CREATE INDEX {prefix}knox_ended_ended ON {prefix}knox_ended (ended);
