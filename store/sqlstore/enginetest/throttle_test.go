package enginetest

import (
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/storetest"
)

func TestThrottleOnSQLite(t *testing.T) {
	storetest.Throttle(t, func(t *testing.T) password.ThrottleStore {
		store, err := sqlstore.Throttle(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "throttle.db")))
		if err != nil {
			t.Fatal(err)
		}
		return store
	})
}
