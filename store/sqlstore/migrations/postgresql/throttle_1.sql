-- Times are microseconds since 1970 in UTC; NULL is never.
CREATE TABLE {prefix}throttle (
	digest     TEXT COLLATE "C" NOT NULL,
	failures   BIGINT NOT NULL,
	until      BIGINT,
	expires_at BIGINT,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}throttle_expires ON {prefix}throttle (expires_at);
