package enginetest

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

// TestUnitEndsOfManyGrants ends very many grants at once, each of which has some
// kilobytes of scopes.
func TestUnitEndsOfManyGrants(t *testing.T) {
	const many = 5_000
	db := openSQLite(t, filepath.Join(t.TempDir(), "many.db"))
	store := opened(t, sqlstore.OAuth, db)
	now := time.Now().UTC().Truncate(time.Microsecond)
	fill := func(t *testing.T, user string) {
		t.Helper()
		_, err := db.Writer().ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO gatewarden_oauth_grants SELECT ? || printf('%07d', i), 'client of ' || ?, ?, 'test',
			'["' || hex(zeroblob(1500)) || '"]', '[]', 'session of ' || ?, FALSE, NULL, NULL, '', '', ?, ?, ?, ?, NULL FROM n`,
			many, user, user, user, user, now.UnixMicro(), now.UnixMicro(), now.Add(time.Hour).UnixMicro(), now.Add(time.Hour).UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, end := range map[string]func(user string) (int, error){
		"EndAll": func(user string) (int, error) {
			ids, err := store.EndAll(t.Context(), user, "", "", now)
			return len(ids), err
		},
		"Withdraw": func(user string) (int, error) {
			ids, err := store.Withdraw(t.Context(), user, "client of "+user, now)
			return len(ids), err
		},
		"EndSession": func(user string) (int, error) {
			ended, err := store.EndSession(t.Context(), "session of "+user, now)
			return len(ended), err
		},
	} {
		t.Run(name+" reads no more than identifiers", func(t *testing.T) {
			fill(t, name)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			n, err := end(name)
			runtime.ReadMemStats(&after)
			if err != nil || n != many {
				t.Fatalf("got %d, %v, want %d grants to end", n, err, many)
			}
			if each := (after.TotalAlloc - before.TotalAlloc) / many; each > 1000 {
				t.Errorf("got %d bytes for each grant, want those of an identifier", each)
			}
			if left, err := store.Grants(t.Context(), name, "", 1, now); err != nil || len(left) != 0 {
				t.Errorf("got %d grants left, %v", len(left), err)
			}
		})
	}
}
