-- Times are microseconds since 1970 in UTC; NULL is not decided.
CREATE TABLE {prefix}jwt_keys (
	id         TEXT    NOT NULL PRIMARY KEY,
	algorithm  TEXT    NOT NULL,
	sealed     BLOB    NOT NULL,
	created    INTEGER NOT NULL,
	signs      INTEGER NOT NULL,
	expires_at INTEGER
);
