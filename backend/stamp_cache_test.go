package backend_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

type plainUser struct{}

func (plainUser) UserID() string { return "alice" }

type stampedUser struct {
	plainUser
	stamp string
}

func (u *stampedUser) AuthStamp() string { return u.stamp }

func TestUnitMatchesStamp(t *testing.T) {
	long := strings.Repeat("x", 5000)
	users := map[string]auth.User{
		"a user without a stamp": plainUser{}, "an empty stamp": &stampedUser{}, "a stamp": &stampedUser{stamp: "one"},
		"another stamp": &stampedUser{stamp: "two"}, "a stamp that just fits": &stampedUser{stamp: long[:251]},
		"one that does not": &stampedUser{stamp: long[:252]}, "a long stamp": &stampedUser{stamp: long},
		"zero bytes": &stampedUser{stamp: "\x00"}, "the issuer again": &stampedUser{stamp: "knox\x00one"},
	}
	t.Run("it says what SameStamp says, with a memo and without, whatever was compared before", func(t *testing.T) {
		for issued, owner := range users {
			for _, issuer := range []string{"knox", "", "knox\x00", "knox\x00knox"} {
				stamp, memo := backend.Stamp(issuer, owner), new(backend.StampCache)
				for range 2 {
					for loaded, user := range users {
						want := backend.SameStamp(stamp, backend.Stamp("knox", user))
						for kind, memo := range map[string]*backend.StampCache{"none": nil, "new": {}, "used": memo} {
							if got := backend.MatchesStamp(stamp, "knox", user, memo); got != want {
								t.Errorf("issued for %s by %q, now %s, memo %s: got %v, want %v", issued, issuer,
									loaded, kind, got, want)
							}
						}
					}
				}
			}
		}
	})
	t.Run("a stamp of another form matches no user", func(t *testing.T) {
		stamp := backend.Stamp("knox", users["a stamp"])
		for _, other := range []string{"", "x", stamp + "A", stamp[:42], strings.Repeat("A", 43),
			strings.ToLower(stamp)} {
			if backend.MatchesStamp(other, "knox", users["a stamp"], nil) {
				t.Errorf("%q matches", other)
			}
		}
	})
	t.Run("nothing allocates, but where a memo learns a text", func(t *testing.T) {
		user, memo := users["a stamp"], new(backend.StampCache)
		stamp := backend.Stamp("knox", user)
		for name, memo := range map[string]*backend.StampCache{"no memo": nil, "a memo": memo} {
			if n := testing.AllocsPerRun(100, func() { backend.MatchesStamp(stamp, "knox", user, memo) }); n != 0 {
				t.Errorf("%s: got %v allocations", name, n)
			}
		}
		if n := testing.AllocsPerRun(100, func() {
			var copied backend.StampCache
			copied.CopyFrom(memo)
			backend.MatchesStamp(stamp, "knox", user, &copied)
		}); n > 1 {
			t.Errorf("a memo that adopts another: got %v allocations, want that of the memo", n)
		}
		if n := testing.AllocsPerRun(100, func() { backend.MatchesStamp(stamp, "other", user, nil) }); n != 0 {
			t.Errorf("a stamp that does not match: got %v allocations", n)
		}
	})
}

// One goroutine has the user as of before the change, one as of after it.
func TestRaceAStampMemoIsSharedByAllChecksOfARecord(t *testing.T) {
	before, after, memo := &stampedUser{stamp: "before"}, &stampedUser{stamp: "after"}, new(backend.StampCache)
	stamp := backend.Stamp("knox", after)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				if !backend.MatchesStamp(stamp, "knox", after, memo) {
					t.Error("the present stamp does not match")
				}
				if backend.MatchesStamp(stamp, "knox", before, memo) {
					t.Error("the stamp of before the change matches")
				}
			}
		})
	}
	wg.Wait()
}
