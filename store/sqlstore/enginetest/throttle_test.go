package enginetest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

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

func TestAThrottleStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.Throttle(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	count := func(user string) error {
		return store.Update(t.Context(), []string{user + "1", user + "2"}, now, func(counters []password.Counter) {
			for i := range counters {
				counters[i].Failures++
				counters[i].ExpiresAt = now.Add(time.Hour)
			}
		})
	}
	prepare := func(user string) {
		if err := count(user); err != nil {
			t.Fatal(err)
		}
	}
	state := func(user string) (failures []string) {
		if err := store.Update(t.Context(), []string{user + "1", user + "2"}, now, func(counters []password.Counter) {
			failures = []string{fmt.Sprint(counters[0].Failures), fmt.Sprint(counters[1].Failures)}
		}); err != nil {
			t.Fatal(err)
		}
		return failures
	}
	f.failEach(t, prepare, state, []faultRow{{"counting two", count, []string{"2", "2"}, 8}})
}
