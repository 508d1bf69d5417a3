-- Times are microseconds since 1970 in UTC; NULL is not yet.
CREATE TABLE {prefix}onetime (
	digest     TEXT    NOT NULL PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	purpose    TEXT    NOT NULL,
	about      TEXT    NOT NULL,
	stamp      TEXT    NOT NULL,
	created    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used       INTEGER
) WITHOUT ROWID;

CREATE INDEX {prefix}onetime_user ON {prefix}onetime (user_id, purpose, created);

CREATE INDEX {prefix}onetime_expires ON {prefix}onetime (expires_at);
