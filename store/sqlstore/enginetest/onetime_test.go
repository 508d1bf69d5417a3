package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

func TestOneTimeOnSQLite(t *testing.T) {
	storetest.OneTime(t, func(t *testing.T) password.OneTimeStore {
		store, err := sqlstore.OneTime(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "onetime.db")))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}
