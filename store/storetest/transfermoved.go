package storetest

import (
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
)

// moved is what a service issued before a move, with at least one record of each kind.
type moved struct {
	now time.Time

	token     *knox.Issued
	revoked   *knox.Issued
	forever   *knox.Issued
	sliding   *knox.Issued
	limited   *knox.Issued
	cookie    *http.Cookie
	loggedOut *http.Cookie
	fresh     *jwt.Pair
	ended     *jwt.Pair
	voided    *jwt.Pair
	successor *jwt.Pair
	used      auth.Secret // a refresh token, with successor
	link      auth.Secret
	usedLink  auth.Secret

	grant       *server.Grant
	endedGrant  *server.Grant
	machine     *server.Grant
	code        string // a digest, like the next three
	usedCode    string
	access      string
	refresh     string
	page        *server.Interaction
	identity    *external.Identity
	reservation *external.Reservation
	loginCode   *external.Code
}

const (
	movedClient = "web"
	movedKey    = "throttle key"
)

// fill issues everything at a service.
func (s transferService) fill() *moved {
	s.Helper()
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	m.token = s.issue("alice", knox.Options{Name: "café ☕", IP: "192.0.2.1", UserAgent: "test",
		AuthInfo: auth.AuthInfo{AuthTime: m.now, AMR: []string{"pwd", "otp"}, ACR: "2"}})
	m.revoked = s.issue("alice", knox.Options{})
	m.forever = s.issue("alice", knox.Options{NoExpiry: true})
	m.sliding = s.issue("bob", knox.Options{Sliding: true, MaxTTL: 20 * time.Hour})
	m.limited = s.issue("bob", knox.Options{Limited: true, Scopes: []string{"reports:read"}})
	s.wantToken("sliding", m.sliding.Secret, true)
	_, err := s.tokens.Revoke(s.Context(), "alice", m.revoked.ID())
	s.must(err)

	m.cookie, m.loggedOut = s.signIn("alice"), s.signIn("bob")
	_, err = s.sessions.RevokeAll(s.Context(), "bob")
	s.must(err)

	m.voided = s.login("carol")
	_, err = s.pairs.RevokeAll(s.Context(), "carol")
	s.must(err)
	m.fresh, m.ended = s.login("alice"), s.login("alice")
	_, err = s.pairs.Revoke(s.Context(), "alice", m.ended.SessionID)
	s.must(err)
	first := s.login("bob")
	m.used, m.successor = first.Refresh, s.refresh("first", first.Refresh, true)

	m.link = s.link("alice")
	m.usedLink = s.link("bob")
	s.wantLink("used", m.usedLink, true)
	s.must(s.Throttle.Update(s.Context(), []string{movedKey}, m.now, func(counters []password.Counter) {
		counters[0] = password.Counter{Failures: 3, Until: m.now.Add(time.Minute), ExpiresAt: m.now.Add(time.Hour)}
	}))
	s.fillOAuth(m)
	s.fillExternal(m)
	return m
}

func (s transferService) fillOAuth(m *moved) {
	s.Helper()
	s.fillOAuthClient(m)
	m.page = &server.Interaction{ID: backend.NewIDOf("alice"), Digest: s.digest("alice"), UserID: "alice",
		Created: m.now, ExpiresAt: m.now.Add(time.Hour), Data: []byte(`{"asked":true}`)}
	s.must(s.OAuth.AddInteraction(s.Context(), m.page, 0))

	m.grant, m.code = s.approve(m, "alice")
	_, m.usedCode = s.approve(m, "bob")
	verdict, err := s.OAuth.Redeem(s.Context(), m.usedCode, m.now, s.tokensOf(m, s.grantOfCode(m.usedCode), ""))
	if verdict != server.Redeemed || err != nil {
		s.Fatalf("a code that is fresh: got %v, %v, want Redeemed", verdict, err)
	}
	m.endedGrant, _ = s.approve(m, "alice")
	_, err = s.OAuth.End(s.Context(), m.endedGrant.ID, m.now)
	s.must(err)

	m.machine = s.newGrant(m, "")
	tokens := s.tokensOf(m, m.machine, "")
	m.access, m.refresh = tokens.Access.Digest, tokens.Refresh.Digest
	added, err := s.OAuth.Start(s.Context(), m.machine, tokens, 0, false)
	if !added.OK() || err != nil {
		s.Fatalf("a grant of a client: %+v, %v, want OK", added, err)
	}
	if fresh, err := s.OAuth.PutOnce(s.Context(), "assertion", m.now.Add(time.Hour), m.now); !fresh || err != nil {
		s.Fatalf("a key that is fresh: %v, %v, want true", fresh, err)
	}
}

func (s transferService) fillOAuthClient(m *moved) {
	s.Helper()
	_, err := s.OAuth.AddClient(s.Context(), &server.Client{ID: movedClient, Name: "Web", RedirectURIs: []string{
		"https://web.example/"}, SecretDigest: "digest", Created: m.now, Updated: m.now}, 0)
	s.must(err)
}

func (s transferService) fillExternal(m *moved) {
	s.Helper()
	const issuer = "https://accounts.example"
	m.identity = &external.Identity{ID: backend.NewID(), UserID: "alice", Issuer: issuer, Subject: "1234",
		Provider: "example", Email: "alice@example.org", EmailVerified: true, Name: "Alice", Created: m.now,
		LastUsed: m.now}
	_, _, err := s.External.Link(s.Context(), m.identity)
	s.must(err)
	m.reservation = &external.Reservation{ID: backend.NewID(), Issuer: issuer, Subject: "5678",
		ExpiresAt: m.now.Add(time.Hour)}
	_, _, err = s.External.Reserve(s.Context(), m.reservation, m.now)
	s.must(err)
	m.loginCode = &external.Code{Digest: s.digest("alice"), UserID: "alice", Challenge: "challenge",
		Data: []byte(`{"amr":["ext"]}`), ExpiresAt: m.now.Add(time.Hour)}
	s.must(s.External.AddCode(s.Context(), m.loginCode))
	if fresh, err := s.External.PutOnce(s.Context(), "attempt", m.now.Add(time.Hour), m.now); !fresh || err != nil {
		s.Fatalf("a key that is fresh: %v, %v, want true", fresh, err)
	}
}

func (s transferService) digest(owner string) string {
	s.Helper()
	digest, _ := ownDigest(s.T, owner)
	return digest
}

// newGrant returns a grant of a user, or of the client for itself.
func (s transferService) newGrant(m *moved, user string) *server.Grant {
	owner, kind := user, "authorization_code"
	if user == "" {
		owner, kind = movedClient, "client_credentials"
	}
	return &server.Grant{ID: backend.NewIDOf(owner), ClientID: movedClient, UserID: user, Type: kind,
		Permissions: server.Permissions{{Resource: "https://api.example", Scopes: []string{"reports:read"}}},
		Extra:       map[string]string{"nonce": "n"}, Created: m.now, LastUsed: m.now, ExpiresAt: m.now.Add(time.Hour),
		MaxExpiresAt: m.now.Add(30 * 24 * time.Hour)}
}

// approve adds a grant with its code, and the consent of the user.
func (s transferService) approve(m *moved, user string) (*server.Grant, string) {
	s.Helper()
	grant := s.newGrant(m, user)
	code := s.digest(user)
	added, err := s.OAuth.Approve(s.Context(), server.Approval{Grant: grant, Code: &server.Code{Digest: code,
		GrantID: grant.ID, RedirectURI: "https://web.example/", Challenge: "c", ExpiresAt: m.now.Add(time.Hour)},
		Remember: &server.Consent{UserID: user, ClientID: movedClient, Permissions: grant.Permissions, Created: m.now,
			Updated: m.now}})
	if !added.OK() || err != nil {
		s.Fatalf("an approval: %+v, %v, want OK", added, err)
	}
	return grant, code
}

// grantOfCode returns the grant of a code.
func (s transferService) grantOfCode(digest string) *server.Grant {
	s.Helper()
	code, grant, err := s.OAuth.FindCode(s.Context(), digest)
	s.must(err)
	if code == nil {
		s.Fatalf("the code %q is not there", digest)
	}
	return grant
}

// tokensOf returns new tokens of a grant.
func (s transferService) tokensOf(m *moved, g *server.Grant, sealed string) server.Tokens {
	s.Helper()
	owner := g.UserID
	if owner == "" {
		owner = g.ClientID
	}
	return server.Tokens{
		Access: &server.Access{Digest: s.digest(owner), ID: backend.NewIDOf(owner), GrantID: g.ID,
			Scopes: []string{"reports:read"}, Audience: []string{"https://api.example"}, Issued: m.now,
			ExpiresAt: m.now.Add(time.Hour)},
		Refresh: &server.Refresh{Digest: s.digest(owner), GrantID: g.ID, Issued: m.now,
			ExpiresAt: m.now.Add(24 * time.Hour), Sealed: []byte(sealed)},
	}
}
