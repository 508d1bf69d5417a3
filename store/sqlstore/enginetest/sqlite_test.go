package enginetest

import (
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// openSQLite opens a file that is gone after the test.
func openSQLite(t testing.TB, path string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestInstancesThatStartAtOnceMigrateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd name %41?#.db")
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if _, err := sqlstore.Knox(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

// TestUnitColumns writes a row by its columns, as a program that reads the tables
// sees it, and finds it by the store.
func TestUnitColumns(t *testing.T) {
	db := openSQLite(t, filepath.Join(t.TempDir(), "first.db"))
	store := opened(t, sqlstore.Knox, db)
	if _, err := db.Writer().Exec(`INSERT INTO gatewarden_knox_tokens
		(digest, id, user_id, name, scopes, created, expires_at, slide, max_expires_at, last_used,
			ip, user_agent, stamp,
		auth_time, amr, acr) VALUES ('digest', 'id', 'alice', 'phone', 'a b', 1000001, 2000002,
		3, 4000004, 1500005, '192.0.2.1', 'curl/8', 'stamp', 900000, '["pwd","not mfa"]', 'high')`); err != nil {
		t.Fatal(err)
	}
	for range 2 { // opened again, the store finds nothing to do
		want := &knox.Record{Digest: "digest", ID: "id", UserID: "alice", Name: "phone", Scopes: []string{"a", "b"},
			Limited: true,
			Created: time.UnixMicro(1000001).UTC(), ExpiresAt: time.UnixMicro(
				2000002).UTC(), Slide: 3 * time.Microsecond,
			MaxExpiresAt: time.UnixMicro(4000004).UTC(), LastUsed: time.UnixMicro(1500005).UTC(), IP: "192.0.2.1",
			UserAgent: "curl/8", Stamp: "stamp",
			AuthInfo: auth.AuthInfo{AuthTime: time.UnixMicro(900000).UTC(), AMR: []string{"pwd", "not mfa"},
				ACR: "high"}}
		if got, err := store.Find(t.Context(), "digest"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("found %+v, %v\nwant %+v", got, err, want)
		}
		var version int
		if err := db.Reader().QueryRow("SELECT version FROM gatewarden_schema WHERE component = 'knox'").
			Scan(&version); err != nil || version != 2 {
			t.Errorf("got version %d, %v, want 2", version, err)
		}
		store = opened(t, sqlstore.Knox, db)
	}
	if found, err := store.Revoke(t.Context(), "alice", "id",
		knox.Ending{Reason: knox.EndLoggedOut, At: time.UnixMicro(1600000), Keep: true}); !found || err != nil {
		t.Fatal(found, err)
	}
	if ended, err := store.Ended(t.Context(), "alice", time.Time{}, 10); err != nil || len(ended) != 1 ||
		ended[0].Name != "phone" || ended[0].Reason != knox.EndLoggedOut {
		t.Errorf("%+v, %v", ended, err)
	}
}
