package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func oauthLimits(t *testing.T, open func(t *testing.T) oauthStore) {
	ways := map[string]func(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error){
		"Start": func(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error) {
			return s.Start(s.Context(), g, oauthTokens(g, g.ID), limit, evict)
		},
		"Approve": func(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error) {
			return s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, g.ID), Limit: limit,
				EvictOldest: evict})
		},
	}
	owners := map[string]string{"of a user": "alice", "of a client for itself": ""}
	count := func(s oauthStore, user string) int {
		s.Helper()
		live, err := s.Grants(s.Context(), user, "", 1000, noon)
		s.must(err)
		return len(live)
	}
	for name, add := range ways {
		for kind, user := range owners {
			if name == "Approve" && user == "" {
				continue // codes are of users
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				if user != "" { // a client's own are counted by the same code
					checkLimitRace(t, func(t *testing.T) limited {
						s := open(t)
						return limited{
							fill: func(i int) { s.start(user, fmt.Sprintf("a%03d", i)) },
							add: func(i, limit int, evict bool) (bool, []string, error) {
								added, err := add(s, oauthGrant(user, fmt.Sprintf("b%03d", i)), limit, evict)
								return added.OK(), added.Evicted, err
							},
							count: func() int { return count(s, user) },
						}
					})
				}
				t.Run("over the limit nothing changes", func(t *testing.T) {
					s := open(t)
					s.start(user, "1")
					s.start(user, "2")
					s.keeps("adding a third", func() {
						added, err := add(s, oauthGrant(user, "3"), 2, false)
						if err != nil || !added.OverLimit || added.OK() || added.Refused || added.Evicted != nil {
							t.Errorf("got %+v, %v, want OverLimit", added, err)
						}
					}, "1", "1")
					if g, err := s.Grant(s.Context(), "3"); g != nil || err != nil {
						t.Errorf("got %+v, %v, want no third grant", g, err)
					}
					if code, _, err := s.FindCode(s.Context(), "3"); code != nil || err != nil {
						t.Errorf("got %+v, %v, want no code", code, err)
					}
					if access, _, err := s.FindAccess(s.Context(), "3 access"); access != nil || err != nil {
						t.Errorf("got %+v, %v, want no token", access, err)
					}
					if added, err := add(s, oauthGrant(user, "3"), 3, false); err != nil || !added.OK() ||
						added.Evicted != nil {
						t.Errorf("got %+v, %v within the limit", added, err)
					}
				})
				t.Run("those with the least identifiers end, with what was issued", func(t *testing.T) {
					s := open(t)
					for _, id := range []string{"4", "2", "3", "1"} {
						s.start(user, id)
					}
					g := oauthGrant(user, "5")
					g.Created = fraction
					added, err := add(s, g, 2, true)
					if err != nil || !added.OK() || !slices.Equal(added.Evicted, []string{"1", "2", "3"}) {
						t.Errorf("got %+v, %v, want the three oldest evicted", added, err)
					}
					s.wantLive(false, "1", "2", "3")
					s.wantLive(true, "4", "5")
					access, of, err := s.FindAccess(s.Context(), "1 access")
					s.must(err)
					if access == nil || !of.RevokedAt.Equal(fraction) {
						t.Errorf("got %+v of %+v, want it ended when the new one began", access, of)
					}
					s.rotate("1 refresh", noon, 0, oauthTokens(oauthGrant(user, "1"), "next"), server.Revoked)
				})
				t.Run("those that ended, expired or are of others do not count and are not evicted",
					func(t *testing.T) {
						s := open(t)
						s.addClient("other", "")
						s.start(user, "0 ended")
						_, err := s.End(s.Context(), "0 ended", noon)
						s.must(err)
						s.start(user, "0 over", func(g *server.Grant) { g.ExpiresAt = noon })
						s.start("bob", "0 bob's")
						if user == "" {
							s.start(user, "0 another client's", func(g *server.Grant) { g.ClientID = "other" })
							s.start("alice", "0 alice's")
						} else {
							s.start(user, "0 of before", func(g *server.Grant) { g.Stamp = "old" })
							s.start("", "0 its own")
						}
						for _, evict := range []bool{false, true} {
							if added, err := add(s, oauthGrant(user, fmt.Sprint(evict)), 2, evict); err != nil ||
								!added.OK() || added.Evicted != nil {
								t.Errorf("got %+v, %v with evict %v, want it added", added, err, evict)
							}
						}
						if added, err := add(s, oauthGrant(user, "x"), 2, true); err != nil ||
							!slices.Equal(added.Evicted, []string{"false"}) {
							t.Errorf("got %+v, %v, want the older one of two evicted", added, err)
						}
						s.wantLive(true, "0 bob's")
					})
				t.Run("what is an error or refused evicts nothing", func(t *testing.T) {
					s := open(t)
					s.start(user, "1")
					if added, err := add(s, oauthGrant(user, "1"), 1, true); err == nil {
						t.Errorf("got %+v for an identifier that is there", added)
					}
					unknown := oauthGrant(user, "2")
					unknown.ClientID = "none"
					if added, err := add(s, unknown, 1, true); err != nil || !added.Refused || added.OverLimit ||
						added.Evicted != nil {
						t.Errorf("got %+v, %v for a client that is gone", added, err)
					}
					s.wantLive(true, "1")
				})
			})
		}
	}
	t.Run("the grants of a user count whatever their client is", func(t *testing.T) {
		s := open(t)
		s.addClient("other", "")
		s.start("alice", "1", func(g *server.Grant) { g.ClientID = "other" })
		g := oauthGrant("alice", "2")
		if added, err := s.Start(s.Context(), g, oauthTokens(g, "2"), 1, true); err != nil ||
			!slices.Equal(added.Evicted, []string{"1"}) {
			t.Errorf("got %+v, %v", added, err)
		}
	})
	t.Run("tokens of another grant evict nothing", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		if added, err := s.Start(s.Context(), oauthGrant("alice", "2"), oauthTokens(oauthGrant("alice", "1"), "2"), 1,
			true); err == nil {
			t.Errorf("got %+v", added)
		}
		s.wantLive(true, "1")
	})
	t.Run("over the limit a consent is not remembered", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		g := oauthGrant("alice", "2")
		if added, err := s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, "c"), Limit: 1,
			Remember: &server.Consent{UserID: "alice", ClientID: "web", Created: noon, Updated: noon}}); err != nil ||
			!added.OverLimit {
			t.Errorf("got %+v, %v, want OverLimit", added, err)
		}
		if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
			t.Errorf("got %+v, %v, want no consent", got, err)
		}
	})
	t.Run("an owner has as many clients as the limit, whatever others have", func(t *testing.T) {
		s := open(t)
		for i, row := range []struct {
			id, owner string
			limit     int
			want      server.Added
		}{{"a", "alice", 2, server.Added{}}, {"b", "alice", 2, server.Added{}}, {"c", "alice", 2,
			server.Added{OverLimit: true}},
			{"a", "alice", 2, server.Added{Refused: true}}, {"a", "bob", 9, server.Added{Refused: true}}, {"c", "Alice",
				2, server.Added{}},
			{"d", "bob", 1, server.Added{}}, {"e", "alice", 3, server.Added{}}, {"f", "alice", 0, server.Added{}}} {
			added, err := s.AddClient(s.Context(), &server.Client{ID: row.id, Owner: row.owner, Created: noon,
				Updated: noon}, row.limit)
			if err != nil || added.Refused != row.want.Refused || added.OverLimit != row.want.OverLimit {
				t.Errorf("%d: got %+v, %v, want %+v", i, added, err, row.want)
			}
		}
		if owned, err := s.Clients(s.Context(), "alice", "", 9); err != nil || len(owned) != 4 {
			t.Errorf("got %d clients, %v, want 4", len(owned), err)
		}
		_, _, err := s.RemoveClient(s.Context(), "a", noon)
		s.must(err)
		if added, err := s.AddClient(s.Context(), &server.Client{ID: "a", Owner: "alice", Created: noon,
			Updated: noon.Add(time.Second)}, 4); err != nil || !added.OK() {
			t.Errorf("got %+v, %v after one was removed", added, err)
		}
	})
	t.Run("of 32 clients at once an owner gets as many as the limit", func(t *testing.T) {
		s := open(t)
		var added, over atomic.Int32
		together(32, func(i int) {
			got, err := s.AddClient(s.Context(), &server.Client{ID: fmt.Sprint(i), Owner: "alice", Created: noon,
				Updated: noon}, 10)
			switch {
			case err != nil:
				t.Error(err)
			case got.OK():
				added.Add(1)
			case got.OverLimit:
				over.Add(1)
			}
		})
		owned, err := s.Clients(s.Context(), "alice", "", 100)
		if err != nil || added.Load() != 10 || over.Load() != 22 || len(owned) != 10 {
			t.Errorf("got %d added, %d over the limit, %d there, %v, want 10, 22 and 10", added.Load(), over.Load(),
				len(owned), err)
		}
	})
}
