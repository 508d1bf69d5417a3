-- Times are microseconds since 1970 in UTC; NULL is not decided.
CREATE TABLE {prefix}jwt_keys (
	id         TEXT COLLATE "C" NOT NULL,
	algorithm  TEXT COLLATE "C" NOT NULL,
	sealed     BYTEA NOT NULL,
	created    BIGINT NOT NULL,
	signs      BIGINT NOT NULL,
	expires_at BIGINT,
	PRIMARY KEY (id)
);
