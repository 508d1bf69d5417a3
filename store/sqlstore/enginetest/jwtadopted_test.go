package enginetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/sqlstore"
)

func TestUnitAdoptedTokensOfOlderTables(t *testing.T) {
	t.Run("one that was adopted before they were marked is known for as long as it could be used", func(t *testing.T) {
		db := openSQLite(t, filepath.Join(t.TempDir(), "jwt.db"))
		store, err := sqlstore.JWT(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		for _, id := range []string{"adopting", "plain"} {
			f := &jwt.Session{ID: id, UserID: "alice", Created: now, LastUsed: now, ExpiresAt: now.Add(900 * time.Hour),
				MaxExpiresAt: now.Add(900 * time.Hour)}
			first := &jwt.Refresh{Digest: id, SessionID: id, Issued: now, ExpiresAt: f.ExpiresAt}
			var adopted *jwt.Refresh
			if id == "adopting" {
				adopted = &jwt.Refresh{Digest: "foreign", Issued: now, ExpiresAt: now.Add(90 * time.Hour)}
			}
			if _, err := store.Start(t.Context(), f, first, adopted, 0, false); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Revoke(t.Context(), "alice", id, now); err != nil {
				t.Fatal(err)
			}
		}
		execute(t, db, "UPDATE gatewarden_jwt_refresh SET adopted = 0") // as the migration leaves it
		if n, err := store.Purge(t.Context(), now.Add(jwt.KeepEnded), 9); n != 1 || err != nil {
			t.Errorf("got %d purged, %v, want the one without an adopted token", n, err)
		}
		if r, _, err := store.Find(t.Context(), "foreign"); r == nil || err != nil {
			t.Errorf("got %v, %v, want the adopted token", r, err)
		}
		if n, err := store.Purge(t.Context(), now.Add(90*time.Hour+jwt.KeepExpired), 9); n != 1 || err != nil {
			t.Errorf("got %d purged, %v, want the other one", n, err)
		}
	})
}
