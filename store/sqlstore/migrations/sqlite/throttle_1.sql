-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}throttle (
	digest     TEXT    NOT NULL PRIMARY KEY,
	failures   INTEGER NOT NULL,
	until      INTEGER,
	expires_at INTEGER
) WITHOUT ROWID;

CREATE INDEX {prefix}throttle_expires ON {prefix}throttle (expires_at);
