package cached_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
)

// slow is a store that waits in the next Find, after it has read the record, until release is closed.
type slow struct {
	knox.Store
	finds   int
	release chan struct{}
	fault   error // of all changes, after they were made
}

func (s *slow) Find(ctx context.Context, digest string) (*knox.Record, error) {
	s.finds++
	release := s.release
	s.release = nil
	record, err := s.Store.Find(ctx, digest)
	if release != nil {
		<-release
	}
	return record, err
}

func (s *slow) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	found, err := s.Store.Revoke(ctx, userID, id, ending)
	return found, errors.Join(err, s.fault)
}

func (s *slow) Touch(ctx context.Context, touch knox.Touch) error {
	return errors.Join(s.fault, s.Store.Touch(ctx, touch))
}

// world is a store with a cache in front, and tokens in it. Its methods are called in a bubble of synctest.
type world struct {
	*testing.T
	store *slow
	cache *cached.KnoxStore
}

// inWorld runs a test with a TTL of 10 seconds, room for 100 records, and the tokens 1 of alice and 2 of bob, which
// live for an hour.
func inWorld(t *testing.T, sentence string, test func(w world)) {
	t.Helper()
	t.Run(sentence, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &slow{Store: knox.NewMemoryStore()}
			config := cached.Config{TTL: 10 * time.Second, Max: 100}
			fresh := func() (*cached.KnoxStore, error) { return cached.Knox(store, config) }
			w := world{t, store, must[*cached.KnoxStore](t)(cached.Apart(fresh, "alice", "bob", "carol"))}
			w.add("alice", "1")
			w.add("bob", "2")
			test(w)
		})
	})
}

func record(userID, id string) *knox.Record {
	return &knox.Record{Digest: "digest " + id, ID: id, UserID: userID, Created: time.Now(),
		ExpiresAt: time.Now().Add(time.Hour)}
}

func (w world) add(userID, id string) {
	w.Helper()
	if _, err := w.store.Add(w.Context(), record(userID, id), 0, false, ending()); err != nil {
		w.Fatal(err)
	}
}

func ending() knox.Ending { return knox.Ending{Reason: knox.EndRevoked, At: time.Now()} }

// find looks a token up, and fails unless it is there and the store was asked as wanted.
func (w world) find(id string, there, asked bool) {
	w.Helper()
	before := w.store.finds
	found, err := w.cache.Find(w.Context(), "digest "+id)
	if err != nil || (found != nil) != there || (w.store.finds > before) != asked {
		w.Errorf("token %s: got %v, %v, and that the store was asked: %v. Want that it is there: %v, and that the "+
			"store was asked: %v", id, found, err, w.store.finds > before, there, asked)
	}
}

// elsewhere ends a token as another process does.
func (w world) elsewhere(userID, id string) {
	w.Helper()
	if found, err := w.store.Store.Revoke(w.Context(), userID, id, ending()); !found || err != nil {
		w.Fatal(found, err)
	}
}

func TestUnitATokenIsLookedUpOnceInATTL(t *testing.T) {
	inWorld(t, "and what another process ended is believed until it is over", func(w world) {
		w.find("1", true, true)
		w.elsewhere("alice", "1")
		time.Sleep(10*time.Second - 1)
		w.find("1", true, false)
		time.Sleep(time.Nanosecond)
		w.find("1", false, true)
	})
	inWorld(t, "from the beginning of the look-up, however long that takes", func(w world) {
		release := make(chan struct{})
		w.store.release = release
		done := make(chan struct{})
		go func() { defer close(done); w.find("1", true, true) }()
		synctest.Wait()
		w.elsewhere("alice", "1")
		time.Sleep(4 * time.Second)
		close(release)
		<-done
		time.Sleep(6*time.Second - 1)
		w.find("1", true, false)
		time.Sleep(time.Nanosecond)
		w.find("1", false, true)
	})
	inWorld(t, "and one that is not found each time", func(w world) {
		w.find("none", false, true)
		w.find("none", false, true)
		w.add("alice", "none")
		w.find("none", true, true)
	})
}

// changes are those that make a cached token of alice, with the ID 1, void.
var changes = map[string]func(w world, store knox.Store) error{
	"Revoke": func(w world, store knox.Store) error {
		_, err := store.Revoke(w.Context(), "alice", "1", ending())
		return err
	},
	"RevokeAll": func(w world, store knox.Store) error {
		_, err := store.RevokeAll(w.Context(), "alice", "", "", ending())
		return err
	},
	"Add that evicts": func(w world, store knox.Store) error {
		_, err := store.Add(w.Context(), record("alice", "9"), 1, true, ending())
		return err
	},
	"Purge": func(w world, store knox.Store) error {
		_, err := store.Purge(w.Context(), 9, knox.Ending{At: time.Now().Add(time.Hour)})
		return err
	},
}

func TestUnitWhatThisProcessEndsIsRefusedAtOnce(t *testing.T) {
	for name, change := range changes {
		inWorld(t, name, func(w world) {
			w.find("1", true, true)
			if err := change(w, w.cache); err != nil {
				w.Fatal(err)
			}
			w.find("1", false, true)
		})
		inWorld(t, name+" during a look-up that has read the token", func(w world) {
			release := make(chan struct{})
			w.store.release = release
			done := make(chan struct{})
			go func() { defer close(done); w.find("1", true, true) }()
			synctest.Wait()
			if err := change(w, w.cache); err != nil {
				w.Fatal(err)
			}
			close(release)
			<-done
			w.find("1", false, true)
		})
	}
	inWorld(t, "also if the store cannot tell whether it was done", func(w world) {
		w.find("1", true, true)
		w.store.fault = errors.New("the connection broke")
		if err := changes["Revoke"](w, w.cache); err == nil {
			w.Error("got no error")
		}
		w.find("1", false, true)
	})
	inWorld(t, "and tokens of others stay", func(w world) {
		w.find("1", true, true)
		w.find("2", true, true)
		if err := changes["Revoke"](w, w.cache); err != nil {
			w.Fatal(err)
		}
		w.find("2", true, false)
	})
}

func TestUnitWhatIsForgottenIsLookedUpAgain(t *testing.T) {
	for name, forget := range map[string]func(c *cached.KnoxStore){
		"Forget":             func(c *cached.KnoxStore) { c.Forget("alice") },
		"ForgetAll":          (*cached.KnoxStore).ForgetAll,
		"Suspend and resume": func(c *cached.KnoxStore) { c.Suspend()() },
	} {
		inWorld(t, name, func(w world) {
			w.find("1", true, true)
			w.elsewhere("alice", "1")
			forget(w.cache)
			w.find("1", false, true)
		})
		inWorld(t, name+" during a look-up that has read the token", func(w world) {
			release := make(chan struct{})
			w.store.release = release
			done := make(chan struct{})
			go func() { defer close(done); w.find("1", true, true) }()
			synctest.Wait()
			w.elsewhere("alice", "1")
			forget(w.cache)
			close(release)
			<-done
			w.find("1", false, true)
		})
	}
	inWorld(t, "and a suspended cache keeps nothing", func(w world) {
		first, second := w.cache.Suspend(), w.cache.Suspend()
		w.find("1", true, true)
		w.find("1", true, true)
		first()
		first()
		w.find("1", true, true)
		w.find("1", true, true)
		second()
		w.find("1", true, true)
		w.find("1", true, false)
	})
	inWorld(t, "and so is a token whose look-up began while the cache was suspended", func(w world) {
		resume := w.cache.Suspend()
		release := make(chan struct{})
		w.store.release = release
		done := make(chan struct{})
		go func() { defer close(done); w.find("1", true, true) }()
		synctest.Wait()
		w.elsewhere("alice", "1")
		resume()
		close(release)
		<-done
		w.find("1", false, true)
	})
}

func TestUnitATokenThatExpiresInCenturiesIsLookedUpOnceInATTL(t *testing.T) {
	inWorld(t, "like any other", func(w world) {
		for _, year := range []int{2100, 2400, 9999} {
			id := fmt.Sprint("until ", year)
			r := record("alice", id)
			r.ExpiresAt = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			if _, err := w.store.Add(w.Context(), r, 0, false, ending()); err != nil {
				w.Fatal(err)
			}
			w.find(id, true, true)
			w.find(id, true, false)
			time.Sleep(10 * time.Second)
			w.find(id, true, true)
		}
	})
}

func TestUnitATouch(t *testing.T) {
	touch := func(w world, store knox.Store, expires time.Time) {
		w.Helper()
		err := store.Touch(w.Context(), knox.Touch{Digest: "digest 1", Used: time.Now(), ExpiresAt: expires})
		if err != nil && w.store.fault == nil {
			w.Error(err)
		}
	}
	inWorld(t, "by this process is seen at once", func(w world) {
		w.find("1", true, true)
		now := time.Now()
		touch(w, w.cache, time.Time{})
		found, err := w.cache.Find(w.Context(), "digest 1")
		if err != nil || !found.LastUsed.Equal(now) {
			w.Errorf("got %+v, %v, want a last use of now", found, err)
		}
	})
	inWorld(t, "that fails leaves the token in the cache", func(w world) {
		w.find("1", true, true)
		w.store.fault = errors.New("read only")
		touch(w, w.cache, time.Time{})
		w.find("1", true, false)
	})
	inWorld(t, "by another process keeps a token good past the expiry in the cache", func(w world) {
		time.Sleep(time.Hour - 5*time.Second)
		w.find("1", true, true)
		touch(w, w.store.Store, time.Now().Add(time.Hour))
		time.Sleep(5 * time.Second) // within the TTL
		found, err := w.cache.Find(w.Context(), "digest 1")
		if err != nil || !found.Live(time.Now()) {
			w.Errorf("got %+v, %v, want the token as it lives on", found, err)
		}
	})
	inWorld(t, "is not missed by a check at the instant of the expiry", func(w world) {
		time.Sleep(time.Hour - 5*time.Second)
		w.find("1", true, true)
		time.Sleep(5*time.Second - 1) // it is good yet, and may not be when it is compared
		w.find("1", true, true)
	})
}

func TestUnitTheCacheIsBounded(t *testing.T) {
	inWorld(t, "by Max", func(w world) {
		for i := range 1000 {
			id := fmt.Sprint("more ", i)
			w.add("alice", id)
			w.find(id, true, true)
			w.find(id, true, false)
		}
		if got := w.cache.Len(); got != 100 {
			w.Errorf("got %d records, want 100", got)
		}
	})
	inWorld(t, "and what does not count makes room first", func(w world) {
		for i := range 99 {
			id := fmt.Sprint("more ", i)
			w.add("alice", id)
			w.find(id, true, true)
		}
		w.find("2", true, true)
		w.cache.Forget("alice")
		for i := range 20 {
			id := fmt.Sprint("new ", i)
			w.add("carol", id)
			w.find(id, true, true)
		}
		w.find("2", true, false)
	})
}

func TestUnitABadConfigIsAnError(t *testing.T) {
	for want, config := range map[string]cached.Config{
		"Config.TTL is 0s":              {},
		"Config.TTL is -1s":             {TTL: -time.Second},
		"Config.TTL is 1m0.000000001s":  {TTL: time.Minute + 1},
		"Config.Max is -1, which is ne": {TTL: time.Second, Max: -1},
	} {
		if _, err := cached.Knox(knox.NewMemoryStore(), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
