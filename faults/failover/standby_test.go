package failover

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
)

// TestUnitStandby is about internal/testserver, which has no driver in its module.
func TestUnitStandby(t *testing.T) {
	t.Parallel()
	onlyFull(t)
	open := func(t *testing.T, dsn string) *sql.DB {
		t.Helper()
		pool := must[*sql.DB](t)(sql.Open("pgx", dsn))
		t.Cleanup(func() { _ = pool.Close() })
		return pool
	}
	wantReadOnly := func(t *testing.T, pool *sql.DB) {
		t.Helper()
		_, err := pool.Exec(`CREATE TABLE refused (n integer)`)
		if err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("got %v for a change at a standby, want that it is read-only", err)
		}
	}
	t.Run("a standby has what the primary has and takes no change before its promotion", func(t *testing.T) {
		t.Parallel()
		primary := testserver.NewPostgreSQL(t)
		database := primary.Database(t)
		standby := testserver.NewPostgreSQLStandby(t, primary, testserver.StandbyConfig{})
		if _, err := open(t, database.DSN).Exec(`CREATE TABLE notes (n integer)`); err != nil {
			t.Fatal(err)
		}
		standby.WaitCaughtUp(t)
		copied := open(t, at(t, database.DSN, hostOf(t, standby.Admin().URL), ""))
		if _, err := copied.Exec(`SELECT n FROM notes`); err != nil {
			t.Errorf("a query at the standby: %v", err)
		}
		wantReadOnly(t, copied)
		primary.Kill(t)
		standby.Promote(t)
		if _, err := copied.Exec(`INSERT INTO notes VALUES (1)`); err != nil {
			t.Errorf("a change after the promotion: %v", err)
		}
		primary.StartAsStandby(t)
		wantReadOnly(t, open(t, database.DSN))
	})
}
