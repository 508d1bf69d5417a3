-- Times are microseconds since 1970 in UTC; NULL is never, or not known. Lists
-- are JSON arrays.
CREATE TABLE {prefix}oauth_clients (
	id       TEXT    NOT NULL PRIMARY KEY,
	owner    TEXT    NOT NULL,
	disabled INTEGER NOT NULL,
	updated  INTEGER NOT NULL,
	client   TEXT    NOT NULL    -- a JSON object, as server.Client
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_clients_owner ON {prefix}oauth_clients (owner, id);

CREATE TABLE {prefix}oauth_interactions (
	digest     TEXT    NOT NULL PRIMARY KEY,
	id         TEXT    NOT NULL,
	user_id    TEXT    NOT NULL,
	session_id TEXT    NOT NULL,
	created    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	data       BLOB    NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_interactions_expires ON {prefix}oauth_interactions (expires_at);

CREATE TABLE {prefix}oauth_consents (
	user_id   TEXT    NOT NULL,
	client_id TEXT    NOT NULL,
	scopes    TEXT    NOT NULL,
	resources TEXT    NOT NULL,
	created   INTEGER NOT NULL,
	updated   INTEGER NOT NULL,
	PRIMARY KEY (user_id, client_id)
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_consents_client ON {prefix}oauth_consents (client_id);

CREATE TABLE {prefix}oauth_grants (
	id             TEXT    NOT NULL PRIMARY KEY,
	client_id      TEXT    NOT NULL,
	user_id        TEXT    NOT NULL,
	type           TEXT    NOT NULL,
	scopes         TEXT    NOT NULL,
	resources      TEXT    NOT NULL,
	session_id     TEXT    NOT NULL,
	offline        INTEGER NOT NULL,
	auth_time      INTEGER,
	amr            TEXT,
	acr            TEXT    NOT NULL,
	stamp          TEXT    NOT NULL,
	created        INTEGER NOT NULL,
	last_used      INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	max_expires_at INTEGER NOT NULL,
	revoked_at     INTEGER
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_grants_user ON {prefix}oauth_grants (user_id, created);

CREATE INDEX {prefix}oauth_grants_client ON {prefix}oauth_grants (client_id);

CREATE INDEX {prefix}oauth_grants_session ON {prefix}oauth_grants (session_id);

CREATE INDEX {prefix}oauth_grants_expires ON {prefix}oauth_grants (expires_at);

CREATE TABLE {prefix}oauth_codes (
	digest       TEXT    NOT NULL PRIMARY KEY,
	grant_id     TEXT    NOT NULL REFERENCES {prefix}oauth_grants (id),
	redirect_uri TEXT    NOT NULL,
	challenge    TEXT    NOT NULL,
	nonce        TEXT    NOT NULL,
	expires_at   INTEGER NOT NULL,
	redeemed     INTEGER
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_codes_grant ON {prefix}oauth_codes (grant_id);

CREATE TABLE {prefix}oauth_access (
	digest     TEXT    NOT NULL PRIMARY KEY,
	id         TEXT    NOT NULL,
	grant_id   TEXT    NOT NULL REFERENCES {prefix}oauth_grants (id),
	scopes     TEXT    NOT NULL,
	audience   TEXT    NOT NULL,
	issued     INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_access_grant ON {prefix}oauth_access (grant_id);

CREATE INDEX {prefix}oauth_access_expires ON {prefix}oauth_access (expires_at);

CREATE TABLE {prefix}oauth_refresh (
	digest     TEXT    NOT NULL PRIMARY KEY,
	grant_id   TEXT    NOT NULL REFERENCES {prefix}oauth_grants (id),
	issued     INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	rotated    INTEGER,
	successor  TEXT    NOT NULL,   -- a digest, or ''
	sealed     BLOB
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_refresh_grant ON {prefix}oauth_refresh (grant_id);

CREATE INDEX {prefix}oauth_refresh_expires ON {prefix}oauth_refresh (expires_at);

CREATE TABLE {prefix}oauth_once (
	key        TEXT    NOT NULL PRIMARY KEY,
	expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX {prefix}oauth_once_expires ON {prefix}oauth_once (expires_at);
