package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthRefresh checks Rotate.
func oauthRefresh(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a refresh token is good once, and a second use ends the grant", oauthRefreshOnce)
	check(t, open, "a refresh token that expired, or whose grant expired, is Expired", oauthRefreshExpires)
	check(t, open, "Rotate to tokens with a stored digest or of another grant is an error and changes nothing",
		oauthRefreshAgain)
	check(t, open, "a refresh token that is refused changes nothing", oauthRefreshRefused)
	check(t, open, "a second use of a refresh token ends its grant and no other", oauthRefreshReplay)
}

func oauthRefreshOnce(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	s.rotate("none", noon, 0, oauthTokens(g, "2"), server.Unknown)
	if r := s.rotate("1 refresh", fraction, 0, oauthTokens(g, "2"), server.Redeemed); r.Sealed != nil {
		t.Errorf("Rotate: got Sealed %q, want nil", r.Sealed)
	}
	refresh, grant, err := s.FindRefresh(s.Context(), "1 refresh")
	if err != nil || !refresh.Rotated.Equal(fraction) || refresh.Successor != "2 refresh" ||
		!grant.LastUsed.Equal(fraction) || !grant.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("FindRefresh: got %+v, %+v, %v, want Rotated %v, Successor \"2 refresh\", LastUsed %v, ExpiresAt %v",
			refresh, grant, err, fraction, fraction, noon.Add(3*time.Hour))
	}
	for _, name := range []string{"1", "2"} {
		if access, grant, err := s.FindAccess(s.Context(), name+" access"); access == nil || !grant.Live(noon) ||
			err != nil {
			t.Errorf("%s: FindAccess: got %+v, %v, want a record and it to be live", name, access, err)
		}
	}
	s.rotate("1 refresh", noon.Add(time.Hour), 0, oauthTokens(g, "3"), server.Reused)
	s.wantLive(false, "1")
	if access, _, err := s.FindAccess(s.Context(), "3 access"); access != nil || err != nil {
		t.Errorf("FindAccess: got %+v, %v, want nil", access, err)
	}
	s.rotate("2 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
	s.rotate("1 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
}

func oauthRefreshExpires(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(5 * time.Hour) })
	s.rotate("1 refresh", noon.Add(3*time.Hour), 0, oauthTokens(g, "2"), server.Expired)
	s.rotate("1 refresh", noon.Add(3*time.Hour-time.Microsecond), 0, oauthTokens(g, "2"), server.Redeemed)
	s.start("alice", "short")
	s.rotate("short refresh", noon.Add(time.Hour), 0, oauthTokens(oauthGrant("alice", "short"), "x"), server.Expired)
}

func oauthRefreshAgain(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	other := s.start("alice", "2")
	half := oauthTokens(g, "new")
	half.Refresh.Digest = "2 refresh"
	for _, tokens := range []server.Tokens{oauthTokens(g, "2"), oauthTokens(other, "new"), half} {
		s.keeps("it", func() {
			if rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, tokens); err == nil {
				t.Errorf("Rotate: got %+v, want an error", rotation)
			}
		}, "1", "1", "2", "new")
	}
	s.rotate("1 refresh", noon, 0, oauthTokens(g, "3"), server.Redeemed)
}

func oauthRefreshRefused(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(5 * time.Hour) })
	next := oauthSealed(g, "2")
	next.Access.ExpiresAt = noon.Add(5 * time.Hour)
	s.rotate("1 refresh", noon, time.Minute, next, server.Redeemed)
	s.keeps("an unknown one", func() { s.rotate("none", noon, time.Minute, oauthSealed(g, "3"), server.Unknown) }, "1",
		"1", "2", "3")
	// That it expired is looked for before that it was used.
	for _, name := range []string{"1", "2"} {
		s.keeps("an expired one", func() {
			s.rotate(name+" refresh", noon.Add(3*time.Hour), 9*time.Hour, oauthSealed(g, "3"), server.Expired)
		}, "1", "1", "2", "3")
	}
	_, err := s.End(s.Context(), "1", noon)
	s.must(err)
	for _, name := range []string{"1", "2"} {
		for _, at := range []time.Time{noon, noon.Add(3 * time.Hour), noon.Add(9 * time.Hour)} {
			s.keeps("a revoked one", func() {
				s.rotate(name+" refresh", at, time.Minute, oauthSealed(g, "3"),
					server.Revoked)
			}, "1", "1", "2", "3")
		}
	}
}

func oauthRefreshReplay(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	other := s.start("alice", "2")
	s.rotate("1 refresh", noon, 0, oauthTokens(g, "next"), server.Redeemed)
	s.keeps("the other", func() { s.rotate("1 refresh", fraction, 0, oauthTokens(g, "x"), server.Reused) }, "2", "2",
		"x")
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(fraction) || !g.LastUsed.Equal(noon) {
		t.Errorf("Grant: got %+v, %v, want RevokedAt %v and LastUsed %v", g, err, fraction, noon)
	}
	s.rotate("2 refresh", noon, 0, oauthTokens(other, "y"), server.Redeemed)
}

// oauthGrace checks the retries of Rotate.
func oauthGrace(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "within the grace Rotate returns the same successor, until that is used", oauthRetries)
	check(t, open, "after the grace, or without a sealed successor, a second use is Reused", oauthGraceEnds)
	check(t, open, "a refresh sets the expiry of the grant to that of the new tokens, and a retry never shortens it",
		oauthRetryMoves)
}

func oauthRetries(t *testing.T, open openFunc[oauthStore]) {
	const grace = 10 * time.Second
	s := open(t)
	g := s.start("alice", "1")
	s.rotate("1 refresh", noon, grace, oauthSealed(g, "2"), server.Redeemed)
	for i, at := range []time.Time{noon, noon.Add(grace - time.Microsecond), noon.Add(-grace + time.Microsecond)} {
		name := fmt.Sprint("retry", i)
		if r := s.rotate("1 refresh", at, grace, oauthSealed(g, name), server.Retried); !slices.Equal(r.Sealed,
			[]byte{0, 255, 1}) {
			t.Errorf("got Sealed %v, want what was sealed", r.Sealed)
		}
		if access, _, err := s.FindAccess(s.Context(), name+" access"); access == nil || err != nil {
			t.Errorf("the access token: got %+v, %v, want a record", access, err)
		}
		if refresh, _, err := s.FindRefresh(s.Context(), name+" refresh"); refresh != nil || err != nil {
			t.Errorf("a refresh token: %+v, %v, want nil", refresh, err)
		}
	}
	if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed == nil {
		t.Errorf("FindRefresh of the successor: got %+v, %v, want a sealed successor", refresh, err)
	}
	s.rotate("2 refresh", noon, grace, oauthSealed(g, "3"), server.Redeemed)
	if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed != nil {
		t.Errorf("what was sealed is kept after its use: %+v, %v", refresh, err)
	}
	s.rotate("1 refresh", noon, grace, oauthSealed(g, "4"), server.Reused)
	s.wantLive(false, "1")
}

func oauthGraceEnds(t *testing.T, open openFunc[oauthStore]) {
	const grace = 10 * time.Second
	s := open(t)
	for i, row := range []struct {
		at     time.Time
		tokens func(*server.Grant, string) server.Tokens
	}{{noon.Add(grace), oauthSealed}, {noon.Add(-grace), oauthSealed}, {noon, oauthTokens}} {
		id := fmt.Sprint("g", i)
		g := s.start("alice", id)
		s.rotate(id+" refresh", noon, grace, row.tokens(g, id+"n"), server.Redeemed)
		s.rotate(id+" refresh", row.at, grace, oauthSealed(g, id+"m"), server.Reused)
		s.wantLive(false, id)
	}
	g := s.start("alice", "expiring")
	next := oauthSealed(g, "soon")
	next.Refresh.ExpiresAt = noon.Add(time.Second)
	s.rotate("expiring refresh", noon, grace, next, server.Redeemed)
	s.rotate("expiring refresh", noon.Add(time.Second), grace, oauthSealed(g, "x"), server.Reused)
}

func oauthRetryMoves(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(9 * time.Hour) })
	for _, row := range []struct {
		name    string
		after   time.Duration
		access  time.Duration
		want    server.Verdict
		expires time.Duration
	}{{"first", time.Second, 2 * time.Hour, server.Redeemed, 3 * time.Hour},
		{"shorter", 2 * time.Second, time.Hour, server.Retried, 3 * time.Hour},
		{"longer", 3 * time.Second, 4 * time.Hour, server.Retried, 4 * time.Hour}} {
		tokens := oauthSealed(g, row.name)
		tokens.Access.ExpiresAt = noon.Add(row.access)
		s.rotate("1 refresh", noon.Add(row.after), time.Minute, tokens, row.want)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(row.expires)) ||
			!g.LastUsed.Equal(noon.Add(row.after)) {
			t.Errorf("%s: Grant: got %+v, %v, want ExpiresAt %v and LastUsed %v", row.name, g, err,
				noon.Add(row.expires), noon.Add(row.after))
		}
	}
	s.keeps("a retry that is an error", func() {
		if rotation, err := s.Rotate(s.Context(), "1 refresh", noon.Add(4*time.Second), time.Minute,
			oauthSealed(g, "longer")); err == nil || rotation.Sealed != nil {
			t.Errorf("Rotate: got %+v, %v, want an error and Sealed nil", rotation, err)
		}
	}, "1", "1", "first", "longer")
}

// oauthSealed is oauthTokens with a refresh token that a retry gets again.
func oauthSealed(g *server.Grant, name string) server.Tokens {
	tokens := oauthTokens(g, name)
	tokens.Refresh.Sealed = []byte{0, 255, 1}
	return tokens
}
