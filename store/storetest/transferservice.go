package storetest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/transfer"
)

// TransferEngine has all stores of an engine, as a service opens them, and the same records as package transfer reads
// and writes them.
type TransferEngine struct {
	Transfer transfer.Target

	Knox     knox.Store
	Sessions session.Store
	JWT      jwt.Store
	JWTKeys  jwt.KeyStore
	OAuth    server.Store
	External external.Store
	OneTime  password.OneTimeStore
	Throttle password.ThrottleStore
}

// transferService is a service at an engine. All of them have the same application key.
type transferService struct {
	*testing.T
	TransferEngine
	tokens   *knox.Tokens
	sessions *session.Sessions
	pairs    *jwt.Tokens
	links    *password.OneTimeTokens
}

// stampedUser is a user of such a service.
type stampedUser string

func (u stampedUser) UserID() string  { return string(u) }
func (stampedUser) AuthStamp() string { return "the hash of a password" }

func loadStamped(_ context.Context, id string) (auth.User, error) { return stampedUser(id), nil }

// serve starts a service. One that generates has keys of its own for JWTs, and another one needs those that are there.
func serve(t *testing.T, engine TransferEngine, generate bool) transferService {
	t.Helper()
	s := transferService{T: t, TransferEngine: engine}
	keys, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: engine.JWTKeys, Generate: generate,
		Keys:       []auth.Secret{auth.Secret("an application key of 32 bytes..")},
		Algorithms: []jwt.Algorithm{jwt.ES256}, Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	s.tokens, err = knox.New(knox.Config{Store: engine.Knox, LoadUser: loadStamped, TTL: 10 * time.Hour,
		KeepEnded: 30 * 24 * time.Hour, AllowNoExpiry: true, Limit: knox.NoLimit})
	s.must(err)
	s.sessions, err = session.New(session.Config{Store: engine.Sessions, LoadUser: loadStamped})
	s.must(err)
	s.pairs, err = jwt.New(jwt.Config{Issuer: "https://login.example", Store: engine.JWT, Keys: keys,
		LoadUser: loadStamped})
	s.must(err)
	s.links, err = password.NewOneTimeTokens(password.OneTimeConfig{Store: engine.OneTime, LoadUser: loadStamped})
	s.must(err)
	return s
}

func (s transferService) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// issue makes a knox token.
func (s transferService) issue(user string, options knox.Options) *knox.Issued {
	s.Helper()
	issued, err := s.tokens.Issue(s.Context(), user, options)
	s.must(err)
	return issued
}

// wantToken checks whether a knox token works.
func (s transferService) wantToken(name string, token auth.Secret, works bool) {
	s.Helper()
	_, _, err := s.tokens.VerifyToken(s.Context(), token.Reveal())
	s.wantWorks("the knox token "+name, err, works)
}

func (s transferService) wantWorks(what string, err error, works bool) {
	s.Helper()
	if got := err == nil; got != works {
		s.Errorf("%s: it works is %v, want %v: %v", what, got, works, err)
	}
}

// signIn begins a session and returns its cookie.
func (s transferService) signIn(user string) *http.Cookie {
	s.Helper()
	answer := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(s.Context(), http.MethodPost, "https://app.example/login", nil)
	_, err := s.sessions.SignIn(answer, r, stampedUser(user), session.Options{})
	s.must(err)
	cookies := answer.Result().Cookies()
	if len(cookies) == 0 {
		s.Fatal("a login set no cookie")
	}
	return cookies[0]
}

func (s transferService) wantSession(name string, cookie *http.Cookie, works bool) {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), http.MethodGet, "https://app.example/", nil)
	r.AddCookie(cookie)
	_, _, err := s.sessions.Authenticate(r)
	s.wantWorks("the session "+name, err, works)
}

func (s transferService) login(user string) *jwt.Pair {
	s.Helper()
	pair, err := s.pairs.Issue(s.Context(), user, jwt.Options{Claims: map[string]any{"team": "blue"}})
	s.must(err)
	return pair
}

func (s transferService) wantAccess(name string, token auth.Secret, works bool) {
	s.Helper()
	_, _, err := s.pairs.VerifyToken(s.Context(), token.Reveal())
	s.wantWorks("the JWT "+name, err, works)
}

// refresh uses a refresh token and returns the next pair, or nil.
func (s transferService) refresh(name string, token auth.Secret, works bool) *jwt.Pair {
	s.Helper()
	pair, err := s.pairs.Refresh(s.Context(), token.Reveal())
	s.wantWorks("the refresh token "+name, err, works)
	return pair
}

// link makes a token that is good once.
func (s transferService) link(user string) auth.Secret {
	s.Helper()
	token, err := s.links.Issue(s.Context(), user, password.PurposeReset, user+"@example.org")
	s.must(err)
	return token
}

func (s transferService) wantLink(name string, token auth.Secret, works bool) {
	s.Helper()
	_, _, err := s.links.Redeem(s.Context(), password.PurposeReset, token.Reveal())
	s.wantWorks("the one-time token "+name, err, works)
}
