package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

// change registers the client web anew, but for what is changed.
func (s *service) change(change func(*server.Registration)) {
	s.Helper()
	client, err := s.server.Client(s.Context(), "web")
	s.must(err)
	r := server.Registration{RedirectURIs: client.RedirectURIs, GrantTypes: client.GrantTypes,
		Scope: strings.Join(client.Scopes, " "), Resources: client.Resources}
	change(&r)
	_, err = s.server.ChangeClient(s.Context(), client, r)
	s.must(err)
}

// inspect returns what an access token is good for.
func (s *service) inspect(token string) (scope, audience string) {
	s.Helper()
	found, err := s.server.Inspect(s.Context(), token)
	s.must(err)
	return strings.Join(found.Scope, " "), strings.Join(found.Audience, " ")
}

const otherAPI = "https://other.example/"

func TestAResourceThatAClientLosesIsInNoTokenAnyMore(t *testing.T) {
	s := newService(t, nil)
	both := "&resource=" + s.http.URL + "&resource=" + otherAPI
	tokens := func() answer {
		page := s.as("alice").do("GET", "/o/authorize/?"+query("prompt", "consent").Encode()+both, "")
		return s.redeem(s.as("alice").allow(page).location("code"))
	}
	refresh := tokens().text("refresh_token")
	late := s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+both, "").location("code")
	page := s.as("alice").do("GET", "/o/authorize/?"+query("prompt", "consent").Encode()+both, "")
	s.change(func(r *server.Registration) { r.Resources = []string{s.http.URL} })

	shown(t, "a consent to it",
		s.as("alice").do("POST", "/o/authorize/", with(fields(page.body), "allow", "1").Encode()), 400)
	refused(t, "a code, for it", s.redeem(late, "resource", otherAPI), 400, "invalid_target")
	if _, audience := s.inspect(s.redeem(late).text("access_token")); audience != s.http.URL {
		t.Errorf("a code: %s", audience)
	}
	refused(t, "a refresh token, for it", s.refresh(refresh, "resource", otherAPI), 400, "invalid_target")
	a := s.refresh(refresh)
	if _, audience := s.inspect(a.text("access_token")); audience != s.http.URL {
		t.Errorf("a refresh token: %s", audience)
	}
	s.change(func(r *server.Registration) { r.Resources = []string{"https://jwt.example/api"} })
	refused(t, "all of them", s.refresh(a.text("refresh_token")), 400, "invalid_target")
	s.change(func(r *server.Registration) { r.Resources = nil })
	a = s.refresh(a.text("refresh_token"))
	if _, audience := s.inspect(a.text("access_token")); audience != s.http.URL+" "+otherAPI {
		t.Errorf("the grant forgot it: %s", audience)
	}
}

func TestNoTokenIsWithoutScopeWhereThereWereSome(t *testing.T) {
	s := newService(t, nil)
	refresh, late := s.tokens("alice", "scope", "write").text("refresh_token"), s.as("alice").code("scope", "write")
	s.change(func(r *server.Registration) { r.Scope = "read" })
	refused(t, "a refresh token", s.refresh(refresh), 400, "invalid_scope")
	refused(t, "a refresh token, with a scope", s.refresh(refresh, "scope", "write"), 400, "invalid_scope")
	refused(t, "a code", s.redeem(late), 400, "invalid_scope")
	s.change(func(r *server.Registration) { r.Scope = "read write" })
	if a := s.refresh(refresh); a.text("scope") != "write" {
		t.Errorf("that has used it up: %d %s", a.StatusCode, a.body)
	}
	if a := s.redeem(late); a.text("scope") != "write" {
		t.Errorf("that has used it up: %d %s", a.StatusCode, a.body)
	}
}

func TestAClientThatIsDisabledRemovedOrLosesTheGrantRefreshesNothing(t *testing.T) {
	for sentence, row := range map[string]struct {
		change func(s *service, client *server.Client) error
		status int
		code   string
		good   bool // the access token
	}{
		"disabled": {func(s *service, c *server.Client) error {
			_, err := s.server.DisableClient(s.Context(), c, true)
			return err
		}, 401, "invalid_client", false},
		"disabled and enabled again": {func(s *service, c *server.Client) error {
			c, err := s.server.DisableClient(s.Context(), c, true)
			s.must(err)
			_, err = s.server.DisableClient(s.Context(), c, false)
			return err
		}, 400, "invalid_grant", false},
		"removed": {func(s *service, c *server.Client) error {
			_, err := s.server.RemoveClient(s.Context(), c.ID)
			return err
		}, 401, "invalid_client", false},
		"another secret": {func(s *service, c *server.Client) error {
			_, _, err := s.server.RenewSecret(s.Context(), c)
			return err
		}, 401, "invalid_client", true},
		"without the grant": {func(s *service, c *server.Client) error {
			s.change(func(r *server.Registration) { r.GrantTypes = []string{"authorization_code"} })
			return nil
		}, 400, "unauthorized_client", true},
	} {
		s := newService(t, nil)
		tokens := s.tokens("alice")
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		s.must(row.change(s, client))
		refused(t, sentence, s.refresh(tokens.text("refresh_token")), row.status, row.code)
		if s.good(tokens.text("access_token")) != row.good {
			t.Errorf("%s: the access token: %v", sentence, !row.good)
		}
	}
}

func TestARemovedClientOfTheSameNameInheritsNothing(t *testing.T) {
	s := newService(t, nil)
	tokens, code := s.tokens("alice"), s.as("alice").code()
	_, err := s.server.RemoveClient(t.Context(), "web")
	s.must(err)
	s.add(server.Registration{ClientID: "web", RedirectURIs: []string{"https://web.example/callback?a=b"},
		GrantTypes: []string{"authorization_code", "refresh_token"}})
	refused(t, "a refresh token", s.refresh(tokens.text("refresh_token")), 400, "invalid_grant")
	refused(t, "a code", s.redeem(code), 400, "invalid_grant")
	if a := s.as("alice").authorize(); a.StatusCode != 200 {
		t.Errorf("the consent: %d", a.StatusCode)
	}
}

// shifting is a store that says of what it finds that it is older than it is.
type shifting struct {
	server.Store
	mu sync.Mutex
	by time.Duration
}

func (s *shifting) shift(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by += by
}

func (s *shifting) now(at time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return at.Add(s.by)
}

// earlier moves an instant that is in the record to where it would be, had time
// gone on.
func (s *shifting) earlier(at time.Time) time.Time {
	if at.IsZero() {
		return at
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return at.Add(-s.by)
}

func (s *shifting) grant(g *server.Grant) *server.Grant {
	if g == nil {
		return nil
	}
	old := *g
	old.Created, old.LastUsed, old.ExpiresAt, old.RevokedAt = s.earlier(g.Created), s.earlier(g.LastUsed), s.earlier(
		g.ExpiresAt), s.earlier(g.RevokedAt)
	return &old // Ends is what tokens are made with: see Rotate
}

func (s *shifting) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	code, grant, err := s.Store.FindCode(ctx, digest)
	if code != nil {
		old := *code
		old.ExpiresAt, old.Redeemed = s.earlier(code.ExpiresAt), s.earlier(code.Redeemed)
		code = &old
	}
	return code, s.grant(grant), err
}

func (s *shifting) Redeem(ctx context.Context, digest string, now time.Time, tokens server.Tokens) (
	server.Verdict, error) {
	return s.Store.Redeem(ctx, digest, s.now(now), s.tokens(tokens))
}

func (s *shifting) tokens(tokens server.Tokens) server.Tokens {
	access := *tokens.Access
	access.Issued, access.ExpiresAt = s.now(access.Issued), s.now(access.ExpiresAt)
	moved := server.Tokens{Access: &access}
	if tokens.Refresh != nil {
		refresh := *tokens.Refresh
		refresh.Issued, refresh.ExpiresAt = s.now(refresh.Issued), s.now(refresh.ExpiresAt)
		moved.Refresh = &refresh
	}
	return moved
}

func (s *shifting) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	refresh, grant, err := s.Store.FindRefresh(ctx, digest)
	if refresh != nil {
		old := *refresh
		old.Issued, old.ExpiresAt, old.Rotated = s.earlier(refresh.Issued), s.earlier(refresh.ExpiresAt), s.earlier(
			refresh.Rotated)
		refresh = &old
		aged := *s.grant(grant)
		aged.MaxExpiresAt = s.earlier(grant.MaxExpiresAt)
		grant = &aged
	}
	return refresh, grant, err
}

func (s *shifting) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens server.Tokens) (
	server.Rotation, error) {
	return s.Store.Rotate(ctx, old, s.now(now), grace, s.tokens(tokens))
}

func (s *shifting) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	access, grant, err := s.Store.FindAccess(ctx, digest)
	if access != nil {
		old := *access
		old.Issued, old.ExpiresAt = s.earlier(access.Issued), s.earlier(access.ExpiresAt)
		access, grant = &old, s.grant(grant)
	}
	return access, grant, err
}

func (s *shifting) End(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.Store.End(ctx, id, s.now(now))
}

// newAgingService is a service with a time that can be shifted.
func newAgingService(t *testing.T, change func(*server.Config)) (*service, *shifting) {
	t.Helper()
	store := &shifting{}
	s := newService(t, func(c *server.Config) {
		if change != nil {
			change(c)
		}
		store.Store, c.Store = c.Store, store
	})
	return s, store
}

const day = 24 * time.Hour

func TestARefreshTokenThatIsNotUsedExpires(t *testing.T) {
	s, store := newAgingService(t, nil)
	used, idle := s.tokens("alice").text("refresh_token"), s.tokens("alice").text("refresh_token")
	store.shift(14*day - time.Minute)
	a := s.refresh(used)
	if a.StatusCode != 200 {
		t.Fatalf("before: %d %s", a.StatusCode, a.body)
	}
	store.shift(2 * time.Minute)
	refused(t, "not used for 14 days", s.refresh(idle), 400, "invalid_grant")
	if a := s.post("/o/introspect/", "web", "token", idle); a.body != inactive {
		t.Errorf("introspection: %s", a.body)
	}
	if a := s.refresh(a.text("refresh_token")); a.StatusCode != 200 {
		t.Errorf("one that was used: %d %s", a.StatusCode, a.body)
	}
}

func TestNoRefreshTokenOutlivesItsGrantHoweverOftenItIsUsed(t *testing.T) {
	s, store := newAgingService(t, nil)
	token := s.tokens("alice").text("refresh_token")
	for range 18 {
		store.shift(10*day - time.Minute)
		a := s.refresh(token)
		if a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, a.body)
		}
		token = a.text("refresh_token")
	}
	a := s.post("/o/introspect/", "web", "token", token)
	exp, _ := a.json("exp").(float64)
	if left := time.Until(time.Unix(int64(exp), 0)); left > 20*time.Minute {
		t.Errorf("the last one lives %v longer", left)
	}
	store.shift(20 * time.Minute)
	refused(t, "after 180 days", s.refresh(token), 400, "invalid_grant")
}

func TestAReplayIsNoticedHoweverLateItIs(t *testing.T) {
	s, store := newAgingService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
	first := s.tokens("alice").text("refresh_token")
	second := s.refresh(first)
	store.shift(29 * time.Second)
	if a := s.refresh(first); a.text("refresh_token") != second.text("refresh_token") {
		t.Fatalf("within the grace: %d %s", a.StatusCode, a.body)
	}
	store.shift(2 * time.Second)
	refused(t, "after the grace", s.refresh(first), 400, "invalid_grant")
	refused(t, "after the grace, the successor", s.refresh(second.text("refresh_token")), 400, "invalid_grant")
	if s.good(second.text("access_token")) || s.events.count(auth.EventReuse) != 1 {
		t.Errorf("the grant lives, or %d events", s.events.count(auth.EventReuse))
	}
}

func TestWithinTheGraceNothingComesBackThatWasRevoked(t *testing.T) {
	for sentence, end := range map[string]func(s *service, tokens answer){
		"the successor": func(s *service, a answer) {
			s.post("/o/revoke_token/", "web", "token", a.text("refresh_token"))
		},
		"all of the user": func(s *service, _ answer) {
			_, err := s.server.RevokeAll(s.Context(), "alice")
			s.must(err)
		},
		"the consent": func(s *service, _ answer) {
			_, err := s.server.Withdraw(s.Context(), "alice", "web")
			s.must(err)
		},
		"the user":         func(s *service, _ answer) { s.users.disable("alice", true) },
		"another password": func(s *service, _ answer) { s.users.changePassword("alice") },
	} {
		s := newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
		first := s.tokens("alice").text("refresh_token")
		end(s, s.refresh(first))
		refused(t, sentence, s.refresh(first), 400, "invalid_grant")
	}
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
	first := s.tokens("alice").text("refresh_token")
	if a := s.refresh(first); s.post("/o/revoke_token/", "web", "token", first).StatusCode != 200 ||
		s.good(a.text("access_token")) || s.refresh(a.text("refresh_token")).StatusCode != 400 {
		t.Error("the predecessor was revoked, and the grant lives")
	}
}

func TestWithinTheGraceAnotherClientGetsNothing(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
	first := s.tokens("alice").text("refresh_token")
	second := s.refresh(first)
	refused(t, "another client", s.post("/o/token/", "first", "grant_type", "refresh_token", "refresh_token", first),
		400, "invalid_grant")
	if a := s.refresh(second.text("refresh_token")); a.StatusCode != 200 {
		t.Errorf("that has ended it: %d %s", a.StatusCode, a.body)
	}
}

func TestARetryMayNarrowAndNeverWiden(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Tokens.Grace = 30 * time.Second })
	first := s.tokens("alice", "scope", "read write").text("refresh_token")
	s.refresh(first, "scope", "read")
	refused(t, "a scope that was not granted", s.refresh(first, "scope", "email"), 400, "invalid_scope")
	if a := s.refresh(first, "scope", "write"); a.text("scope") != "write" {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestARefreshByAPublicClient(t *testing.T) {
	s := newService(t, nil)
	code := s.as("alice").code("client_id", "app", "redirect_uri", "http://127.0.0.1:5/cb")
	a := s.post("/o/token/", "app", "grant_type", "authorization_code", "code", code, "redirect_uri",
		"http://127.0.0.1:5/cb", "code_verifier", verifier)
	next := s.post("/o/token/", "app", "grant_type", "refresh_token", "refresh_token", a.text("refresh_token"))
	if next.StatusCode != 200 || next.text("refresh_token") == a.text("refresh_token") {
		t.Fatalf("%d %s", next.StatusCode, next.body)
	}
	refused(t, "a replay", s.post("/o/token/", "app", "grant_type", "refresh_token", "refresh_token",
		a.text("refresh_token")), 400, "invalid_grant")
	refused(t, "after a replay", s.post("/o/token/", "app", "grant_type", "refresh_token", "refresh_token",
		next.text("refresh_token")), 400, "invalid_grant")
}

func TestWithoutTheGrantThereAreNoRefreshTokens(t *testing.T) {
	s := newService(t, nil)
	s.change(func(r *server.Registration) { r.GrantTypes = []string{"authorization_code"} })
	if a := s.tokens("alice"); a.json("refresh_token") != nil {
		t.Errorf("the client has not the grant: %s", a.body)
	}
}
