package redisstore

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatewarden/auth"
)

type testUser struct{ id string }

func (u testUser) UserID() string { return u.id }

// watchedUsers is a cache of users of one instance, which counts what it loads.
type watchedUsers struct {
	*auth.CachedUsers
	loads atomic.Int64
}

func newWatchedUsers(db *DB) *watchedUsers {
	w := &watchedUsers{}
	w.CachedUsers = auth.CacheUsers(func(_ context.Context, id string) (auth.User, error) {
		w.loads.Add(1)
		return testUser{id}, nil
	}, auth.UserCache{TTL: time.Hour})
	db.WatchUsers(w)
	return w
}

// cached reports whether a user is loaded from the cache.
func (w *watchedUsers) cached(t *testing.T, id string) bool {
	t.Helper()
	before := w.loads.Load()
	if _, err := w.Load(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return w.loads.Load() == before
}

// cachedTwice loads a user twice, and reports whether the second load came from the cache.
func (w *watchedUsers) cachedTwice(t *testing.T, id string) bool {
	t.Helper()
	w.cached(t, id)
	return w.cached(t, id)
}

func TestUsersAreForgottenEverywhere(t *testing.T) {
	p := newPushTest(t)
	first, second := newWatchedUsers(p.first), newWatchedUsers(p.second)
	changes := map[string]func() error{
		"the user was changed": func() error { return p.first.UserChanged(t.Context(), "alice") },
		"all tokens of the user were revoked": func() error {
			_, err := Knox(p.first).RevokeAll(t.Context(), "alice", "", "", endNow())
			return err
		},
		"all sessions of the user were ended": func() error {
			_, err := Sessions(p.first).RevokeAll(t.Context(), "alice", "")
			return err
		},
		"all logins by JWT of the user were ended": func() error {
			_, err := JWT(p.first).RevokeAll(t.Context(), "alice", "", "", endNow().At)
			return err
		},
		"everything was deleted": func() error {
			p.node.Do(t, "FLUSHALL")
			return nil
		},
	}
	for name, change := range changes {
		for _, w := range []*watchedUsers{first, second} {
			eventually(t, "alice and bob are cached", func() bool { return w.cached(t, "alice") && w.cached(t, "bob") })
		}
		loads := second.loads.Load()
		if err := change(); err != nil {
			t.Fatalf("%s: got error %v, want nil", name, err)
		}
		eventually(t, name, func() bool { return !first.cached(t, "alice") })
		eventually(t, name, func() bool { return second.loads.Load() > loads || !second.cached(t, "alice") })
	}
}

// While Redis is silent, users are loaded each time.
func TestUsersWhileTheServerIsSilent(t *testing.T) {
	p := newPushTest(t)
	w := newWatchedUsers(p.second)
	eventually(t, "alice is cached", func() bool { return w.cached(t, "alice") })
	p.signal(syscall.SIGSTOP)
	eventually(t, "nothing is cached", func() bool { return !w.cachedTwice(t, "alice") })
	late := newWatchedUsers(p.second) // which begins while the server is silent
	if late.cachedTwice(t, "alice") {
		t.Error("a cache that begins while the server is silent keeps a user")
	}
	p.signal(syscall.SIGCONT)
	eventually(t, "alice is cached again", func() bool { return w.cached(t, "alice") })
	eventually(t, "alice is cached there, too", func() bool { return late.cached(t, "alice") })
}

// The instance that says that a user changed does not wait for the message of Redis.
func TestUsersAreForgottenHereAtOnce(t *testing.T) {
	p := newPushTest(t)
	w := newWatchedUsers(p.first)
	changes := map[string]func() error{
		"the user was changed": func() error { return p.first.UserChanged(t.Context(), "alice") },
		"all tokens of the user were revoked": func() error {
			_, err := Knox(p.first).RevokeAll(t.Context(), "alice", "", "", endNow())
			return err
		},
		"all sessions of the user were ended": func() error {
			_, err := Sessions(p.first).RevokeAll(t.Context(), "alice", "")
			return err
		},
		"all logins by JWT of the user were ended": func() error {
			_, err := JWT(p.first).RevokeAll(t.Context(), "alice", "", "", endNow().At)
			return err
		},
		"all grants of the user were ended": func() error {
			_, err := OAuth(p.first).EndAll(t.Context(), "alice", "", "", endNow().At)
			return err
		},
	}
	for name, change := range changes {
		for range 200 {
			eventually(t, "alice is cached", func() bool { return w.cached(t, "alice") })
			if err := change(); err != nil {
				t.Fatalf("%s: got error %v, want nil", name, err)
			}
			if w.cached(t, "alice") {
				t.Errorf("%s: the user of before is still cached", name)
				break
			}
		}
	}
}
