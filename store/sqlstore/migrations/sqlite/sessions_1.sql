-- Times are microseconds since 1970 in UTC.
CREATE TABLE {prefix}sessions (
	digest         TEXT    NOT NULL PRIMARY KEY,
	id             TEXT    NOT NULL,
	user_id        TEXT    NOT NULL,   -- '' marks a session that has another digest now
	owner          TEXT    NOT NULL,   -- of such a mark, whose session it was; else ''
	scopes         TEXT,               -- separated by spaces; NULL is not limited
	remembered     INTEGER NOT NULL,   -- 0 or 1
	created        INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	idle           INTEGER NOT NULL,   -- microseconds
	max_expires_at INTEGER NOT NULL,
	last_used      INTEGER NOT NULL,
	ip             TEXT    NOT NULL,
	user_agent     TEXT    NOT NULL,
	stamp          TEXT    NOT NULL,
	auth_time      INTEGER,            -- NULL is not known
	amr            TEXT    NOT NULL,   -- a JSON array since version 2, and separated by spaces before
	acr            TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}sessions_user ON {prefix}sessions (user_id, id);

CREATE INDEX {prefix}sessions_expires ON {prefix}sessions (expires_at);
