package sqlstore

import (
	"context"
	"database/sql/driver"
	"time"
)

// ConnectWithin returns a connector that gives up on a connection which is not ready after so long, with the handshake.
// Use it for a pool of MySQL or MariaDB:
//
//	config, err := mysql.ParseDSN("app:PASSWORD@tcp(db.example:3306)/app?tls=true&interpolateParams=true")
//	connector, err := mysql.NewConnector(config)
//	pool := sql.OpenDB(sqlstore.ConnectWithin(5*time.Second, connector))
//
// Package sql makes connections by itself when requests wait for one. It makes one after another, without a deadline,
// and each has a place in the pool already. If a server accepts a connection and is then silent for ever, no request
// gets a connection any more, also when another server has taken its place. The parameter timeout of
// go-sql-driver/mysql does not include the handshake. For PostgreSQL, connect_timeout=5 in the DSN does the same.
//
// The connector must go by its context, as those of go-sql-driver/mysql and pgx do.
func ConnectWithin(timeout time.Duration, connector driver.Connector) driver.Connector {
	return timedConnector{connector, timeout}
}

type timedConnector struct {
	driver.Connector
	timeout time.Duration
}

func (c timedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.Connector.Connect(limited)
}
