package enginetest

import (
	"database/sql"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

var prefixes atomic.Int64

func openEngine(t *testing.T, name string) *sqlstore.DB {
	t.Helper()
	if os.Getenv("PGDSN") == "" {
		t.Skip("no servers")
	}
	config := sqlstore.Config{TablePrefix: fmt.Sprintf("t%d_%d_", os.Getpid(), prefixes.Add(1))}
	var db *sqlstore.DB
	switch name {
	case "postgresql":
		pool, err := sql.Open("pgx", os.Getenv("PGDSN"))
		if err != nil {
			t.Fatal(err)
		}
		if db, err = sqlstore.NewPostgreSQL(t.Context(), pool, config); err != nil {
			t.Fatal(err)
		}
	case "mysql":
		pool, err := sql.Open("mysql", os.Getenv("MYDSN"))
		if err != nil {
			t.Fatal(err)
		}
		if db, err = sqlstore.NewMySQL(t.Context(), pool, config); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestServers(t *testing.T) {
	for _, name := range []string{"postgresql", "mysql"} {
		t.Run(name, func(t *testing.T) {
			t.Run("knox", func(t *testing.T) {
				storetest.Knox(t, func(t *testing.T) knox.Store { return opened(t, sqlstore.Knox, openEngine(t, name)) })
			})
			t.Run("sessions", func(t *testing.T) {
				storetest.Sessions(t, func(t *testing.T) session.Store { return opened(t, sqlstore.Sessions, openEngine(t, name)) })
			})
			t.Run("jwt", func(t *testing.T) {
				storetest.JWT(t, func(t *testing.T) jwt.Store { return opened(t, sqlstore.JWT, openEngine(t, name)) })
			})
			t.Run("keys", func(t *testing.T) {
				storetest.JWTKeys(t, func(t *testing.T) jwt.KeyStore { return opened(t, sqlstore.JWTKeys, openEngine(t, name)) })
			})
			t.Run("oauth", func(t *testing.T) {
				storetest.OAuth(t, func(t *testing.T) server.Store { return opened(t, sqlstore.OAuth, openEngine(t, name)) })
			})
			t.Run("external", func(t *testing.T) {
				storetest.External(t, func(t *testing.T) external.Store { return opened(t, sqlstore.External, openEngine(t, name)) })
			})
			t.Run("onetime", func(t *testing.T) {
				storetest.OneTime(t, func(t *testing.T) password.OneTimeStore {
					return opened(t, sqlstore.OneTime, openEngine(t, name))
				})
			})
			t.Run("throttle", func(t *testing.T) {
				storetest.Throttle(t, func(t *testing.T) password.ThrottleStore {
					return opened(t, sqlstore.Throttle, openEngine(t, name))
				})
			})
		})
	}
}
