-- Times are microseconds since 1970 in UTC; NULL is never, or not known. Lists
-- are JSON arrays.
CREATE TABLE {prefix}oauth_clients (
	id       VARBINARY(1024) NOT NULL,
	owner    VARBINARY(512) NOT NULL,
	disabled BOOLEAN NOT NULL,
	updated  BIGINT NOT NULL,
	client   MEDIUMTEXT NOT NULL, -- a JSON object, as server.Client
	PRIMARY KEY (id),
	KEY {prefix}oauth_clients_owner (owner, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_interactions (
	digest     VARBINARY(255) NOT NULL,
	id         VARBINARY(64) NOT NULL,
	user_id    VARBINARY(512) NOT NULL,
	session_id VARBINARY(512) NOT NULL,
	created    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	data       MEDIUMBLOB NOT NULL,
	PRIMARY KEY (digest),
	KEY {prefix}oauth_interactions_user (user_id, id),
	KEY {prefix}oauth_interactions_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_consents (
	user_id     VARBINARY(512) NOT NULL,
	client_id   VARBINARY(1024) NOT NULL,
	permissions MEDIUMTEXT,   -- scopes with the resource that they are for, as a JSON array of objects
	scopes      MEDIUMTEXT NOT NULL, -- '[]', as permissions has them
	resources   MEDIUMTEXT NOT NULL, -- '[]', as permissions has them
	created     BIGINT NOT NULL,
	updated     BIGINT NOT NULL,
	PRIMARY KEY (user_id, client_id),
	KEY {prefix}oauth_consents_client (client_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_grants (
	id             VARBINARY(64) NOT NULL,
	client_id      VARBINARY(1024) NOT NULL,
	user_id        VARBINARY(512) NOT NULL,
	type           VARBINARY(64) NOT NULL,
	permissions    MEDIUMTEXT,   -- as in oauth_consents
	scopes         MEDIUMTEXT NOT NULL,
	resources      MEDIUMTEXT NOT NULL,
	session_id     VARBINARY(512) NOT NULL,
	offline        BOOLEAN NOT NULL,
	auth_time      BIGINT,
	amr            TEXT,
	acr            TEXT NOT NULL,
	stamp          VARBINARY(512) NOT NULL,
	created        BIGINT NOT NULL,
	last_used      BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	max_expires_at BIGINT NOT NULL,
	revoked_at     BIGINT,
	extra          MEDIUMTEXT,   -- what features of the server keep, as a JSON object
	PRIMARY KEY (id),
	KEY {prefix}oauth_grants_live (user_id, revoked_at, id),
	KEY {prefix}oauth_grants_live_client (user_id, revoked_at, client_id, id, expires_at),
	KEY {prefix}oauth_grants_client (client_id),
	KEY {prefix}oauth_grants_session (session_id),
	KEY {prefix}oauth_grants_expires (expires_at),
	KEY {prefix}oauth_grants_ended (revoked_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_codes (
	digest       VARBINARY(255) NOT NULL,
	grant_id     VARBINARY(64) NOT NULL,
	redirect_uri TEXT NOT NULL,
	challenge    TEXT NOT NULL,
	nonce        TEXT NOT NULL,
	expires_at   BIGINT NOT NULL,
	redeemed     BIGINT,
	PRIMARY KEY (digest),
	KEY {prefix}oauth_codes_grant (grant_id),
	FOREIGN KEY (grant_id) REFERENCES {prefix}oauth_grants (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_access (
	digest     VARBINARY(255) NOT NULL,
	id         VARBINARY(64) NOT NULL,
	grant_id   VARBINARY(64) NOT NULL,
	scopes     MEDIUMTEXT NOT NULL,
	audience   MEDIUMTEXT NOT NULL,
	issued     BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest),
	KEY {prefix}oauth_access_grant (grant_id),
	KEY {prefix}oauth_access_expires (expires_at),
	FOREIGN KEY (grant_id) REFERENCES {prefix}oauth_grants (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_refresh (
	digest     VARBINARY(255) NOT NULL,
	grant_id   VARBINARY(64) NOT NULL,
	issued     BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	rotated    BIGINT,
	successor  VARBINARY(255) NOT NULL, -- a digest, or ''
	sealed     MEDIUMBLOB,
	PRIMARY KEY (digest),
	KEY {prefix}oauth_refresh_grant (grant_id),
	KEY {prefix}oauth_refresh_expires (expires_at),
	FOREIGN KEY (grant_id) REFERENCES {prefix}oauth_grants (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}oauth_once (
	`key`      VARBINARY(512) NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (`key`),
	KEY {prefix}oauth_once_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
