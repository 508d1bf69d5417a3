-- A user has a row from the first time that a change counts or ends what the user has. The row is that change's lock.
-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}owners (
	user_id    TEXT COLLATE "C" NOT NULL,
	generation BIGINT NOT NULL,
	voided     BIGINT,   -- what was issued until then is void
	PRIMARY KEY (user_id)
);
