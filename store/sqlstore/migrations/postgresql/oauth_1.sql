-- Times are microseconds since 1970 in UTC; NULL is never, or not known. Lists
-- are JSON arrays.
CREATE TABLE {prefix}oauth_clients (
	id       TEXT COLLATE "C" NOT NULL,
	owner    TEXT COLLATE "C" NOT NULL,
	disabled BOOLEAN NOT NULL,
	updated  BIGINT NOT NULL,
	client   TEXT NOT NULL, -- a JSON object, as server.Client
	PRIMARY KEY (id)
);

CREATE INDEX {prefix}oauth_clients_owner ON {prefix}oauth_clients (owner, id);

CREATE TABLE {prefix}oauth_interactions (
	digest     TEXT COLLATE "C" NOT NULL,
	id         TEXT COLLATE "C" NOT NULL,
	user_id    TEXT COLLATE "C" NOT NULL,
	session_id TEXT COLLATE "C" NOT NULL,
	created    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	data       BYTEA NOT NULL,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}oauth_interactions_user ON {prefix}oauth_interactions (user_id, id);

CREATE INDEX {prefix}oauth_interactions_expires ON {prefix}oauth_interactions (expires_at);

CREATE TABLE {prefix}oauth_consents (
	user_id     TEXT COLLATE "C" NOT NULL,
	client_id   TEXT COLLATE "C" NOT NULL,
	permissions TEXT,   -- scopes with the resource that they are for, as a JSON array of objects
	scopes      TEXT NOT NULL, -- '[]', as permissions has them
	resources   TEXT NOT NULL, -- '[]', as permissions has them
	created     BIGINT NOT NULL,
	updated     BIGINT NOT NULL,
	PRIMARY KEY (user_id, client_id)
);

CREATE INDEX {prefix}oauth_consents_client ON {prefix}oauth_consents (client_id);

CREATE TABLE {prefix}oauth_grants (
	id             TEXT COLLATE "C" NOT NULL,
	client_id      TEXT COLLATE "C" NOT NULL,
	user_id        TEXT COLLATE "C" NOT NULL,
	type           TEXT COLLATE "C" NOT NULL,
	permissions    TEXT,   -- as in oauth_consents
	scopes         TEXT NOT NULL,
	resources      TEXT NOT NULL,
	session_id     TEXT COLLATE "C" NOT NULL,
	offline        BOOLEAN NOT NULL,
	auth_time      BIGINT,
	amr            TEXT,
	acr            TEXT NOT NULL,
	stamp          TEXT COLLATE "C" NOT NULL,
	created        BIGINT NOT NULL,
	last_used      BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	max_expires_at BIGINT NOT NULL,
	revoked_at     BIGINT,
	extra          TEXT,   -- what features of the server keep, as a JSON object
	PRIMARY KEY (id)
) WITH (fillfactor = 85);

CREATE INDEX {prefix}oauth_grants_live ON {prefix}oauth_grants (user_id, id) WHERE revoked_at IS NULL;

CREATE INDEX {prefix}oauth_grants_live_client ON {prefix}oauth_grants
	(user_id, client_id, id, expires_at) WHERE revoked_at IS NULL;

CREATE INDEX {prefix}oauth_grants_client ON {prefix}oauth_grants (client_id);

CREATE INDEX {prefix}oauth_grants_session ON {prefix}oauth_grants (session_id);

CREATE INDEX {prefix}oauth_grants_expires ON {prefix}oauth_grants (expires_at);

CREATE INDEX {prefix}oauth_grants_ended ON {prefix}oauth_grants (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE {prefix}oauth_codes (
	digest       TEXT COLLATE "C" NOT NULL,
	grant_id     TEXT COLLATE "C" NOT NULL REFERENCES {prefix}oauth_grants (id),
	redirect_uri TEXT NOT NULL,
	challenge    TEXT NOT NULL,
	nonce        TEXT NOT NULL,
	expires_at   BIGINT NOT NULL,
	redeemed     BIGINT,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}oauth_codes_grant ON {prefix}oauth_codes (grant_id);

CREATE TABLE {prefix}oauth_access (
	digest     TEXT COLLATE "C" NOT NULL,
	id         TEXT COLLATE "C" NOT NULL,
	grant_id   TEXT COLLATE "C" NOT NULL REFERENCES {prefix}oauth_grants (id),
	scopes     TEXT NOT NULL,
	audience   TEXT NOT NULL,
	issued     BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}oauth_access_grant ON {prefix}oauth_access (grant_id);

CREATE INDEX {prefix}oauth_access_expires ON {prefix}oauth_access (expires_at);

CREATE TABLE {prefix}oauth_refresh (
	digest     TEXT COLLATE "C" NOT NULL,
	grant_id   TEXT COLLATE "C" NOT NULL REFERENCES {prefix}oauth_grants (id),
	issued     BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	rotated    BIGINT,
	successor  TEXT COLLATE "C" NOT NULL, -- a digest, or ''
	sealed     BYTEA,
	PRIMARY KEY (digest)
);

CREATE INDEX {prefix}oauth_refresh_grant ON {prefix}oauth_refresh (grant_id);

CREATE INDEX {prefix}oauth_refresh_expires ON {prefix}oauth_refresh (expires_at);

CREATE TABLE {prefix}oauth_once (
	"key"      TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY ("key")
);

CREATE INDEX {prefix}oauth_once_expires ON {prefix}oauth_once (expires_at);
