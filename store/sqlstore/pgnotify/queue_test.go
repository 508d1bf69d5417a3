package pgnotify_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

// TestUnitTheQueueIsLookedAt has the full queue itself in package faults, because it takes 8 GB.
func TestUnitTheQueueIsLookedAt(t *testing.T) {
	for name, right := range map[string]string{
		"by a user with every right":                             `SELECT 1`,
		"by a user who may not see it, and nothing else changes": `REVOKE EXECUTE ON FUNCTION pg_notification_queue_usage() FROM PUBLIC`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := database(t)
			db := openDB(t, dsn)
			exec(t, db, right)
			user := strings.TrimPrefix(must[*url.URL](t)(url.Parse(dsn)).Path, "/")
			exec(t, db, `CREATE ROLE `+user+` LOGIN PASSWORD 'secret'`)
			t.Cleanup(func() {
				pool := must[*sql.DB](t)(sql.Open("pgx", dsn))
				defer pool.Close()
				if _, err := pool.Exec(`DROP ROLE ` + user); err != nil {
					t.Error(err)
				}
			})
			h := newHeard()
			listen(t, pgnotify.Config{Caches: []cached.Cache{h}, Ping: 50 * time.Millisecond,
				DSN: changed(t, dsn, func(u *url.URL) { u.User = url.UserPassword(user, "secret") })})
			h.next(t, "suspend", "resume")
			const asked = `SELECT COUNT(*) FROM pg_stat_activity WHERE usename = $1
				AND query = 'SELECT pg_notification_queue_usage()' AND state = 'idle'`
			for since, n := time.Now(), 0; n == 0; {
				if err := db.Reader().QueryRowContext(t.Context(), asked, user).Scan(&n); err != nil {
					t.Fatal(err)
				}
				if time.Since(since) > patience {
					t.Fatal("the listener does not look at the queue of notifications")
				}
			}
			if err := db.UserChanged(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			h.next(t, "forget alice") // and not "suspend"
		})
	}
}
