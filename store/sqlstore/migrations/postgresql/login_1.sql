-- Times are microseconds since 1970 in UTC; NULL is not known.
CREATE TABLE {prefix}login_identities (
	issuer         TEXT COLLATE "C" NOT NULL,
	subject        TEXT COLLATE "C" NOT NULL,
	id             TEXT COLLATE "C" NOT NULL,
	user_id        TEXT COLLATE "C" NOT NULL,
	provider       TEXT COLLATE "C" NOT NULL,
	email          TEXT NOT NULL,
	email_verified BOOLEAN NOT NULL,
	name           TEXT NOT NULL,
	created        BIGINT,
	last_used      BIGINT,
	PRIMARY KEY (issuer, subject)
) WITH (fillfactor = 85);

CREATE UNIQUE INDEX {prefix}login_identities_id ON {prefix}login_identities (id);

CREATE INDEX {prefix}login_identities_user ON {prefix}login_identities (user_id, created, id);

CREATE TABLE {prefix}login_once (
	"key"      TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY ("key")
);

CREATE INDEX {prefix}login_once_expires ON {prefix}login_once (expires_at);

CREATE TABLE {prefix}login_codes (
	digest     TEXT COLLATE "C" NOT NULL,
	user_id    TEXT COLLATE "C" NOT NULL,
	stamp      TEXT COLLATE "C" NOT NULL,
	challenge  TEXT NOT NULL,
	data       BYTEA NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}login_codes_user ON {prefix}login_codes (user_id);

CREATE INDEX {prefix}login_codes_expires ON {prefix}login_codes (expires_at);

-- Accounts that are being made for identities.
CREATE TABLE {prefix}login_reservations (
	issuer     TEXT COLLATE "C" NOT NULL,
	subject    TEXT COLLATE "C" NOT NULL,
	id         TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);

CREATE UNIQUE INDEX {prefix}login_reservations_id ON {prefix}login_reservations (id);

CREATE INDEX {prefix}login_reservations_expires ON {prefix}login_reservations (expires_at);
