package enginetest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
)

// TestUnitThrottlePurge has more counters than one batch.
func TestUnitThrottlePurge(t *testing.T) {
	t.Run("all counters that expired are removed in one run", func(t *testing.T) {
		db := openSQLite(t, filepath.Join(t.TempDir(), "throttle.db"))
		store := opened(t, sqlstore.Throttle, db)
		execute(t, db, `WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
			INSERT INTO gatewarden_throttle (digest, failures, until, expires_at)
				SELECT 'digest' || i, 1, NULL, 1 FROM n`)
		hasher, err := password.NewHasher(password.HasherConfig{})
		if err != nil {
			t.Fatal(err)
		}
		login, err := password.New(password.Config{Hasher: hasher, Throttle: store,
			Account: func(context.Context, string) (auth.User, string, error) { return nil, "", auth.ErrUserNotFound }})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := auth.PurgeAll(t.Context(), login); n != 5000 || err != nil {
			t.Errorf("got %d, %v, want 5000", n, err)
		}
	})
}
