-- A user has a row from the first time that a change counts or ends what the user has. The row is that change's lock.
-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}owners (
	user_id    VARBINARY(1100) NOT NULL,
	generation BIGINT NOT NULL,
	voided     BIGINT,   -- what was issued until then is void
	PRIMARY KEY (user_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
