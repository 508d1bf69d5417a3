package enginetest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
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
		_, err := db.Writer().ExecContext(t.Context(), `WITH RECURSIVE
			n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO gatewarden_oauth_grants (id, client_id, user_id, type, permissions, scopes, resources,
				session_id, offline, acr, stamp, created, last_used, expires_at, max_expires_at)
			SELECT ? || printf('%07d', i), 'client of ' || ?, ?, 'test',
				'[{"Scopes":["' || hex(zeroblob(1500)) || '"]}]', '[]', '[]',
				'session of ' || ?, FALSE, '', '', ?, ?, ?, ? FROM n`,
			many, user, user, user, user, now.UnixMicro(), now.UnixMicro(), now.Add(time.Hour).UnixMicro(),
			now.Add(time.Hour).UnixMicro())
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

// TestUnitGrantLimitsOfTwoProcesses issues by two connections to one file at once.
func TestUnitGrantLimitsOfTwoProcesses(t *testing.T) {
	for _, evict := range []bool{false, true} {
		t.Run(fmt.Sprintf("30 at once leave exactly the limit of 10, evicting %v", evict), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "limit.db")
			handles := []*sqlstore.OAuthStore{openOAuth(t, path), openOAuth(t, path)}
			now := time.Now().UTC().Truncate(time.Microsecond)
			if added, err := handles[0].AddClient(t.Context(), &server.Client{ID: "alice", Updated: now},
				0); !added.OK() || err != nil {
				t.Fatal(added, err)
			}
			results := make(chan server.Added, 30)
			for i := range 30 {
				go func() {
					g, tokens := oauthGrant("alice", fmt.Sprint(i), now)
					added, err := handles[i%2].Start(t.Context(), g, tokens("first"), 10, evict)
					if err != nil {
						t.Error(err)
					}
					results <- added
				}()
			}
			over, evicted := 0, map[string]bool{}
			for range 30 {
				added := <-results
				if added.OverLimit {
					over++
				}
				for _, id := range added.Evicted {
					evicted[id] = true
				}
			}
			left, err := handles[0].Grants(t.Context(), "alice", "", 100, now)
			if err != nil || len(left) != 10 || over+len(evicted) != 20 || evict != (over == 0) {
				t.Errorf("got %d left, %d over the limit, %d evicted, %v, want 10 left", len(left), over,
					len(evicted), err)
			}
		})
	}
}
