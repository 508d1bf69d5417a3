package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthGrants checks what grants there are, and how they end.
func oauthGrants(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a user's live grants are listed, the greatest identifier first", oauthGrantsListed)
	check(t, open, "a grant ends once", oauthEndsOnce)
	check(t, open, "EndSession ends the grants of the session, except those with offline access", oauthEndsSession)
	check(t, open, "what was returned does not change", oauthGrantCopies)
}

func oauthGrantsListed(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	later := func(g *server.Grant) { g.Created = noon.Add(time.Microsecond) }
	s.start("alice", "b", later)
	s.start("alice", "c", later)
	s.start("alice", "a")
	s.start("alice", "z")
	s.start("bob", "bob's")
	s.start("", "a client's own")
	s.approve("alice", "pending", "code")
	s.start("alice", "over", func(g *server.Grant) { g.ExpiresAt = noon })
	if got := s.grantIDs("alice", noon); got != "z pending c b a" {
		t.Errorf("grantIDs: got %v, want \"z pending c b a\"", got)
	}
	if got := s.grantIDs("alice", noon.Add(time.Hour)); got != "" {
		t.Errorf("grantIDs: got %v, want \"\"", got)
	}
	for _, user := range []string{"Alice", "alice ", "nobody"} {
		if got := s.grantIDs(user, noon); got != "" {
			t.Errorf("%q: grantIDs: got %s, want \"\"", user, got)
		}
	}
}

func oauthEndsOnce(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "1")
	s.start("alice", "over", func(g *server.Grant) { g.ExpiresAt = noon })
	for _, row := range []struct {
		id   string
		want bool
	}{{"1", true}, {"1", false}, {"over", false}, {"none", false}} {
		if ok, err := s.End(s.Context(), row.id, noon); ok != row.want || err != nil {
			t.Errorf("%+v: End: got %v, %v, want %v", row, ok, err, row.want)
		}
	}
	if access, grant, err := s.FindAccess(s.Context(), "1 access"); access == nil || grant.Live(noon) || err != nil {
		t.Errorf("FindAccess: got %+v, %+v, %v, want a record and it not to be live", access, grant, err)
	}
	if got := s.grantIDs("alice", noon.Add(-time.Second)); got != "over" {
		t.Errorf("grantIDs: got %v, want \"over\"", got)
	}
}

func oauthEndsSession(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	in := func(session string, offline bool) func(*server.Grant) {
		return func(g *server.Grant) { g.SessionID, g.Offline = session, offline }
	}
	s.start("alice", "b", in("s", false))
	s.start("alice", "a", in("s", false))
	s.start("alice", "offline", in("s", true))
	s.start("alice", "other", in("S", false))
	s.start("alice", "none")
	s.start("alice", "over", in("s", false), func(g *server.Grant) { g.ExpiresAt = noon })
	for _, session := range []string{"", "unknown"} {
		if ended, err := s.EndSession(s.Context(), session, noon); len(ended) != 0 || err != nil {
			t.Errorf("%q: EndSession: got %+v, %v, want an empty list", session, ended, err)
		}
	}
	ended, err := s.EndSession(s.Context(), "s", fraction)
	if err != nil || len(ended) != 2 || ended[0] != (server.EndedGrant{ID: "a", UserID: "alice"}) ||
		ended[1].ID != "b" {
		t.Errorf("EndSession: got %+v, %v, want 2 entries and %+v and ID \"b\"", ended, err,
			server.EndedGrant{ID: "a", UserID: "alice"})
	}
	if g, err := s.Grant(s.Context(), "a"); err != nil || !g.RevokedAt.Equal(fraction) {
		t.Errorf("Grant: got %+v, %v, want RevokedAt %v", g, err, fraction)
	}
	s.wantLive(true, "offline", "other", "none")
	s.wantLive(false, "a", "b")
}

func oauthGrantCopies(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.approve("alice", "1", "c")
	s.start("alice", "2")
	first, err := s.Grant(s.Context(), "1")
	s.must(err)
	code, byCode, err := s.FindCode(s.Context(), "c")
	s.must(err)
	refresh, byRefresh, err := s.FindRefresh(s.Context(), "2 refresh")
	s.must(err)
	access, byAccess, err := s.FindAccess(s.Context(), "2 access")
	s.must(err)
	listed, err := s.Grants(s.Context(), "alice", "", 100, noon)
	s.must(err)
	client, err := s.Client(s.Context(), "web")
	s.must(err)
	returned := []any{first, code, byCode, refresh, byRefresh, access, byAccess, listed, client}
	before := recordText(returned)
	s.redeem("c", fraction, oauthTokens(oauthGrant("alice", "1"), "t"), server.Redeemed)
	s.rotate("2 refresh", fraction, 0, oauthTokens(oauthGrant("alice", "2"), "u"), server.Redeemed)
	_, err = s.EndAll(s.Context(), "alice", "2", "new", fraction)
	s.must(err)
	_, _, err = s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction},
		noon)
	s.must(err)
	if after := recordText(returned); after != before {
		t.Errorf("what was returned changed:\n%s\nbecame\n%s", before, after)
	}
}

// oauthEndingAll checks what ends all grants of a user, a session or a client.
func oauthEndingAll(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "EndAll ends all grants of a user except the kept one, and stamps that one", oauthEndsAll)
	check(t, open, "EndAll stamps the kept grant only if it is live, and accepts no kept grant", oauthEndsAllStamps)
	check(t, open, "EndAll leaves grants that have ended or expired", oauthEndsNoMore)
}

func oauthEndsAll(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"b", "a", "kept"} {
		s.start("alice", id)
	}
	s.start("bob", "bob's")
	s.approve("alice", "pending", "code")
	if ids, err := s.EndAll(s.Context(), "alice", "kept", "new", fraction); err != nil ||
		!slices.Equal(ids, []string{"a", "b", "pending"}) {
		t.Errorf("EndAll: got %v, %v, want ids [a b pending]", ids, err)
	}
	s.wantLive(true, "kept", "bob's")
	s.wantLive(false, "a", "b", "pending")
	if g, err := s.Grant(s.Context(), "kept"); err != nil || g.Stamp != "new" {
		t.Errorf("Grant: got %+v, %v, want Stamp \"new\"", g, err)
	}
	if ids, err := s.EndAll(s.Context(), "alice", "bob's", "stolen", noon); err != nil ||
		!slices.Equal(ids, []string{"kept"}) {
		t.Errorf("EndAll: got %v, %v, want ids [kept]", ids, err)
	}
	if g, err := s.Grant(s.Context(), "bob's"); err != nil || g.Stamp != "" || !g.Live(noon) {
		t.Errorf("the grant of another user: %+v, %v, want it live without a stamp", g, err)
	}
}

func oauthEndsAllStamps(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "over", func(g *server.Grant) { g.ExpiresAt, g.Stamp = noon, "old" })
	s.start("alice", "ended", func(g *server.Grant) { g.Stamp = "old" })
	_, err := s.End(s.Context(), "ended", noon)
	s.must(err)
	for _, kept := range []string{"over", "ended", "none", ""} {
		s.start("alice", "until "+kept)
		if ids, err := s.EndAll(s.Context(), "alice", kept, "new", noon); err != nil ||
			!slices.Equal(ids, []string{"until " + kept}) {
			t.Errorf("%q: EndAll: got %q, %v, want ids %q", kept, ids, err, []string{"until " + kept})
		}
	}
	for _, id := range []string{"over", "ended"} {
		if g, err := s.Grant(s.Context(), id); err != nil || g.Stamp != "old" {
			t.Errorf("Grant: got %+v, %v, want Stamp \"old\"", g, err)
		}
	}
}

func oauthEndsNoMore(t *testing.T, open openFunc[oauthStore]) {
	for name, end := range map[string]func(s oauthStore) (int, error){
		"Withdraw": func(s oauthStore) (int, error) {
			ids, err := s.Withdraw(s.Context(), "alice", "web", fraction)
			return len(ids), err
		},
		"EndSession": func(s oauthStore) (int, error) {
			grants, err := s.EndSession(s.Context(), "s", fraction)
			return len(grants), err
		},
		"EndAll": func(s oauthStore) (int, error) {
			ids, err := s.EndAll(s.Context(), "alice", "", "", fraction)
			return len(ids), err
		},
		"RemoveClient": func(s oauthStore) (int, error) {
			_, _, err := s.RemoveClient(s.Context(), "web", fraction)
			return 1, err
		},
	} {
		s := open(t)
		in := func(g *server.Grant) { g.SessionID = "s" }
		s.start("alice", "live", in)
		s.start("alice", "ended", in)
		s.start("alice", "over", in, func(g *server.Grant) { g.ExpiresAt = fraction })
		_, err := s.End(s.Context(), "ended", noon)
		s.must(err)
		if n, err := end(s); n != 1 || err != nil {
			t.Errorf("%s: end: got %d, %v, want 1", name, n, err)
		}
		for id, want := range map[string]time.Time{"live": fraction, "ended": noon, "over": {}} {
			if id == "over" && name == "RemoveClient" {
				continue // it may be noted
			}
			if g, err := s.Grant(s.Context(), id); err != nil || !g.RevokedAt.Equal(want) {
				t.Errorf("%s: Grant: got %+v, %v, want RevokedAt %v", name, g, err, want)
			}
		}
	}
}

// grantIDs returns the identifiers of the grants of a user, in their order.
func (s oauthStore) grantIDs(user string, now time.Time) string {
	s.Helper()
	all, err := s.Grants(s.Context(), user, "", 100, now)
	s.must(err)
	var ids []string
	for _, g := range all {
		ids = append(ids, g.ID)
	}
	return strings.Join(ids, " ")
}
