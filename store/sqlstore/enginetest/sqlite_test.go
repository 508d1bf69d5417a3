package enginetest

import (
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

// openSQLite opens a file that is gone after the test.
func openSQLite(t *testing.T, path string) *sqlstore.DB {
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

func TestKnoxOnSQLite(t *testing.T) {
	storetest.Knox(t, func(t *testing.T) knox.Store {
		store, err := sqlstore.Knox(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "knox.db")))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
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
