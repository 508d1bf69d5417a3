package faults

import (
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	_ "github.com/gatewarden/auth/store/redisstore"
	_ "github.com/gatewarden/auth/store/sqlstore"
	_ "github.com/gatewarden/auth/store/sqlstore/pgnotify"
)
