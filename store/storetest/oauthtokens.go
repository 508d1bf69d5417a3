package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

func oauthCodes(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("a grant and its code are found as they were approved", func(t *testing.T) {
		s := open(t)
		g := &server.Grant{ID: "g", ClientID: "web", UserID: odd, Type: "authorization_code", SessionID: odd, Offline: true,
			Permissions: server.Permissions{{Resource: "https://api.example/?x='", Scopes: []string{"read", "a:b"}},
				{Scopes: []string{"openid", odd}}, {Resource: odd}},
			AuthInfo: auth.AuthInfo{AuthTime: fraction, AMR: []string{"pwd", "one time"}, ACR: "urn:high"}, Stamp: "stamp", Created: fraction, LastUsed: fraction, ExpiresAt: fraction.Add(time.Hour), MaxExpiresAt: fraction.Add(time.Hour * 2)}
		c := &server.Code{Digest: "c", GrantID: "g", RedirectURI: "https://web.example/cb?x=%00", Challenge: "challenge", Nonce: odd, ExpiresAt: fraction.Add(time.Minute)}
		ok, err := s.approved(server.Approval{Grant: g, Code: c})
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		code, grant, err := s.FindCode(s.Context(), "c")
		if err != nil || !sameRecord(code, c) || !sameRecord(grant, g) {
			t.Errorf("%+v %+v, %v", code, grant, err)
		}
		if grant, err := s.Grant(s.Context(), "g"); err != nil || !sameRecord(grant, g) {
			t.Errorf("%+v, %v", grant, err)
		}
		for _, digest := range []string{"C", "", "none"} {
			if code, grant, err := s.FindCode(s.Context(), digest); code != nil || grant != nil || err != nil {
				t.Errorf("%q: %+v %+v, %v", digest, code, grant, err)
			}
		}
	})
	t.Run("what is there already is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		s.approve("alice", "1", "c1")
		for sentence, a := range map[string]server.Approval{
			"the grant":                 {Grant: oauthGrant("bob", "1"), Code: &server.Code{Digest: "new", GrantID: "1", ExpiresAt: noon}},
			"the code":                  {Grant: oauthGrant("bob", "2"), Code: &server.Code{Digest: "c1", GrantID: "2", ExpiresAt: noon}},
			"a code of another grant's": {Grant: oauthGrant("bob", "3"), Code: &server.Code{Digest: "c3", GrantID: "1", ExpiresAt: noon}},
		} {
			s.keeps(sentence, func() {
				if ok, err := s.approved(a); ok || err == nil {
					t.Errorf("%s: %v, %v", sentence, ok, err)
				}
			}, "1", "c1", "new", "c3")
		}
		s.wantLive(false, "2", "3")
		if _, grant, err := s.FindCode(s.Context(), "c1"); err != nil || grant.UserID != "alice" {
			t.Errorf("%+v, %v", grant, err)
		}
		s.start("alice", "taken")
		for sentence, tokens := range map[string]server.Tokens{
			"an access token":        {Access: &server.Access{Digest: "taken access", GrantID: "1", ExpiresAt: noon}},
			"a refresh token":        {Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon}, Refresh: &server.Refresh{Digest: "taken refresh", GrantID: "1", ExpiresAt: noon}},
			"one of another grant":   {Access: &server.Access{Digest: "new access", GrantID: "taken", ExpiresAt: noon}},
			"a refresh token of one": {Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon}, Refresh: &server.Refresh{Digest: "new refresh", GrantID: "taken", ExpiresAt: noon}},
		} {
			s.keeps(sentence, func() {
				if verdict, err := s.Redeem(s.Context(), "c1", noon, tokens); err == nil {
					t.Errorf("%s: %v", sentence, verdict)
				}
			}, "1", "c1", "new", "taken")
		}
		s.redeem("c1", noon, oauthTokens(oauthGrant("alice", "1"), "good"), server.Redeemed)
	})
	t.Run("a code is good once", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("none", noon, oauthTokens(g, "t"), server.Unknown)
		s.redeem("c", fraction, oauthTokens(g, "t"), server.Redeemed)
		code, grant, err := s.FindCode(s.Context(), "c")
		if err != nil || !code.Redeemed.Equal(fraction) || !grant.LastUsed.Equal(fraction) || !grant.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("%+v %+v, %v", code, grant, err)
		}
		access, grant, err := s.FindAccess(s.Context(), "t access")
		if err != nil || !sameRecord(access, oauthTokens(g, "t").Access) || grant.ID != "1" {
			t.Errorf("%+v, %v", access, err)
		}
		refresh, grant, err := s.FindRefresh(s.Context(), "t refresh")
		if err != nil || !sameRecord(refresh, oauthTokens(g, "t").Refresh) || grant.ID != "1" {
			t.Errorf("%+v, %v", refresh, err)
		}
		// Long after it expired: its tokens are good still.
		late := noon.Add(2 * time.Hour)
		s.redeem("c", late, oauthTokens(g, "u"), server.Reused)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(late) {
			t.Errorf("%+v, %v", g, err)
		}
		if access, _, err := s.FindAccess(s.Context(), "u access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.redeem("c", late, oauthTokens(g, "v"), server.Revoked)
	})
	t.Run("a code expires, and its grant may before it", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("c", noon.Add(time.Minute), oauthTokens(g, "t"), server.Expired)
		s.redeem("c", noon.Add(time.Minute-time.Microsecond), oauthTokens(g, "t"), server.Redeemed)
		short := oauthGrant("alice", "2")
		short.ExpiresAt = noon.Add(time.Second)
		_, err := s.approved(server.Approval{Grant: short, Code: oauthCode(short, "d")})
		s.must(err)
		s.redeem("d", noon.Add(time.Second), oauthTokens(short, "u"), server.Expired)
	})
	t.Run("tokens without a refresh token expire with the access token", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.redeem("c", noon, server.Tokens{Access: oauthTokens(g, "t").Access}, server.Redeemed)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
	})
	t.Run("a code that is refused changes nothing", func(t *testing.T) {
		s := open(t)
		g := s.approve("alice", "1", "c")
		s.keeps("an unknown one", func() { s.redeem("C", noon, oauthTokens(g, "t"), server.Unknown) }, "1", "c", "t")
		s.keeps("an expired one", func() { s.redeem("c", noon.Add(time.Minute), oauthTokens(g, "t"), server.Expired) }, "1", "c", "t")
		_, err := s.End(s.Context(), "1", noon)
		s.must(err)
		// That it was ended is looked for first.
		for _, at := range []time.Time{noon, noon.Add(time.Minute), noon.Add(time.Hour)} {
			s.keeps("a revoked one", func() { s.redeem("c", at, oauthTokens(g, "t"), server.Revoked) }, "1", "c", "t")
		}
	})
	t.Run("a grant expires with what came of its code, though it would have later", func(t *testing.T) {
		s := open(t)
		g := oauthGrant("alice", "1")
		g.ExpiresAt = noon.Add(9 * time.Hour)
		_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "c")})
		s.must(err)
		tokens := oauthTokens(g, "t")
		tokens.Access.ExpiresAt, tokens.Refresh.ExpiresAt = tokens.Refresh.ExpiresAt, tokens.Access.ExpiresAt
		s.redeem("c", noon, tokens, server.Redeemed)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
	})
}

func oauthRefresh(t *testing.T, open func(t *testing.T) oauthStore) {
	sealed := func(g *server.Grant, name string) server.Tokens {
		tokens := oauthTokens(g, name)
		tokens.Refresh.Sealed = []byte{0, 255, 1}
		return tokens
	}
	t.Run("a refresh token is good once, and a second use ends the grant", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		s.rotate("none", noon, 0, oauthTokens(g, "2"), server.Unknown)
		if r := s.rotate("1 refresh", fraction, 0, oauthTokens(g, "2"), server.Redeemed); r.Sealed != nil {
			t.Error(r.Sealed)
		}
		refresh, grant, err := s.FindRefresh(s.Context(), "1 refresh")
		if err != nil || !refresh.Rotated.Equal(fraction) || refresh.Successor != "2 refresh" || !grant.LastUsed.Equal(fraction) || !grant.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("%+v %+v, %v", refresh, grant, err)
		}
		for _, name := range []string{"1", "2"} {
			if access, grant, err := s.FindAccess(s.Context(), name+" access"); access == nil || !grant.Live(noon) || err != nil {
				t.Errorf("%s: %+v, %v", name, access, err)
			}
		}
		s.rotate("1 refresh", noon.Add(time.Hour), 0, oauthTokens(g, "3"), server.Reused)
		s.wantLive(false, "1")
		if access, _, err := s.FindAccess(s.Context(), "3 access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.rotate("2 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
		s.rotate("1 refresh", noon, 0, oauthTokens(g, "4"), server.Revoked)
	})
	t.Run("one that expired, or whose grant did, is expired", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(5 * time.Hour) })
		s.rotate("1 refresh", noon.Add(3*time.Hour), 0, oauthTokens(g, "2"), server.Expired)
		s.rotate("1 refresh", noon.Add(3*time.Hour-time.Microsecond), 0, oauthTokens(g, "2"), server.Redeemed)
		s.start("alice", "short")
		s.rotate("short refresh", noon.Add(time.Hour), 0, oauthTokens(oauthGrant("alice", "short"), "x"), server.Expired)
	})
	t.Run("what is there already or of another grant is an error and changes nothing", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		other := s.start("alice", "2")
		half := oauthTokens(g, "new")
		half.Refresh.Digest = "2 refresh"
		for _, tokens := range []server.Tokens{oauthTokens(g, "2"), oauthTokens(other, "new"), half} {
			s.keeps("it", func() {
				if rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, tokens); err == nil {
					t.Errorf("%+v", rotation)
				}
			}, "1", "1", "2", "new")
		}
		s.rotate("1 refresh", noon, 0, oauthTokens(g, "3"), server.Redeemed)
	})
	t.Run("within the grace it answers with the same successor, until that is used", func(t *testing.T) {
		const grace = 10 * time.Second
		s := open(t)
		g := s.start("alice", "1")
		s.rotate("1 refresh", noon, grace, sealed(g, "2"), server.Redeemed)
		for i, at := range []time.Time{noon, noon.Add(grace - time.Microsecond), noon.Add(-grace + time.Microsecond)} {
			name := fmt.Sprint("retry", i)
			if r := s.rotate("1 refresh", at, grace, sealed(g, name), server.Retried); !slices.Equal(r.Sealed, []byte{0, 255, 1}) {
				t.Errorf("sealed %v", r.Sealed)
			}
			if access, _, err := s.FindAccess(s.Context(), name+" access"); access == nil || err != nil {
				t.Errorf("the access token: %+v, %v", access, err)
			}
			if refresh, _, err := s.FindRefresh(s.Context(), name+" refresh"); refresh != nil || err != nil {
				t.Errorf("a refresh token: %+v, %v", refresh, err)
			}
		}
		if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed == nil {
			t.Errorf("%+v, %v", refresh, err)
		}
		s.rotate("2 refresh", noon, grace, sealed(g, "3"), server.Redeemed)
		if refresh, _, err := s.FindRefresh(s.Context(), "2 refresh"); err != nil || refresh.Sealed != nil {
			t.Errorf("what was sealed is kept after its use: %+v, %v", refresh, err)
		}
		s.rotate("1 refresh", noon, grace, sealed(g, "4"), server.Reused)
		s.wantLive(false, "1")
	})
	t.Run("after the grace, or without a sealed successor, it is reused", func(t *testing.T) {
		const grace = 10 * time.Second
		s := open(t)
		for i, row := range []struct {
			at     time.Time
			tokens func(*server.Grant, string) server.Tokens
		}{{noon.Add(grace), sealed}, {noon.Add(-grace), sealed}, {noon, oauthTokens}} {
			id := fmt.Sprint("g", i)
			g := s.start("alice", id)
			s.rotate(id+" refresh", noon, grace, row.tokens(g, id+"n"), server.Redeemed)
			s.rotate(id+" refresh", row.at, grace, sealed(g, id+"m"), server.Reused)
			s.wantLive(false, id)
		}
		g := s.start("alice", "expiring")
		next := sealed(g, "soon")
		next.Refresh.ExpiresAt = noon.Add(time.Second)
		s.rotate("expiring refresh", noon, grace, next, server.Redeemed)
		s.rotate("expiring refresh", noon.Add(time.Second), grace, sealed(g, "x"), server.Reused)
	})
	t.Run("a refresh token that is refused changes nothing", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(5 * time.Hour) })
		next := sealed(g, "2")
		next.Access.ExpiresAt = noon.Add(5 * time.Hour)
		s.rotate("1 refresh", noon, time.Minute, next, server.Redeemed)
		s.keeps("an unknown one", func() { s.rotate("none", noon, time.Minute, sealed(g, "3"), server.Unknown) }, "1", "1", "2", "3")
		// That it expired is looked for before that it was used.
		for _, name := range []string{"1", "2"} {
			s.keeps("an expired one", func() { s.rotate(name+" refresh", noon.Add(3*time.Hour), 9*time.Hour, sealed(g, "3"), server.Expired) }, "1", "1", "2", "3")
		}
		_, err := s.End(s.Context(), "1", noon)
		s.must(err)
		for _, name := range []string{"1", "2"} {
			for _, at := range []time.Time{noon, noon.Add(3 * time.Hour), noon.Add(9 * time.Hour)} {
				s.keeps("a revoked one", func() { s.rotate(name+" refresh", at, time.Minute, sealed(g, "3"), server.Revoked) }, "1", "1", "2", "3")
			}
		}
	})
	t.Run("a grant moves with what is issued: to it by a refresh, and on to it by a retry", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1", func(g *server.Grant) { g.ExpiresAt = noon.Add(9 * time.Hour) })
		for _, row := range []struct {
			name    string
			after   time.Duration
			access  time.Duration
			want    server.Verdict
			expires time.Duration
		}{{"first", time.Second, 2 * time.Hour, server.Redeemed, 3 * time.Hour}, {"shorter", 2 * time.Second, time.Hour, server.Retried, 3 * time.Hour}, {"longer", 3 * time.Second, 4 * time.Hour, server.Retried, 4 * time.Hour}} {
			tokens := sealed(g, row.name)
			tokens.Access.ExpiresAt = noon.Add(row.access)
			s.rotate("1 refresh", noon.Add(row.after), time.Minute, tokens, row.want)
			if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(row.expires)) || !g.LastUsed.Equal(noon.Add(row.after)) {
				t.Errorf("%s: %+v, %v", row.name, g, err)
			}
		}
		s.keeps("a retry that is an error", func() {
			if rotation, err := s.Rotate(s.Context(), "1 refresh", noon.Add(4*time.Second), time.Minute, sealed(g, "longer")); err == nil || rotation.Sealed != nil {
				t.Errorf("%+v, %v", rotation, err)
			}
		}, "1", "1", "first", "longer")
	})
	t.Run("a replay is of one grant, and of no other", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		other := s.start("alice", "2")
		s.rotate("1 refresh", noon, 0, oauthTokens(g, "next"), server.Redeemed)
		s.keeps("the other", func() { s.rotate("1 refresh", fraction, 0, oauthTokens(g, "x"), server.Reused) }, "2", "2", "x")
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(fraction) || !g.LastUsed.Equal(noon) {
			t.Errorf("%+v, %v", g, err)
		}
		s.rotate("2 refresh", noon, 0, oauthTokens(other, "y"), server.Redeemed)
	})
}

func oauthAccess(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("an access token is found as it was issued", func(t *testing.T) {
		s := open(t)
		g := oauthGrant("alice", "1")
		want := &server.Access{Digest: "d", ID: "jti", GrantID: "1", Scopes: []string{"read", "a:b"}, Audience: []string{"https://api.example/", "https://x.example/'"}, Issued: fraction, ExpiresAt: fraction.Add(time.Hour)}
		if ok, err := s.started(g, server.Tokens{Access: want}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		got, grant, err := s.FindAccess(s.Context(), "d")
		if err != nil || !sameRecord(got, want) || !sameRecord(grant, g) {
			t.Errorf("%+v %+v, %v", got, grant, err)
		}
		for _, digest := range []string{"D", "", "none"} {
			if got, grant, err := s.FindAccess(s.Context(), digest); got != nil || grant != nil || err != nil {
				t.Errorf("%q: %+v, %v", digest, got, err)
			}
		}
		if refresh, grant, err := s.FindRefresh(s.Context(), "d"); refresh != nil || grant != nil || err != nil {
			t.Errorf("%+v, %v", refresh, err)
		}
	})
	t.Run("what is there already is an error, and nothing is started", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		for sentence, row := range map[string]struct {
			grant  *server.Grant
			tokens server.Tokens
		}{
			"the grant":              {oauthGrant("bob", "1"), oauthTokens(oauthGrant("bob", "1"), "new")},
			"a token":                {oauthGrant("bob", "2"), server.Tokens{Access: &server.Access{Digest: "1 access", GrantID: "2", ExpiresAt: noon}}},
			"one of another grant's": {oauthGrant("bob", "3"), server.Tokens{Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon}}},
		} {
			s.keeps(sentence, func() {
				if ok, err := s.started(row.grant, row.tokens); ok || err == nil {
					t.Errorf("%s: %v, %v", sentence, ok, err)
				}
			}, "1", "1", "new")
		}
		s.start("bob", "2") // nothing of it is there
		s.wantLive(false, "3")
	})
	t.Run("one more is added to a live grant, which moves with it", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		s.start("alice", "ended")
		_, err := s.End(s.Context(), "ended", noon)
		s.must(err)
		add := func(digest, grant string, expires, now time.Time, want bool) {
			t.Helper()
			if ok, err := s.AddAccess(s.Context(), &server.Access{Digest: digest, ID: digest, GrantID: grant, Issued: now, ExpiresAt: expires}, now); ok != want || err != nil {
				t.Errorf("%s: %v, %v", digest, ok, err)
			}
		}
		add("a", "1", noon.Add(time.Minute), fraction, true)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.LastUsed.Equal(fraction) || !g.ExpiresAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
		add("b", "1", noon.Add(2*time.Hour), noon, true)
		if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
			t.Errorf("%+v, %v", g, err)
		}
		add("c", "ended", noon.Add(time.Hour), noon, false)
		add("d", "none", noon.Add(time.Hour), noon, false)
		add("e", "1", noon.Add(9*time.Hour), noon.Add(2*time.Hour), false)
		s.keeps("one that is there", func() {
			if ok, err := s.AddAccess(s.Context(), &server.Access{Digest: "1 access", GrantID: "1", ExpiresAt: noon.Add(9 * time.Hour)}, fraction); ok || err == nil {
				t.Error(ok, err)
			}
		}, "1", "1")
		for digest, want := range map[string]bool{"a": true, "b": true, "c": false, "d": false, "e": false} {
			if access, _, err := s.FindAccess(s.Context(), digest); (access != nil) != want || err != nil {
				t.Errorf("%s: %+v, %v", digest, access, err)
			}
		}
	})
	t.Run("one is removed alone", func(t *testing.T) {
		s := open(t)
		s.start("alice", "1")
		for _, want := range []bool{true, false} {
			if ok, err := s.RemoveAccess(s.Context(), "1 access"); ok != want || err != nil {
				t.Error(ok, err)
			}
		}
		if access, _, err := s.FindAccess(s.Context(), "1 access"); access != nil || err != nil {
			t.Errorf("%+v, %v", access, err)
		}
		s.rotate("1 refresh", noon, 0, oauthTokens(oauthGrant("alice", "1"), "2"), server.Redeemed)
	})
}
