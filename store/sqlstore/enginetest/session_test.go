package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

func TestSessionsOnSQLite(t *testing.T) {
	storetest.Sessions(t, func(t *testing.T) session.Store {
		store, err := sqlstore.Sessions(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "sessions.db")))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}
