package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
)

func TestAOneTimeStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	db, f := openFaulty(t)
	store, err := sqlstore.OneTime(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	record := func(user string, i int) *password.OneTimeRecord {
		return &password.OneTimeRecord{Digest: fmt.Sprint(user, i), UserID: user, Purpose: password.PurposeReset,
			Created: now.Add(time.Duration(i) * time.Second), ExpiresAt: now.Add(time.Hour)}
	}
	// state is which of a user's records are there, and which of them are used.
	state := func(user string) (ids []string) {
		for i := 1; i <= 4; i++ {
			switch r, err := store.Find(t.Context(), record(user, i).Digest); {
			case err != nil:
				t.Fatal(err)
			case r != nil && r.Used.IsZero():
				ids = append(ids, fmt.Sprint(i))
			case r != nil:
				ids = append(ids, fmt.Sprint(i, " used"))
			}
		}
		return ids
	}
	prepare := func(user string) {
		for i := 1; i <= 3; i++ {
			if err := store.Add(t.Context(), record(user, i), 3, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.failEach(t, prepare, state, []faultRow{
		{"adding one too many", func(user string) error { return store.Add(t.Context(), record(user, 4), 3, now) },
			[]string{"2", "3", "4"}, 5},
		{"redeeming", func(user string) error {
			verdict, err := store.Redeem(t.Context(), record(user, 2).Digest, now)
			if (verdict == password.OneTimeFirst) != (err == nil) {
				t.Errorf("verdict %d with error %v", verdict, err)
			}
			return err
		}, []string{"2 used"}, 5},
		{"removing", func(user string) error { _, err := store.RemoveUnused(t.Context(), user); return err }, nil, 1},
	})
}
