package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthLimitOf is a way to add grants up to a limit, and the user of the grants. They are of a client for
// itself if the user is "".
type oauthLimitOf struct {
	name, user string
	add        func(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error)
}

// oauthLimitsOf are the ways. Codes are of users.
var oauthLimitsOf = []oauthLimitOf{
	{"Start of a user", "alice", oauthStartUpTo},
	{"Start of a client for itself", "", oauthStartUpTo},
	{"Approve of a user", "alice", oauthApproveUpTo},
}

func oauthStartUpTo(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error) {
	return s.Start(s.Context(), g, oauthTokens(g, g.ID), limit, evict)
}

func oauthApproveUpTo(s oauthStore, g *server.Grant, limit int, evict bool) (server.Added, error) {
	return s.Approve(s.Context(), server.Approval{Grant: g, Code: oauthCode(g, g.ID), Limit: limit,
		EvictOldest: evict})
}

// check is check for a way.
func (l oauthLimitOf) check(t *testing.T, open openFunc[oauthStore], sentence string,
	prove func(t *testing.T, open openFunc[oauthStore], l oauthLimitOf)) {
	t.Helper()
	t.Run(sentence, func(t *testing.T) { prove(t, open, l) })
}

// limited opens stores for checkLimitRace.
func (l oauthLimitOf) limited(open openFunc[oauthStore]) openFunc[limitStore] {
	return func(t *testing.T) limitStore {
		s := open(t)
		return limitStore{
			fill: func(i int) { s.start(l.user, fmt.Sprintf("a%03d", i)) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				added, err := l.add(s, oauthGrant(l.user, fmt.Sprintf("b%03d", i)), limit, evict)
				return added.OK(), added.Evicted, err
			},
			count: func() int {
				live, err := s.Grants(s.Context(), l.user, "", 1000, noon)
				s.must(err)
				return len(live)
			},
		}
	}
}

func oauthOverLimit(t *testing.T, open openFunc[oauthStore], l oauthLimitOf) {
	s := open(t)
	s.start(l.user, "1")
	s.start(l.user, "2")
	s.keeps("adding a third", func() {
		added, err := l.add(s, oauthGrant(l.user, "3"), 2, false)
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
	if added, err := l.add(s, oauthGrant(l.user, "3"), 3, false); err != nil || !added.OK() ||
		added.Evicted != nil {
		t.Errorf("within the limit: got %+v, %v, want OK and nothing evicted", added, err)
	}
}

func oauthEvicts(t *testing.T, open openFunc[oauthStore], l oauthLimitOf) {
	s := open(t)
	for _, id := range []string{"4", "2", "3", "1"} {
		s.start(l.user, id)
	}
	g := oauthGrant(l.user, "5")
	g.Created = fraction
	added, err := l.add(s, g, 2, true)
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
	s.rotate("1 refresh", noon, 0, oauthTokens(oauthGrant(l.user, "1"), "next"), server.Revoked)
}

func oauthLimitOthers(t *testing.T, open openFunc[oauthStore], l oauthLimitOf) {
	s := open(t)
	s.addClient("other", "")
	s.start(l.user, "0 ended")
	_, err := s.End(s.Context(), "0 ended", noon)
	s.must(err)
	s.start(l.user, "0 over", func(g *server.Grant) { g.ExpiresAt = noon })
	s.start("bob", "0 bob's")
	if l.user == "" {
		s.start(l.user, "0 another client's", func(g *server.Grant) { g.ClientID = "other" })
		s.start("alice", "0 alice's")
	} else {
		s.start(l.user, "0 of before", func(g *server.Grant) { g.Stamp = "old" })
		s.start("", "0 its own")
	}
	for _, evict := range []bool{false, true} {
		if added, err := l.add(s, oauthGrant(l.user, fmt.Sprint(evict)), 2, evict); err != nil ||
			!added.OK() || added.Evicted != nil {
			t.Errorf("got %+v, %v with evict %v, want it added", added, err, evict)
		}
	}
	if added, err := l.add(s, oauthGrant(l.user, "x"), 2, true); err != nil ||
		!slices.Equal(added.Evicted, []string{"false"}) {
		t.Errorf("got %+v, %v, want the older one of two evicted", added, err)
	}
	s.wantLive(true, "0 bob's")
}

func oauthEvictsNothing(t *testing.T, open openFunc[oauthStore], l oauthLimitOf) {
	s := open(t)
	s.start(l.user, "1")
	if added, err := l.add(s, oauthGrant(l.user, "1"), 1, true); err == nil {
		t.Errorf("got %+v for an identifier that is there, want an error", added)
	}
	unknown := oauthGrant(l.user, "2")
	unknown.ClientID = "none"
	if added, err := l.add(s, unknown, 1, true); err != nil || !added.Refused || added.OverLimit ||
		added.Evicted != nil {
		t.Errorf("for a client that is gone: got %+v, %v, want Refused", added, err)
	}
	s.wantLive(true, "1")
}
