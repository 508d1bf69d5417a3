-- Times are microseconds since 1970 in UTC; NULL is not decided.
CREATE TABLE {prefix}jwt_keys (
	id         VARBINARY(255) NOT NULL,
	algorithm  VARBINARY(64) NOT NULL,
	sealed     MEDIUMBLOB NOT NULL,
	created    BIGINT NOT NULL,
	signs      BIGINT NOT NULL,
	expires_at BIGINT,
	PRIMARY KEY (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
