-- Times are microseconds since 1970 in UTC; NULL is not yet.
CREATE TABLE {prefix}onetime (
	digest     TEXT COLLATE "C" NOT NULL,
	user_id    TEXT COLLATE "C" NOT NULL,
	purpose    TEXT COLLATE "C" NOT NULL,
	about      TEXT NOT NULL,
	stamp      TEXT COLLATE "C" NOT NULL,
	created    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used       BIGINT,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}onetime_user ON {prefix}onetime (user_id, purpose, created);

CREATE INDEX {prefix}onetime_expires ON {prefix}onetime (expires_at);
