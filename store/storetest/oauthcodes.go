package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// oauthCodes checks Approve and Redeem.
func oauthCodes(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a grant and its code are found as they were approved", oauthCodeFound)
	check(t, open, "what is there already is an error and changes nothing", oauthCodeAgain)
	check(t, open, "a code is good once", oauthCodeOnce)
	check(t, open, "a code expires, and its grant may before it", oauthCodeExpires)
	check(t, open, "tokens without a refresh token expire with the access token", oauthCodeNoRefresh)
	check(t, open, "a code that is refused changes nothing", oauthCodeRefused)
	check(t, open, "Redeem moves the expiry of the grant to that of its tokens, also to an earlier time",
		oauthCodeMovesExpiry)
}

func oauthCodeFound(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := &server.Grant{ID: "g", ClientID: "web", UserID: odd, Type: "authorization_code", SessionID: odd, Offline: true,
		Permissions: server.Permissions{{Resource: "https://api.example/?x='", Scopes: []string{"read", "a:b"}},
			{Scopes: []string{"openid", odd}}, {Resource: odd}},
		AuthInfo: auth.AuthInfo{AuthTime: fraction, AMR: []string{"pwd", "one time"}, ACR: "urn:high"}, Stamp: "stamp",
		Extra:   map[string]string{"door": odd, odd: ""},
		Created: fraction, LastUsed: fraction, ExpiresAt: fraction.Add(time.Hour),
		MaxExpiresAt: fraction.Add(time.Hour * 2)}
	c := &server.Code{Digest: "c", GrantID: "g", RedirectURI: "https://web.example/cb?x=%00", Challenge: "challenge",
		Nonce: odd, ExpiresAt: fraction.Add(time.Minute)}
	ok, err := s.approved(server.Approval{Grant: g, Code: c})
	if !ok || err != nil {
		t.Fatalf("approved: got %v, %v, want true", ok, err)
	}
	code, grant, err := s.FindCode(s.Context(), "c")
	if err != nil || !sameRecord(code, c) || !sameRecord(grant, g) {
		t.Errorf("FindCode: got %+v, %+v, %v, want %+v and %+v", code, grant, err, c, g)
	}
	if grant, err := s.Grant(s.Context(), "g"); err != nil || !sameRecord(grant, g) {
		t.Errorf("Grant: got %+v, %v, want %+v", grant, err, g)
	}
	for _, digest := range []string{"C", "", "none"} {
		if code, grant, err := s.FindCode(s.Context(), digest); code != nil || grant != nil || err != nil {
			t.Errorf("%q: FindCode: got %+v, %+v, %v, want nil", digest, code, grant, err)
		}
	}
}

func oauthCodeAgain(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.approve("alice", "1", "c1")
	for sentence, a := range map[string]server.Approval{
		"the grant": {Grant: oauthGrant("bob", "1"),
			Code: &server.Code{Digest: "new", GrantID: "1", ExpiresAt: noon}},
		"the code": {Grant: oauthGrant("bob", "2"),
			Code: &server.Code{Digest: "c1", GrantID: "2", ExpiresAt: noon}},
		"a code of another grant's": {Grant: oauthGrant("bob", "3"),
			Code: &server.Code{Digest: "c3", GrantID: "1", ExpiresAt: noon}},
	} {
		s.keeps(sentence, func() {
			if ok, err := s.approved(a); ok || err == nil {
				t.Errorf("%s: approved: got %v, %v, want false and an error", sentence, ok, err)
			}
		}, "1", "c1", "new", "c3")
	}
	s.wantLive(false, "2", "3")
	if _, grant, err := s.FindCode(s.Context(), "c1"); err != nil || grant.UserID != "alice" {
		t.Errorf("FindCode: got %+v, %v, want UserID \"alice\"", grant, err)
	}
	s.start("alice", "taken")
	for sentence, tokens := range map[string]server.Tokens{
		"an access token": {Access: &server.Access{Digest: "taken access", GrantID: "1", ExpiresAt: noon}},
		"a refresh token": {Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon},
			Refresh: &server.Refresh{Digest: "taken refresh", GrantID: "1", ExpiresAt: noon}},
		"one of another grant": {Access: &server.Access{Digest: "new access", GrantID: "taken", ExpiresAt: noon}},
		"a refresh token of one": {Access: &server.Access{Digest: "new access", GrantID: "1", ExpiresAt: noon},
			Refresh: &server.Refresh{Digest: "new refresh", GrantID: "taken", ExpiresAt: noon}},
	} {
		s.keeps(sentence, func() {
			if verdict, err := s.Redeem(s.Context(), "c1", noon, tokens); err == nil {
				t.Errorf("%s: Redeem: got %v, want an error", sentence, verdict)
			}
		}, "1", "c1", "new", "taken")
	}
	s.redeem("c1", noon, oauthTokens(oauthGrant("alice", "1"), "good"), server.Redeemed)
}

func oauthCodeOnce(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.approve("alice", "1", "c")
	s.redeem("none", noon, oauthTokens(g, "t"), server.Unknown)
	s.redeem("c", fraction, oauthTokens(g, "t"), server.Redeemed)
	code, grant, err := s.FindCode(s.Context(), "c")
	if err != nil || !code.Redeemed.Equal(fraction) || !grant.LastUsed.Equal(fraction) ||
		!grant.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("FindCode: got %+v, %+v, %v, want Redeemed %v and LastUsed %v and ExpiresAt %v", code, grant, err,
			fraction, fraction, noon.Add(3*time.Hour))
	}
	access, grant, err := s.FindAccess(s.Context(), "t access")
	if err != nil || !sameRecord(access, oauthTokens(g, "t").Access) || grant.ID != "1" {
		t.Errorf("FindAccess: got %+v, %v, want %+v and ID \"1\"", access, err, oauthTokens(g, "t").Access)
	}
	refresh, grant, err := s.FindRefresh(s.Context(), "t refresh")
	if err != nil || !sameRecord(refresh, oauthTokens(g, "t").Refresh) || grant.ID != "1" {
		t.Errorf("FindRefresh: got %+v, %v, want %+v and ID \"1\"", refresh, err, oauthTokens(g, "t").Refresh)
	}
	// Long after it expired: its tokens are good still.
	late := noon.Add(2 * time.Hour)
	s.redeem("c", late, oauthTokens(g, "u"), server.Reused)
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.RevokedAt.Equal(late) {
		t.Errorf("Grant: got %+v, %v, want RevokedAt %v", g, err, late)
	}
	if access, _, err := s.FindAccess(s.Context(), "u access"); access != nil || err != nil {
		t.Errorf("FindAccess: got %+v, %v, want nil", access, err)
	}
	s.redeem("c", late, oauthTokens(g, "v"), server.Revoked)
}

func oauthCodeExpires(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.approve("alice", "1", "c")
	s.redeem("c", noon.Add(time.Minute), oauthTokens(g, "t"), server.Expired)
	s.redeem("c", noon.Add(time.Minute-time.Microsecond), oauthTokens(g, "t"), server.Redeemed)
	short := oauthGrant("alice", "2")
	short.ExpiresAt = noon.Add(time.Second)
	_, err := s.approved(server.Approval{Grant: short, Code: oauthCode(short, "d")})
	s.must(err)
	s.redeem("d", noon.Add(time.Second), oauthTokens(short, "u"), server.Expired)
}

func oauthCodeNoRefresh(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.approve("alice", "1", "c")
	s.redeem("c", noon, server.Tokens{Access: oauthTokens(g, "t").Access}, server.Redeemed)
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("Grant: got %+v, %v, want ExpiresAt %v", g, err, noon.Add(2*time.Hour))
	}
}

func oauthCodeRefused(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.approve("alice", "1", "c")
	s.keeps("an unknown one", func() { s.redeem("C", noon, oauthTokens(g, "t"), server.Unknown) }, "1", "c", "t")
	s.keeps("an expired one", func() { s.redeem("c", noon.Add(time.Minute), oauthTokens(g, "t"), server.Expired) }, "1",
		"c", "t")
	_, err := s.End(s.Context(), "1", noon)
	s.must(err)
	// That it was ended is looked for first.
	for _, at := range []time.Time{noon, noon.Add(time.Minute), noon.Add(time.Hour)} {
		s.keeps("a revoked one", func() { s.redeem("c", at, oauthTokens(g, "t"), server.Revoked) }, "1", "c", "t")
	}
}

func oauthCodeMovesExpiry(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := oauthGrant("alice", "1")
	g.ExpiresAt = noon.Add(9 * time.Hour)
	_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "c")})
	s.must(err)
	tokens := oauthTokens(g, "t")
	tokens.Access.ExpiresAt, tokens.Refresh.ExpiresAt = tokens.Refresh.ExpiresAt, tokens.Access.ExpiresAt
	s.redeem("c", noon, tokens, server.Redeemed)
	if g, err := s.Grant(s.Context(), "1"); err != nil || !g.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("Grant: got %+v, %v, want ExpiresAt %v", g, err, noon.Add(3*time.Hour))
	}
}
