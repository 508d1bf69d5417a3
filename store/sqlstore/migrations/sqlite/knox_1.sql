-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}knox_tokens (
	digest     TEXT    NOT NULL PRIMARY KEY,
	id         TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	scopes     TEXT,                -- separated by spaces; NULL is not limited
	created    INTEGER NOT NULL,
	expires    INTEGER,
	slide      INTEGER NOT NULL,    -- microseconds
	ends       INTEGER,
	last_used  INTEGER,
	ip         TEXT    NOT NULL,
	user_agent TEXT    NOT NULL,
	stamp      TEXT    NOT NULL,
	auth_time  INTEGER,
	amr        TEXT    NOT NULL,    -- separated by spaces
	acr        TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}knox_tokens_user ON {prefix}knox_tokens (user_id, id);

CREATE INDEX {prefix}knox_tokens_expires ON {prefix}knox_tokens (expires);
