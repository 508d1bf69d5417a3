-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}throttle (
	digest     VARBINARY(255) NOT NULL,
	failures   BIGINT NOT NULL,
	until      BIGINT,
	expires_at BIGINT,
	PRIMARY KEY (digest),
	KEY {prefix}throttle_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
