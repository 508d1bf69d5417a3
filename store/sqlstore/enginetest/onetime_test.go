package enginetest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

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

func TestAOneTimeStatementThatFailsLeavesTheOldStateOrTheNew(t *testing.T) {
	plain, err := sql.Open("sqlite", "")
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{}
	sql.Register("sqlite with faults for one-time tokens", driverOf{plain.Driver(), f})
	if err := plain.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite with faults for one-time tokens", filepath.Join(t.TempDir(), "faults.db"), sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.OneTime(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	record := func(user string, i int) *password.OneTimeRecord {
		return &password.OneTimeRecord{Digest: fmt.Sprint(user, i), UserID: user, Purpose: password.PurposeReset,
			Created: now.Add(time.Duration(i) * time.Second), Expires: now.Add(time.Hour)}
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
	for _, row := range []struct {
		sentence string
		do       func(user string) error
		after    []string
		fails    int // at least so often
	}{
		{"adding one too many", func(user string) error { return store.Add(t.Context(), record(user, 4), 3, now) }, []string{"2", "3", "4"}, 5},
		{"redeeming", func(user string) error {
			verdict, err := store.Redeem(t.Context(), record(user, 2).Digest, now)
			if (verdict == password.OneTimeFirst) != (err == nil) {
				t.Errorf("verdict %d with error %v", verdict, err)
			}
			return err
		}, []string{"2 used"}, 5},
		{"removing", func(user string) error { _, err := store.RemoveUnused(t.Context(), user); return err }, nil, 1},
	} {
		failed := 0
		for nth := int64(1); ; nth++ {
			user := fmt.Sprint(row.sentence, nth)
			for i := 1; i <= 3; i++ {
				if err := store.Add(t.Context(), record(user, i), 3, now); err != nil {
					t.Fatal(err)
				}
			}
			f.calls.Store(0)
			f.nth.Store(nth)
			err := row.do(user)
			calls := f.calls.Load()
			f.nth.Store(0)
			want := row.after
			if err != nil {
				want = []string{"1", "2", "3"}
				failed++
			}
			if got := state(user); !slices.Equal(got, want) {
				t.Errorf("%s, statement %d failing: error %v, left %q, want %q", row.sentence, nth, err, got, want)
			}
			if calls < nth {
				break
			}
		}
		if failed < row.fails {
			t.Errorf("%s failed %d times only", row.sentence, failed)
		}
	}
}
