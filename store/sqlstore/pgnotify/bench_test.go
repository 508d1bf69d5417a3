package pgnotify_test

import (
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
)

// revoker is a store of which tokens are revoked.
type revoker struct {
	store *sqlstore.KnoxStore
	next  int
}

func newRevoker(b *testing.B, dsn, channel string) *revoker {
	b.Helper()
	pool := must[*sql.DB](b)(sql.Open("pgx", dsn))
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	db := must[*sqlstore.DB](b)(sqlstore.NewPostgreSQL(b.Context(), pool, sqlstore.Config{NotifyChannel: channel}))
	b.Cleanup(func() { _ = db.Close() })
	return &revoker{store: must[*sqlstore.KnoxStore](b)(sqlstore.Knox(b.Context(), db))}
}

// revoke adds n tokens and then revokes them all at once. It returns how long the latter took.
func (r *revoker) revoke(b *testing.B, prefix string, n int) time.Duration {
	b.Helper()
	now := time.Now().UTC()
	ids := make([]string, n)
	for i := range ids {
		r.next++
		ids[i] = fmt.Sprint(prefix, r.next)
		token := &knox.Record{Digest: ids[i], ID: ids[i], UserID: ids[i], Created: now, ExpiresAt: now.Add(time.Hour)}
		if _, err := r.store.Add(b.Context(), token, 0, false, knox.Ending{At: now}); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			if found, err := r.store.Revoke(b.Context(), id, id, knox.Ending{At: now}); !found || err != nil {
				b.Errorf("Revoke: got %v, %v, want true", found, err)
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

// BenchmarkRevoke is what a revocation costs with a notification and without. The two take turns, because other
// programs on the machine disturb both alike then. The metrics are medians of one revocation, and of eight at once.
func BenchmarkRevoke(b *testing.B) {
	dsn := database(b)
	users := auth.CacheUsers(loadUser, auth.UserCache{})
	listen(b, pgnotify.Config{DSN: dsn, Caches: []cached.Cache{users}})
	silent, told := newRevoker(b, dsn, ""), newRevoker(b, dsn, channel)
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n, " at once"), func(b *testing.B) {
			var without, with []time.Duration
			for b.Loop() {
				without = append(without, silent.revoke(b, "silent ", n))
				with = append(with, told.revoke(b, "told ", n))
			}
			for name, all := range map[string][]time.Duration{"silent-µs": without, "told-µs": with} {
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)/2].Microseconds()), name)
			}
		})
	}
}
