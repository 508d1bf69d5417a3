package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// service is an authorization server on a real connection, with the clients web
// (confidential), app (public), job (a machine), api (a resource server) and first
// (first-party), and users alice and bob.
type service struct {
	*testing.T
	server  *server.Server
	config  server.Config
	guard   *auth.Guard
	http    *httptest.Server
	users   *users
	keys    *jwt.KeySet
	secrets map[string]string
	log     *strings.Builder
	logins  []server.SignInRequest
	events  *events
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B

// challenge is S256 of a verifier.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// user has a stamp, as users with a password do.
type user struct{ id, stamp string }

func (u user) UserID() string    { return u.id }
func (u user) AuthStamp() string { return u.stamp }

// users are the application's, and can be changed.
type users struct {
	mu     sync.Mutex
	stamps map[string]string
	off    map[string]bool
	down   atomic.Bool
}

func (us *users) load(_ context.Context, id string) (auth.User, error) {
	us.mu.Lock()
	defer us.mu.Unlock()
	stamp, ok := us.stamps[id]
	switch {
	case us.down.Load():
		return nil, fmt.Errorf("users are down")
	case !ok:
		return nil, auth.ErrUserNotFound
	case us.off[id]:
		return nil, auth.ErrUserInactive
	}
	return user{id, stamp}, nil
}

func (us *users) disable(id string, off bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.off[id] = off
}

func (us *users) changePassword(id string) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.stamps[id] += "x"
}

// login is a session as a browser has it: a cookie "login" of user, session and
// the second of the login, each after a colon.
type login struct {
	session string
	at      time.Time
	scopes  []string
}

func (login) Backend() string            { return "session" }
func (login) Ambient() bool              { return true }
func (login) Primary() bool              { return true }
func (l login) ID() string               { return l.session }
func (l login) Scopes() ([]string, bool) { return l.scopes, l.scopes != nil }
func (l login) AuthInfo() auth.AuthInfo {
	return auth.AuthInfo{AuthTime: l.at, AMR: []string{"pwd"}, ACR: "1"}
}

type logins struct{ users *users }

func (logins) Ambient() bool                { return true }
func (logins) Backend() string              { return "session" }
func (logins) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Cookie"}} }
func (l logins) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	cookie, err := r.Cookie("login")
	if err != nil {
		return nil, nil, auth.ErrNoCredentials
	}
	parts := strings.Split(cookie.Value, ":")
	u, err := l.users.load(r.Context(), parts[0])
	if auth.KindOf(err) == auth.ErrInvalid {
		return nil, nil, auth.ErrNoCredentials
	}
	if err != nil {
		return nil, nil, err
	}
	c := login{session: parts[1]}
	if micros, _ := strconv.ParseInt(parts[2], 10, 64); micros != 0 {
		c.at = time.UnixMicro(micros)
	}
	if len(parts) > 3 {
		c.scopes = strings.Fields(parts[3])
	}
	return u, c, nil
}

// events counts events by kind.
type events struct {
	mu  sync.Mutex
	all []auth.Event
}

func (e *events) Observe(_ context.Context, event auth.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

func (e *events) count(kind auth.EventKind) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// newService starts a service; changes may be nil.
func newService(t *testing.T, change func(*server.Config)) *service {
	t.Helper()
	s := &service{T: t, users: &users{stamps: map[string]string{"alice": "a", "bob": "b", "job": "j"},
		off: map[string]bool{}}, log: &strings.Builder{}, secrets: map[string]string{}, events: &events{}}
	s.keys = keysOf(t, jwt.ES256, jwt.RS256)
	var err error
	s.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{logins{s.users}}})
	s.must(err)
	mux := http.NewServeMux()
	s.http = httptest.NewServer(mux)
	t.Cleanup(s.http.Close)
	s.config = server.Config{
		Issuer: s.http.URL, Pages: server.Pages{Name: "Example"}, Store: server.NewMemoryStore(),
		LoadUser: s.users.load, Keys: s.keys,
		Observer: s.events,
		SignIn: func(w http.ResponseWriter, r *http.Request, asked server.SignInRequest) {
			s.logins = append(s.logins, asked)
			http.Redirect(w, r, "/login?next="+url.QueryEscape(asked.ReturnTo), http.StatusSeeOther)
		},
		OpenID: server.OpenIDConfig{Logout: func(w http.ResponseWriter, _ *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: "login", MaxAge: -1, Path: "/"})
			return nil
		}},
		Tokens: server.TokenConfig{
			Grace: server.NoGrace,
			Claims: func(_ context.Context, r server.ClaimsRequest) (map[string]any, error) {
				if r.Target != server.ClaimsUserInfo {
					return nil, nil
				}
				return map[string]any{"sub": "mallory", "name": r.User.UserID(), "scopes": r.Scopes}, nil
			},
			Username: func(u auth.User) string { return "name of " + u.UserID() },
		}, // see grace_test.go for the default
		Scopes: []server.Scope{{Name: "read", Text: "read your reports"}, {Name: "write", Text: "write <reports>"}},
		Resources: []server.Resource{{ID: s.http.URL}, {ID: "https://jwt.example/api", JWT: true},
			{ID: "https://other.example/"}},
		Clients: server.ClientConfig{Developers: func(*http.Request, auth.User, auth.Credential) error { return nil }},
	}
	if change != nil {
		change(&s.config)
	}
	s.server, err = server.New(s.config)
	s.must(err)
	s.handlers().Register(mux)
	s.add(server.Registration{ClientID: "web", ClientName: "Web <b>shop</b>",
		RedirectURIs: []string{"https://web.example/callback?a=b"}, GrantTypes: []string{"authorization_code",
			"refresh_token"},
		PostLogoutRedirectURIs: []string{"https://web.example/bye"}})
	s.add(server.Registration{ClientID: "app", RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, TokenEndpointAuthMethod: "none"})
	s.add(server.Registration{ClientID: "job", GrantTypes: []string{"client_credentials"}, Scope: "read write"})
	s.add(server.Registration{ClientID: "api", GrantTypes: []string{"client_credentials"},
		ResourceServer: []string{"https://jwt.example/api", s.http.URL}})
	s.add(server.Registration{ClientID: "first", RedirectURIs: []string{"https://first.example/cb"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, FirstParty: true, AllowWithoutPKCE: true})
	return s
}

func (s *service) handlers() *server.Handlers {
	s.Helper()
	handlers, err := s.server.Handlers(s.guard)
	s.must(err)
	return handlers
}

func (s *service) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// add registers a client and remembers its secret.
func (s *service) add(r server.Registration) *server.Client {
	s.Helper()
	client, secret, err := s.server.AddClient(s.Context(), r)
	s.must(err)
	s.secrets[client.ID] = secret.Reveal()
	return client
}

// answer is a response with a body that was read.
type answer struct {
	*http.Response
	body string
}

// json returns a member of the body.
func (a answer) json(name string) any {
	var members map[string]any
	if json.Unmarshal([]byte(a.body), &members) != nil {
		return nil
	}
	return members[name]
}

func (a answer) text(name string) string {
	text, _ := a.json(name).(string)
	return text
}

// location returns a parameter of where it leads.
func (a answer) location(name string) string {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}

// browser is a browser with or without a login.
type browser struct {
	*service
	cookie string
}

// as returns a browser in which somebody has just signed in.
func (s *service) as(id string) *browser { return s.asOf(id, "session-"+id, time.Now()) }

func (s *service) asOf(id, session string, at time.Time) *browser {
	return &browser{s, fmt.Sprintf("%s:%s:%d", id, session, at.UnixMicro())}
}

func (s *service) stranger() *browser { return &browser{s, ""} }

// do sends a request; headers are pairs. Redirects are not followed.
func (b *browser) do(method, path, body string, headers ...string) answer {
	b.Helper()
	if strings.HasPrefix(path, "/") {
		path = b.http.URL + path
	}
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	b.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if b.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "login", Value: b.cookie})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		if headers[i] == "Content-Type" {
			r.Header.Del("Content-Type")
		}
		if headers[i+1] != "" {
			r.Header.Add(headers[i], headers[i+1])
		}
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	b.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	b.must(err)
	return answer{response, string(text)}
}

// query are the parameters of a good request of the client web, changed by pairs
// of name and value; a value of "-" leaves one out.
func query(pairs ...string) url.Values {
	values := url.Values{"response_type": {"code"}, "client_id": {"web"},
		"redirect_uri": {"https://web.example/callback?a=b"}, "scope": {"openid read"},
		"state": {"xyz"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}}
	return with(values, pairs...)
}

func with(values url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			values.Del(pairs[i])
		} else {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// authorize opens the authorization endpoint.
func (b *browser) authorize(pairs ...string) answer {
	b.Helper()
	return b.do("GET", "/o/authorize/?"+query(pairs...).Encode(), "")
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields are the hidden fields of the form on a page.
func fields(page string) url.Values {
	values := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		values.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return values
}

// allow agrees on a consent page.
func (b *browser) allow(page answer) answer {
	b.Helper()
	if page.StatusCode != 200 {
		b.Fatalf("no consent page: %d %s %s", page.StatusCode, page.Header.Get("Location"), page.body)
	}
	return b.do("POST", "/o/authorize/", with(fields(page.body), "allow", "Allow").Encode())
}

// code gets a code, agreeing if there is a page.
func (b *browser) code(pairs ...string) string {
	b.Helper()
	a := b.authorize(pairs...)
	if a.StatusCode == 200 {
		a = b.allow(a)
	}
	code := a.location("code")
	if a.StatusCode != 303 || code == "" {
		b.Fatalf("no code: %d %s %s", a.StatusCode, a.Header.Get("Location"), a.body)
	}
	return code
}

// post sends a form of a client that authenticates as it should.
func (s *service) post(path, client string, pairs ...string) answer {
	s.Helper()
	values := with(url.Values{}, pairs...)
	var headers []string
	if secret := s.secrets[client]; secret != "" {
		headers = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(client+":"+secret))}
	} else {
		values.Set("client_id", client)
	}
	return s.stranger().do("POST", path, values.Encode(), headers...)
}

// redeem redeems a code of the client web.
func (s *service) redeem(code string, pairs ...string) answer {
	s.Helper()
	return s.post("/o/token/", "web",
		append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri",
			"https://web.example/callback?a=b", "code_verifier", verifier}, pairs...)...)
}

// tokens gets tokens of a user for the client web.
func (s *service) tokens(id string, pairs ...string) answer {
	s.Helper()
	a := s.redeem(s.as(id).code(pairs...))
	if a.StatusCode != 200 {
		s.Fatalf("no tokens: %d %s", a.StatusCode, a.body)
	}
	return a
}

// refresh uses a refresh token of the client web.
func (s *service) refresh(token string, pairs ...string) answer {
	s.Helper()
	return s.post("/o/token/", "web", append([]string{"grant_type", "refresh_token", "refresh_token", token},
		pairs...)...)
}

// good reports whether an access token is.
func (s *service) good(token string) bool {
	s.Helper()
	_, err := s.server.Inspect(s.Context(), token)
	if err != nil && auth.KindOf(err) == nil {
		s.Fatal(err)
	}
	return err == nil
}

func TestALoginAConsentACodeTokensAndARefresh(t *testing.T) {
	s := newService(t, nil)
	away := s.stranger().authorize()
	if away.StatusCode != 303 || !strings.HasPrefix(away.Header.Get("Location"), "/login?next=") || len(s.logins) != 1 {
		t.Fatalf("a stranger: %d %v", away.StatusCode, away.Header)
	}
	back := s.as("alice").do("GET", s.logins[0].ReturnTo, "")
	if !strings.Contains(back.body, "read your reports") || !strings.Contains(back.body, "Web &lt;b&gt;shop") ||
		!strings.Contains(back.body, "web.example") {
		t.Fatalf("consent: %s", back.body)
	}
	redirect := s.as("alice").allow(back)
	if !strings.HasPrefix(redirect.Header.Get("Location"), "https://web.example/callback?a=b&code=") ||
		redirect.location("state") != "xyz" || redirect.location("iss") != s.http.URL {
		t.Fatal(redirect.Header.Get("Location"))
	}
	tokens := s.redeem(redirect.location("code"))
	if tokens.StatusCode != 200 || tokens.text("token_type") != "Bearer" || tokens.text("scope") != "openid read" ||
		tokens.json("expires_in") != 600. ||
		tokens.text("refresh_token") == "" || tokens.text("id_token") == "" || !s.good(tokens.text("access_token")) {
		t.Fatalf("%d %s", tokens.StatusCode, tokens.body)
	}
	next := s.refresh(tokens.text("refresh_token"))
	if next.StatusCode != 200 || !s.good(next.text("access_token")) || next.text("refresh_token") == tokens.text(
		"refresh_token") {
		t.Fatalf("%d %s", next.StatusCode, next.body)
	}
	if again := s.as("alice").authorize(); again.location("code") == "" {
		t.Errorf("what was agreed to is asked again: %d", again.StatusCode)
	}
	if replay := s.refresh(tokens.text("refresh_token")); replay.StatusCode != 400 ||
		replay.text("error") != "invalid_grant" || s.good(next.text("access_token")) ||
		s.events.count(auth.EventReuse) != 1 {
		t.Errorf("a used refresh token: %d %s", replay.StatusCode, replay.body)
	}
}

func (s *service) now() time.Time { return time.Now() }

var errBroken = errors.New("the store is broken")

// failing is a store of which one call fails.
type failing struct {
	server.Store
	calls, nth atomic.Int32
}

// fail makes the nth call from now fail; 0 is no call.
func (f *failing) fail(nth int32) { f.calls.Store(0); f.nth.Store(nth) }

func (f *failing) hit() bool { return f.calls.Add(1) == f.nth.Load() }

// brokenKeys is a source of keys that can be down.
type brokenKeys struct {
	jwt.KeySource
	off bool
}

func (b *brokenKeys) Current(ctx context.Context, now time.Time) (*jwt.KeySet, error) {
	if b.off {
		return nil, errBroken
	}
	return b.KeySource.Current(ctx, now)
}

func (f *failing) AddClient(ctx context.Context, client *server.Client, limit int) (server.Added, error) {
	if f.hit() {
		return server.Added{}, errBroken
	}
	return f.Store.AddClient(ctx, client, limit)
}

func (f *failing) Client(ctx context.Context, id string) (*server.Client, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Client(ctx, id)
}

func (f *failing) Clients(ctx context.Context, owner, after string, limit int) ([]*server.Client, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Clients(ctx, owner, after, limit)
}

func (f *failing) ChangeClient(ctx context.Context, client *server.Client, was time.Time) (
	bool, []server.EndedGrant, error) {
	if f.hit() {
		return false, nil, errBroken
	}
	return f.Store.ChangeClient(ctx, client, was)
}

func (f *failing) RemoveClient(ctx context.Context, id string, now time.Time) (bool, []server.EndedGrant, error) {
	if f.hit() {
		return false, nil, errBroken
	}
	return f.Store.RemoveClient(ctx, id, now)
}

func (f *failing) AddInteraction(ctx context.Context, interaction *server.Interaction, limit int) error {
	if f.hit() {
		return errBroken
	}
	return f.Store.AddInteraction(ctx, interaction, limit)
}

func (f *failing) Interaction(ctx context.Context, digest string, now time.Time) (*server.Interaction, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Interaction(ctx, digest, now)
}

func (f *failing) ConsumeInteraction(ctx context.Context, digest string, now time.Time) (*server.Interaction, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.ConsumeInteraction(ctx, digest, now)
}

func (f *failing) Consent(ctx context.Context, userID, clientID string) (*server.Consent, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Consent(ctx, userID, clientID)
}

func (f *failing) Consents(ctx context.Context, userID, after string, limit int) ([]*server.Consent, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Consents(ctx, userID, after, limit)
}

func (f *failing) Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Withdraw(ctx, userID, clientID, now)
}

func (f *failing) Approve(ctx context.Context, approval server.Approval) (server.Added, error) {
	if f.hit() {
		return server.Added{}, errBroken
	}
	return f.Store.Approve(ctx, approval)
}

func (f *failing) FindCode(ctx context.Context, digest string) (*server.Code, *server.Grant, error) {
	if f.hit() {
		return nil, nil, errBroken
	}
	return f.Store.FindCode(ctx, digest)
}

func (f *failing) Redeem(ctx context.Context, digest string, now time.Time, tokens server.Tokens) (
	server.Verdict, error) {
	if f.hit() {
		return server.Unknown, errBroken
	}
	return f.Store.Redeem(ctx, digest, now, tokens)
}

func (f *failing) Start(ctx context.Context, grant *server.Grant, tokens server.Tokens, limit int, evict bool) (
	server.Added, error) {
	if f.hit() {
		return server.Added{}, errBroken
	}
	return f.Store.Start(ctx, grant, tokens, limit, evict)
}

func (f *failing) FindRefresh(ctx context.Context, digest string) (*server.Refresh, *server.Grant, error) {
	if f.hit() {
		return nil, nil, errBroken
	}
	return f.Store.FindRefresh(ctx, digest)
}

func (f *failing) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens server.Tokens) (
	server.Rotation, error) {
	if f.hit() {
		return server.Rotation{}, errBroken
	}
	return f.Store.Rotate(ctx, old, now, grace, tokens)
}

func (f *failing) FindAccess(ctx context.Context, digest string) (*server.Access, *server.Grant, error) {
	if f.hit() {
		return nil, nil, errBroken
	}
	return f.Store.FindAccess(ctx, digest)
}

func (f *failing) AddAccess(ctx context.Context, access *server.Access, now time.Time) (bool, error) {
	if f.hit() {
		return false, errBroken
	}
	return f.Store.AddAccess(ctx, access, now)
}

func (f *failing) RemoveAccess(ctx context.Context, digest string) (bool, error) {
	if f.hit() {
		return false, errBroken
	}
	return f.Store.RemoveAccess(ctx, digest)
}

func (f *failing) Grant(ctx context.Context, id string) (*server.Grant, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Grant(ctx, id)
}

func (f *failing) Grants(ctx context.Context, userID, after string, limit int, now time.Time) ([]*server.Grant, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.Grants(ctx, userID, after, limit, now)
}

func (f *failing) GrantsByClient(ctx context.Context, userID, after string, limit int, now time.Time) (
	[]*server.ClientGrants, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.GrantsByClient(ctx, userID, after, limit, now)
}

func (f *failing) End(ctx context.Context, id string, now time.Time) (bool, error) {
	if f.hit() {
		return false, errBroken
	}
	return f.Store.End(ctx, id, now)
}

func (f *failing) EndSession(ctx context.Context, sessionID string, now time.Time) ([]server.EndedGrant, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.EndSession(ctx, sessionID, now)
}

func (f *failing) EndAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if f.hit() {
		return nil, errBroken
	}
	return f.Store.EndAll(ctx, userID, kept, stamp, now)
}

func (f *failing) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if f.hit() {
		return false, errBroken
	}
	return f.Store.PutOnce(ctx, key, expires, now)
}

func (f *failing) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if f.hit() {
		return 0, errBroken
	}
	return f.Store.Purge(ctx, now, limit)
}
