-- Times are microseconds since 1970 in UTC; NULL is not known.
CREATE TABLE {prefix}login_identities (
	issuer         VARBINARY(1024) NOT NULL,
	subject        VARBINARY(512) NOT NULL,
	id             VARBINARY(64) NOT NULL,
	user_id        VARBINARY(512) NOT NULL,
	provider       VARBINARY(255) NOT NULL,
	email          TEXT NOT NULL,
	email_verified BOOLEAN NOT NULL,
	name           TEXT NOT NULL,
	created        BIGINT,
	last_used      BIGINT,
	PRIMARY KEY (issuer, subject),
	UNIQUE KEY {prefix}login_identities_id (id),
	KEY {prefix}login_identities_user (user_id, created, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}login_once (
	`key`      VARBINARY(512) NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (`key`),
	KEY {prefix}login_once_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE {prefix}login_codes (
	digest     VARBINARY(255) NOT NULL,
	user_id    VARBINARY(512) NOT NULL,
	stamp      VARBINARY(512) NOT NULL,
	challenge  TEXT NOT NULL,
	data       MEDIUMBLOB NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (digest),
	KEY {prefix}login_codes_user (user_id),
	KEY {prefix}login_codes_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Accounts that are being made for identities.
CREATE TABLE {prefix}login_reservations (
	issuer     VARBINARY(1024) NOT NULL,
	subject    VARBINARY(512) NOT NULL,
	id         VARBINARY(64) NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject),
	UNIQUE KEY {prefix}login_reservations_id (id),
	KEY {prefix}login_reservations_expires (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
