package authtest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// proved is what a backend returns.
type proved struct {
	user       auth.User
	credential auth.Credential
	err        error
}

// spoken is a healthy backend, made of functions so that a mutant replaces one.
type spoken struct {
	authenticate func(r *http.Request) proved
	verify       func(token string) proved
	challenges   func() []auth.Challenge
	owns         func() []auth.TokenClass
	strips       func() []string
	vary         func() []string
	ambient      func() bool
	proxies      func() bool
	name         func() string
}

func (s *spoken) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	p := s.authenticate(r)
	return p.user, p.credential, p.err
}

func (s *spoken) VerifyToken(_ context.Context, token string) (auth.User, auth.Credential, error) {
	p := s.verify(token)
	return p.user, p.credential, p.err
}

func (s *spoken) Challenges() []auth.Challenge { return s.challenges() }
func (s *spoken) OwnTokens() []auth.TokenClass { return s.owns() }
func (s *spoken) StripHeaders() []string       { return s.strips() }
func (s *spoken) Vary() []string               { return s.vary() }
func (s *spoken) Ambient() bool                { return s.ambient() }
func (s *spoken) ReadsProxies() bool           { return s.proxies() }
func (s *spoken) Backend() string              { return s.name() }

func always[T any](value T) func() T { return func() T { return value } }

// byToken proves tokens of the scheme Bearer that start with "gw_".
func byToken() *spoken {
	return &spoken{
		authenticate: func(r *http.Request) proved {
			_, token, err := auth.TokenFrom(r, "Bearer")
			if err != nil {
				return proved{err: err}
			}
			return judge(token)
		},
		verify: judge,
		challenges: always([]auth.Challenge{{Scheme: "Bearer", Params: []auth.Param{{Name: "realm",
			Value: `the "api"`}}}}),
		owns:    always([]auth.TokenClass{{Scheme: "Bearer", Prefix: "gw_"}}),
		strips:  always([]string(nil)),
		vary:    always([]string{"Authorization"}),
		ambient: always(false),
		proxies: always(false),
		name:    always("tokens"),
	}
}

func judge(token string) proved {
	full := authtest.Credential{Name: "tokens", Auth: auth.AuthInfo{AuthTime: time.Now()}}
	limited := authtest.Credential{Name: "tokens", Scope: []string{"read"}, Expiry: time.Now().Add(time.Hour)}
	switch token {
	case "gw_alice":
		return proved{user: authtest.User("alice"), credential: full}
	case "gw_reader":
		return proved{user: authtest.User("reader"), credential: limited}
	case "gw_robot":
		return proved{user: auth.Machine{ID: "robot"}, credential: limited}
	case "gw_plain":
		return proved{user: authtest.User("plain")}
	case "gw_busy":
		return proved{err: &auth.Error{Kind: auth.ErrThrottled, RetryAfter: time.Minute}}
	case "gw_down":
		return proved{err: errors.New("the store is down")}
	}
	if strings.HasPrefix(token, "gw_") {
		return proved{err: &auth.Error{Kind: auth.ErrInvalid, Detail: "Invalid token."}}
	}
	return proved{err: auth.ErrUnrecognized}
}

func bearer(token string) authtest.Request {
	return authtest.RequestWith("Authorization", "Bearer "+token)
}

// tokenCases have a request for every answer of byToken.
func tokenCases() authtest.Cases {
	post := func() *http.Request {
		r := httptest.NewRequest("POST", "/reports", strings.NewReader("a report"))
		r.Header.Set("Authorization", "Bearer gw_alice")
		return r
	}
	return authtest.Cases{
		Good: []authtest.Good{
			{Request: bearer("gw_alice"), User: "alice"},
			{Request: bearer("gw_reader"), User: "reader", Scopes: []string{"read"}},
			{Request: bearer("gw_robot"), User: "client:robot", Scopes: []string{"read"}},
			{Request: bearer("gw_plain"), User: "plain"},
			{Request: post, User: "alice"},
		},
		Absent:       []authtest.Request{authtest.RequestWith("Cookie", "theme=dark")},
		Invalid:      []authtest.Request{bearer("gw_expired")},
		Malformed:    []authtest.Request{bearer("gw_alice and more")},
		Unrecognized: []authtest.Request{bearer("other_token")},
		Throttled:    []authtest.Request{bearer("gw_busy")},
		Outage:       []authtest.Request{bearer("gw_down")},
	}
}

// byCookie proves a session cookie, which browsers add by themselves.
func byCookie() *spoken {
	s := byToken()
	s.authenticate = func(r *http.Request) proved {
		if c, err := r.Cookie("session"); err == nil && c.Value == "alices" {
			return proved{user: authtest.User("alice")}
		}
		return proved{err: auth.ErrNoCredentials}
	}
	s.owns, s.vary, s.ambient = always([]auth.TokenClass{}), always([]string{"Cookie"}), always(true)
	return s
}

func cookieCases() authtest.Cases {
	return authtest.Cases{Good: []authtest.Good{{Request: authtest.RequestWith("Cookie", "session=alices"),
		User: "alice"}}}
}

// byGateway believes a header if a secret is beside it.
func byGateway() *spoken {
	s := byCookie()
	s.authenticate = func(r *http.Request) proved {
		if user := r.Header.Get("X-Gateway-User"); user != "" && r.Header.Get("X-Gateway-Secret") == "a long secret" {
			return proved{user: authtest.User(user)}
		}
		return proved{err: auth.ErrNoCredentials}
	}
	s.vary, s.strips = always([]string{"X-Gateway-User"}), always([]string{"X-Gateway-User", "X-Gateway-Secret"})
	return s
}

func gatewayCases() authtest.Cases {
	return authtest.Cases{Good: []authtest.Good{{User: "alice", Request: func() *http.Request {
		r := authtest.RequestWith("X-Gateway-User", "alice")()
		r.Header.Set("X-Gateway-Secret", "a long secret")
		return r
	}}}}
}

// wrapped is a healthy decorator by a function.
func wrapped(inner auth.Authenticator) auth.Authenticator {
	return auth.Wrap(inner, func(r *http.Request) (auth.User, auth.Credential, error) {
		return inner.Authenticate(r)
	})
}

// counting is a healthy decorator by a type of its own. It adds to credentials.
type counting struct{ inner auth.Authenticator }

func (c counting) Unwrap() auth.Authenticator { return c.inner }

func (c counting) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	user, credential, err := c.inner.Authenticate(r)
	if credential != nil {
		credential = numbered{credential, 7}
	}
	return user, credential, err
}

type numbered struct {
	auth.Credential
	number int
}

func (n numbered) Unwrap() auth.Credential { return n.Credential }
