package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func oauthPurgeEnded(t *testing.T, open func(t *testing.T) oauthStore) {
	gone := noon.Add(server.KeepEnded)
	purge := func(s oauthStore, now time.Time, limit, want int) {
		s.Helper()
		if n, err := s.Purge(s.Context(), now, limit); n != want || err != nil {
			s.Errorf("got %d, %v at %v, want %d", n, err, now.Sub(noon), want)
		}
	}
	t.Run("a grant that ended is known for KeepEnded, and not after that", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("c", noon, oauthTokens(g, "t"), server.Redeemed)
		s.redeem("c", noon, oauthTokens(g, "u"), server.Reused)
		purge(s, gone.Add(-time.Microsecond), 9, 0)
		s.redeem("c", gone, oauthTokens(g, "u"), server.Revoked)
		s.rotate("t refresh", gone, 0, oauthTokens(g, "u"), server.Revoked)
		purge(s, gone, 9, 1)
		s.redeem("c", gone, oauthTokens(g, "u"), server.Unknown)
		s.rotate("t refresh", gone, 0, oauthTokens(g, "u"), server.Unknown)
		if access, _, err := s.FindAccess(s.Context(), "t access"); access != nil || err != nil {
			t.Errorf("got %+v, %v, want no token", access, err)
		}
		s.start("alice", "1") // its identifier and digests are free
	})
	t.Run("whatever ended them, grants go in steps, and those that are live stay", func(t *testing.T) {
		s := open(t)
		s.addClient("closed", "")
		long := func(g *server.Grant) { g.ExpiresAt = noon.Add(900 * time.Hour) }
		for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
			s.start("alice", id, long, func(g *server.Grant) {
				if id == "3" {
					g.ClientID = "closed"
				}
				g.SessionID = id
			})
		}
		s.start("bob", "bob's", long)
		_, err := s.End(s.Context(), "1", noon)
		s.must(err)
		_, err = s.EndSession(s.Context(), "2", noon)
		s.must(err)
		_, _, err = s.RemoveClient(s.Context(), "closed", noon)
		s.must(err)
		g := oauthGrant("alice", "7")
		long(g)
		added, err := s.Start(s.Context(), g, oauthTokens(g, "7"), 3, true)
		if err != nil || !slices.Equal(added.Evicted, []string{"4"}) {
			t.Fatalf("got %+v, %v, want the oldest evicted", added, err)
		}
		s.rotate("5 refresh", noon, 0, oauthTokens(oauthGrant("alice", "5"), "new"), server.Redeemed)
		s.rotate("5 refresh", noon, 0, oauthTokens(oauthGrant("alice", "5"), "again"), server.Reused)
		_, err = s.EndAll(s.Context(), "alice", "7", "", noon)
		s.must(err)
		purge(s, gone.Add(-time.Microsecond), 9, 0)
		for _, want := range []int{4, 2, 0} {
			purge(s, gone, 4, want)
		}
		s.wantLive(true, "7", "bob's")
	})
	t.Run("a loop of grants leaves as many as the limit", func(t *testing.T) {
		s := open(t)
		for i := range 20 {
			g := oauthGrant("alice", fmt.Sprintf("%02d", i))
			g.ExpiresAt = noon.Add(900 * time.Hour)
			_, err := s.Start(s.Context(), g, oauthTokens(g, g.ID), 3, true)
			s.must(err)
		}
		purge(s, gone, 99, 17)
	})
}

// oauthClientEnds checks that what a client loses is told.
func oauthClientEnds(t *testing.T, open func(t *testing.T) oauthStore) {
	for name, end := range map[string]func(s oauthStore) (bool, []server.Ended, error){
		"a client that is disabled": func(s oauthStore) (bool, []server.Ended, error) {
			c := &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}
			return s.ChangeClient(s.Context(), c, noon)
		},
		"a client that is removed": func(s oauthStore) (bool, []server.Ended, error) {
			return s.RemoveClient(s.Context(), "web", fraction)
		},
	} {
		t.Run(name+" tells which grants ended, in order", func(t *testing.T) {
			s := open(t)
			s.addClient("other", "")
			s.start("bob", "3")
			s.start("", "2")
			s.approve("alice", "1", "c")
			s.start("alice", "0 over", func(g *server.Grant) { g.ExpiresAt = fraction })
			s.start("alice", "0 another's", func(g *server.Grant) { g.ClientID = "other" })
			ok, ended, err := end(s)
			if want := []server.Ended{{ID: "1", UserID: "alice"}, {ID: "2"}, {ID: "3", UserID: "bob"}}; !ok ||
				err != nil || !slices.Equal(ended, want) {
				t.Errorf("got %v, %v, %v, want %v", ok, ended, err, want)
			}
			if ok, ended, err := end(s); ok || ended != nil || err != nil {
				t.Errorf("got %v, %v, %v the second time, want nothing", ok, ended, err)
			}
		})
	}
	t.Run("another change of a client ends nothing", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		c := &server.Client{ID: "web", Name: "new", Created: noon, Updated: fraction}
		if ok, ended, err := s.ChangeClient(s.Context(), c, noon); !ok || ended != nil || err != nil {
			t.Errorf("got %v, %v, %v, want it changed and nothing ended", ok, ended, err)
		}
		s.wantLive(true, "1")
	})
}

// oauthWaiting checks that requests that nobody completes cost what is used one grant at
// most.
func oauthWaiting(t *testing.T, open func(t *testing.T) oauthStore) {
	approve := func(s oauthStore, id, client string, want ...string) {
		s.Helper()
		g := oauthGrant("alice", id)
		g.ClientID = client
		added, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "code "+id), Limit: 3,
			EvictOldest: true})
		if err != nil || !added.OK() || !slices.Equal(added.Evicted, want) {
			s.Errorf("got %+v, %v for %s, want %v evicted", added, err, id, want)
		}
	}
	t.Run("codes that wait are the first to make room for a code", func(t *testing.T) {
		s := open(t)
		s.addClient("other", "")
		s.start("alice", "1")
		s.start("alice", "2")
		s.start("alice", "3")
		approve(s, "4", "web", "1")
		approve(s, "5", "web", "4")
		approve(s, "6", "other", "5")
		approve(s, "7", "web", "6")
		s.wantLive(true, "2", "3", "7")
		s.redeem("code 6", noon, oauthTokens(oauthGrant("alice", "6"), "6"), server.Revoked)
		s.redeem("code 7", noon, oauthTokens(oauthGrant("alice", "7"), "7"), server.Redeemed)
		approve(s, "8", "web", "2")
	})
	t.Run("those of the same client go before older ones of others", func(t *testing.T) {
		s := open(t)
		s.addClient("other", "")
		approve(s, "1", "other")
		approve(s, "2", "web")
		s.start("alice", "0")
		approve(s, "3", "web", "2")
		approve(s, "4", "web", "3")
		s.start("alice", "5") // without a limit
		approve(s, "6", "web", "4", "1")
		s.wantLive(true, "0", "5", "6")
		s.start("alice", "7")
		s.start("alice", "8")
		approve(s, "9", "web", "6", "0", "5")
	})
	t.Run("tokens that need no code end the oldest, whether it waits or not", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		s.approve("alice", "2", "c")
		g := oauthGrant("alice", "3")
		if added, err := s.Start(s.Context(), g, oauthTokens(g, "3"), 2, true); err != nil ||
			!slices.Equal(added.Evicted, []string{"1"}) {
			t.Errorf("got %+v, %v, want the oldest evicted", added, err)
		}
	})
	t.Run("a grant whose life was extended counts, and one that expired does not, in whatever order they came",
		func(t *testing.T) {
			s := open(t)
			for i, minutes := range []int{5, 1, 4, 2, 3} {
				s.start("alice", fmt.Sprint(i), func(g *server.Grant) {
					g.ExpiresAt = noon.Add(time.Duration(minutes) * time.Minute)
				})
			}
			tokens := oauthTokens(oauthGrant("alice", "1"), "more")
			if ok, err := s.AddAccess(s.Context(), tokens.Access, noon); !ok || err != nil {
				t.Fatal(ok, err)
			}
			g := oauthGrant("alice", "9")
			g.Created = noon.Add(3 * time.Minute)
			if added, err := s.Start(s.Context(), g, oauthTokens(g, "9"), 3, true); err != nil ||
				!slices.Equal(added.Evicted, []string{"0"}) {
				t.Errorf("got %+v, %v, want the oldest of three that are live evicted", added, err)
			}
		})
}
