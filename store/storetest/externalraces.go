package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

func loginRaces(t *testing.T, open func(t *testing.T) loginStore) {
	const rounds = 8
	t.Run("of 32 users that link one identity at once one gets it, and all are told who", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			subject := fmt.Sprint("contended", round)
			owners := make([]string, 32)
			together(len(owners), func(i int) {
				user := fmt.Sprint("user", i)
				identity := loginIdentity(user, fmt.Sprint(subject, " ", i))
				identity.Subject = subject
				var err error
				if owners[i], err = s.Link(s.Context(), identity); err != nil {
					t.Error(err)
				}
			})
			got := s.find(subject)
			if got == nil {
				t.Fatal("nobody has it")
			}
			for i, owner := range owners {
				if owner != got.UserID {
					t.Errorf("user%d was told %q, %q has it", i, owner, got.UserID)
				}
			}
			for i := range owners {
				want := 0
				if user := fmt.Sprint("user", i); user == got.UserID {
					want = 1
				}
				has := slices.DeleteFunc(s.list(fmt.Sprint("user", i)), func(i *external.Identity) bool { return i.Subject != subject })
				if len(has) != want {
					t.Errorf("user%d has %d, want %d", i, len(has), want)
				}
			}
		}
	})
	t.Run("of 32 identities of one ID that are linked at once one is, and of one user's own none is lost", func(t *testing.T) {
		s := open(t)
		var linked atomic.Int32
		together(32, func(i int) {
			same := loginIdentity("alice", "same")
			same.Subject = fmt.Sprint("same", i)
			if owner, err := s.Link(s.Context(), same); err == nil && owner == "alice" {
				linked.Add(1)
			}
			if owner, err := s.Link(s.Context(), loginIdentity("bob", fmt.Sprint(i))); owner != "bob" || err != nil {
				t.Errorf("%q, %v", owner, err)
			}
		})
		if linked.Load() != 1 {
			t.Errorf("%d linked", linked.Load())
		}
		s.wantIDs("alice", "same")
		if n := len(s.list("bob")); n != 32 {
			t.Errorf("%d of 32", n)
		}
	})
	t.Run("of two that unlink a user's last two at once one stays", func(t *testing.T) {
		s := open(t)
		for round := range 4 * rounds {
			user := fmt.Sprint("user", round)
			for i := range 2 {
				s.link(loginIdentity(user, fmt.Sprint(user, i)), user)
			}
			var verdicts [2]external.UnlinkVerdict
			together(2, func(i int) {
				var err error
				if _, verdicts[i], err = s.Unlink(s.Context(), user, fmt.Sprint(user, i), true); err != nil {
					t.Error(err)
				}
			})
			if slices.Sort(verdicts[:]); verdicts != [2]external.UnlinkVerdict{external.UnlinkRemoved, external.UnlinkLast} {
				t.Errorf("%v", verdicts)
			}
			if n := len(s.list(user)); n != 1 {
				t.Errorf("%d stayed", n)
			}
		}
	})
	t.Run("of 32 that unlink a user's eight at once one stays, and each is removed once", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			user := fmt.Sprint("user", round)
			for i := range 8 {
				s.link(loginIdentity(user, fmt.Sprint(user, i)), user)
			}
			var mu sync.Mutex
			removed := make(map[string]int)
			together(32, func(i int) {
				identity, verdict, err := s.Unlink(s.Context(), user, fmt.Sprint(user, i%8), true)
				if err != nil || (identity != nil) != (verdict == external.UnlinkRemoved) {
					t.Errorf("%+v, %v, %v", identity, verdict, err)
				}
				if identity != nil {
					mu.Lock()
					defer mu.Unlock()
					removed[identity.ID]++
				}
			})
			left := s.list(user)
			if len(left) != 1 || len(removed) != 7 || removed[left[0].ID] != 0 {
				t.Errorf("%d left, removed %v", len(left), removed)
			}
			for id, n := range removed {
				if n != 1 {
					t.Errorf("%s was removed %d times", id, n)
				}
			}
		}
	})
	t.Run("what is touched while it is unlinked or its user removed does not come back", func(t *testing.T) {
		s := open(t)
		for round := range 4 * rounds {
			user := fmt.Sprint("user", round)
			s.link(loginIdentity(user, user), user)
			together(9, func(i int) {
				var err error
				switch {
				case i != 4:
					err = s.Touch(s.Context(), loginIdentity(user, user))
				case round%2 == 0:
					_, _, err = s.Unlink(s.Context(), user, user, false)
				default:
					_, err = s.RemoveUser(s.Context(), user)
				}
				if err != nil {
					t.Error(err)
				}
			})
			if got := s.find(user); got != nil {
				t.Errorf("%+v", got)
			}
			s.wantIDs(user)
		}
	})
}

func loginOnceRaces(t *testing.T, open func(t *testing.T) loginStore) {
	const rounds = 8
	t.Run("of 32 that put a key at once one is told that it is fresh", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			// A new one, and then the same when it expired.
			for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
				var fresh atomic.Int32
				together(32, func(int) {
					if ok, err := s.PutOnce(s.Context(), fmt.Sprint(round), now.Add(time.Hour), now); err != nil {
						t.Error(err)
					} else if ok {
						fresh.Add(1)
					}
				})
				if fresh.Load() != 1 {
					t.Errorf("%d fresh", fresh.Load())
				}
			}
		}
	})
	t.Run("of 32 that add a code of one digest at once one does, and of 32 that take it one gets it", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			digest := fmt.Sprint(round)
			var added, taken atomic.Int32
			together(32, func(i int) {
				if s.AddCode(s.Context(), loginCode(fmt.Sprint("user", i), digest)) == nil {
					added.Add(1)
				}
			})
			together(32, func(int) {
				if code, err := s.TakeCode(s.Context(), digest, noon); err != nil {
					t.Error(err)
				} else if code != nil {
					taken.Add(1)
				}
			})
			if added.Load() != 1 || taken.Load() != 1 {
				t.Errorf("%d added, %d taken", added.Load(), taken.Load())
			}
		}
	})
	t.Run("purges at once remove each key and code once", func(t *testing.T) {
		s := open(t)
		for i := range 40 {
			s.put(fmt.Sprint(i), noon, noon.Add(-time.Hour), true)
			c := loginCode("alice", fmt.Sprint(i))
			c.ExpiresAt = noon
			s.must(s.AddCode(s.Context(), c))
		}
		var total atomic.Int32
		together(8, func(int) {
			n, err := s.Purge(s.Context(), noon, 14)
			if err != nil {
				t.Error(err)
			}
			total.Add(int32(n))
		})
		if total.Load() != 80 {
			t.Errorf("%d of 80", total.Load())
		}
	})
	t.Run("a key that is put again while it is purged is there", func(t *testing.T) {
		s := open(t)
		for round := range rounds {
			key := fmt.Sprint(round)
			s.put(key, noon, noon.Add(-time.Hour), true)
			together(8, func(i int) {
				var err error
				if i%2 == 0 {
					_, err = s.Purge(s.Context(), noon, 100)
				} else {
					_, err = s.PutOnce(s.Context(), key, noon.Add(time.Hour), noon)
				}
				if err != nil {
					t.Error(err)
				}
			})
			s.put(key, noon.Add(time.Hour), noon, false)
		}
	})
}
