-- What is known of users whose credentials were all made void; others have no
-- row. Times are microseconds since 1970 in UTC.
CREATE TABLE {prefix}owners (
	user_id    TEXT    NOT NULL PRIMARY KEY,
	generation INTEGER NOT NULL,
	voided     INTEGER NOT NULL    -- what was issued until then is void
) WITHOUT ROWID;
