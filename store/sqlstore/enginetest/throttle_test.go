package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/sqlstore"
)

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
	f.failEach(t, prepare, state, []faultRow{{"counting two", count, []string{"2", "2"}, 6}})
}

// cheap is argon2id of "password" with little memory, from the tests of the reference implementation.
const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestInstancesThatShareAThrottleOnSQLite(t *testing.T) {
	store := opened(t, sqlstore.Throttle, openSQLite(t, filepath.Join(t.TempDir(), "throttle.db")))
	var instances [2]*password.Authenticator
	for i := range instances {
		hasher, err := password.NewHasher(password.HasherConfig{})
		if err != nil {
			t.Fatal(err)
		}
		instances[i], err = password.New(password.Config{
			Hasher: hasher, Throttle: store, Decoy: cheap, Limits: password.Limits{FirstDelay: time.Minute,
				MaxWait: time.Minute},
			Account: func(_ context.Context, name string) (auth.User, string, error) {
				return userOf(name), cheap, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(i int, addr, name, given string) error {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		r.SetBasicAuth(name, given)
		_, _, err := instances[i%2].Authenticate(r)
		return err
	}
	t.Run("40 right passwords at once are all right", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if err := at(i, "192.0.2.1:1", "alice", "password"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("of 60 guesses at once from 60 addresses 5 are answered", func(t *testing.T) {
		var all sync.WaitGroup
		var answered atomic.Int32
		for i := range 60 {
			all.Go(func() {
				switch err := at(i, fmt.Sprintf("10.0.0.%d:1", i), "alice", "guess"); {
				case errors.Is(err, auth.ErrInvalid):
					answered.Add(1)
				case !errors.Is(err, auth.ErrThrottled):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := answered.Load(); n != 5 {
			t.Errorf("got %d, want 5", n)
		}
	})
	t.Run("the user logs in from where they did before", func(t *testing.T) {
		if err := at(0, "192.0.2.1:1", "alice", "password"); err != nil {
			t.Error(err)
		}
	})
}

type userOf string

func (u userOf) UserID() string { return string(u) }
