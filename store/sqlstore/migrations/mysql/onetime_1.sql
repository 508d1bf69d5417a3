-- Times are microseconds since 1970 in UTC; NULL is not yet.
CREATE TABLE {prefix}onetime (
	digest     VARBINARY(255) NOT NULL,
	user_id    VARBINARY(512) NOT NULL,
	purpose    VARBINARY(64) NOT NULL,
	about      TEXT NOT NULL,
	stamp      VARBINARY(512) NOT NULL,
	created    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used       BIGINT,
	PRIMARY KEY (digest),
	KEY {prefix}onetime_user (user_id, purpose, created),
	KEY {prefix}onetime_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
