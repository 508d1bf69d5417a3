-- Times are microseconds since 1970 in UTC; NULL is not known.
CREATE TABLE {prefix}login_identities (
	issuer         TEXT    NOT NULL,
	subject        TEXT    NOT NULL,
	id             TEXT    NOT NULL,
	user_id        TEXT    NOT NULL,
	provider       TEXT    NOT NULL,
	email          TEXT    NOT NULL,
	email_verified INTEGER NOT NULL,
	name           TEXT    NOT NULL,
	created        INTEGER,
	last_used      INTEGER,
	PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;

CREATE UNIQUE INDEX {prefix}login_identities_id ON {prefix}login_identities (id);

CREATE INDEX {prefix}login_identities_user ON {prefix}login_identities (user_id, created, id);

CREATE TABLE {prefix}login_once (
	key        TEXT    NOT NULL PRIMARY KEY,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}login_once_expires ON {prefix}login_once (expires_at);

CREATE TABLE {prefix}login_codes (
	digest     TEXT    NOT NULL PRIMARY KEY,
	user_id    TEXT    NOT NULL,
	stamp      TEXT    NOT NULL,
	challenge  TEXT    NOT NULL,
	data       BLOB    NOT NULL,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}login_codes_user ON {prefix}login_codes (user_id);

CREATE INDEX {prefix}login_codes_expires ON {prefix}login_codes (expires_at);
