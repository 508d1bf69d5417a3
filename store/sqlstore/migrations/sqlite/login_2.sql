-- Accounts that are being made for identities. Times are microseconds since 1970 in UTC.
CREATE TABLE {prefix}login_reservations (
	issuer     TEXT    NOT NULL,
	subject    TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	expires_at INTEGER NOT NULL,
	PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;

CREATE UNIQUE INDEX {prefix}login_reservations_id ON {prefix}login_reservations (id);

CREATE INDEX {prefix}login_reservations_expires ON {prefix}login_reservations (expires_at);
