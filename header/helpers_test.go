package header_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// What the tests of this package share.

const secret = "0123456789abcdef"

var proxy = header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}

type user struct{ id, stamp string }

func (u *user) UserID() string    { return u.id }
func (u *user) AuthStamp() string { return u.stamp }

// plainUser has no stamp.
type plainUser string

func (u plainUser) UserID() string { return string(u) }

// people is a directory of users that can be changed while it is in use.
type people struct {
	mu     sync.Mutex
	byID   map[string]*user
	failed map[string]error // what Load says instead
	down   error
}

func newPeople(ids ...string) *people {
	p := &people{byID: map[string]*user{}, failed: map[string]error{}}
	for _, id := range ids {
		p.byID[id] = &user{id, "stamp 1"}
	}
	return p
}

func (p *people) Load(_ context.Context, id string) (auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return nil, p.down
	}
	if err := p.failed[id]; err != nil {
		return nil, err
	}
	if u, ok := p.byID[id]; ok {
		return u, nil
	}
	return nil, auth.ErrUserNotFound
}

func (p *people) set(change func(*people)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// everybody is a weaker backend: it proves any request, by something that no
// browser adds.
var everybody weaker

type weaker struct{}

func (weaker) Ambient() bool { return false }
func (weaker) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return plainUser("anybody"), nil, nil
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newGuard(t testing.TB, backends ...auth.Authenticator) *auth.Guard {
	t.Helper()
	return must[*auth.Guard](t)(auth.New(auth.Config{
		Backends:   backends,
		Challenges: []auth.Challenge{{Scheme: "Token"}},
		Logger:     slog.New(slog.DiscardHandler),
	}))
}

// answer is what a client and, if it was let through, a handler saw.
type answer struct {
	status     int
	detail     string
	code       string
	challenges []string
	header     http.Header
	reached    bool
	userID     string
	credential auth.Credential
	seen       http.Header // the request's headers in the handler
}

// ask sends r through middleware.
func ask(t testing.TB, middleware func(http.Handler) http.Handler, r *http.Request) answer {
	t.Helper()
	var a answer
	w := httptest.NewRecorder()
	middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a.reached, a.seen = true, r.Header
		if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
			a.userID = u.UserID()
		}
		a.credential, _ = auth.CredentialFrom[auth.Credential](r.Context())
	})).ServeHTTP(w, r)
	a.status, a.header, a.challenges = w.Code, w.Header(), w.Header()["Www-Authenticate"]
	if !a.reached && w.Body.Len() > 0 {
		var body struct{ Detail, Code string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("body %q: %v", w.Body, err)
		}
		a.detail, a.code = body.Detail, body.Code
	}
	return a
}

// request has a peer, outside of the trusted network unless it is told.
func request(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}
