package external_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// issuers start an issuer for the users of f. It returns the backend, its login endpoint, and how many credentials
// alice has. refusal is what its hook returns.
var issuers = map[string]func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
	func(*auth.Guard) (http.Handler, error), func() (int, error)){
	"session": func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		s, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: f.load,
			BeforeLogin: func(*http.Request, auth.User, *session.Options) error { return refusal }})
		if err != nil {
			t.Fatal(err)
		}
		return s, func(g *auth.Guard) (http.Handler, error) {
				h, err := s.Handlers(g)
				return h.Login, err
			}, func() (int, error) {
				all, _, err := s.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	},
	"knox": func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: f.load,
			Issue: knox.IssueSettings{Before: func(*http.Request, auth.User, *knox.Options) error { return refusal }}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens, func(g *auth.Guard) (http.Handler, error) {
				h, err := tokens.Handlers(g)
				return h.Login, err
			}, func() (int, error) {
				all, _, err := tokens.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	},
	"jwt":             jwtIssuer(func(h *jwt.Handlers) http.Handler { return h.Obtain }),
	"jwt, by Sliding": jwtIssuer(func(h *jwt.Handlers) http.Handler { return h.Sliding }),
}

func jwtIssuer(endpoint func(*jwt.Handlers) http.Handler) func(t *testing.T, f *factors, refusal error) (
	auth.Authenticator, func(*auth.Guard) (http.Handler, error), func() (int, error)) {
	return func(t *testing.T, f *factors, refusal error) (auth.Authenticator,
		func(*auth.Guard) (http.Handler, error), func() (int, error)) {
		key, err := jwt.GenerateKey(jwt.ES256)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := jwt.NewKeySet(key)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := jwt.New(jwt.Config{Issuer: "https://app.example", Keys: keys, Store: jwt.NewMemoryStore(),
			LoadUser: f.load, Issue: jwt.IssueSettings{
				Before: func(*http.Request, auth.User, *jwt.Options) error { return refusal }}})
		if err != nil {
			t.Fatal(err)
		}
		return tokens, func(g *auth.Guard) (http.Handler, error) {
				h, err := tokens.Handlers(g)
				return endpoint(h), err
			}, func() (int, error) {
				all, _, err := tokens.List(t.Context(), "alice", backend.Page{Limit: 10})
				return len(all), err
			}
	}
}

// exchange posts the code of a new login of an app to the endpoint of an issuer, and returns the answer and how many
// credentials alice has then.
func (f *factors) exchange(t *testing.T, issuer string, refusal error) (*httptest.ResponseRecorder, int) {
	t.Helper()
	own, endpoint, count := issuers[issuer](t, f, refusal)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{own}, Login: []auth.Authenticator{f.logins}})
	if err != nil {
		t.Fatal(err)
	}
	login, err := endpoint(guard)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"login_code": {f.browser().code(appStart)}, "code_verifier": {verifier}}
	r := httptest.NewRequest("POST", "https://app.example/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	login.ServeHTTP(w, r)
	n, err := count()
	if err != nil {
		t.Fatal(err)
	}
	return w, n
}

func TestUnitLoginsOfAppsThatAreRefused(t *testing.T) {
	for issuer := range issuers {
		t.Run("a login of an app that an issuer refuses links nothing: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, withApp)
			if w, n := f.exchange(t, issuer, auth.ErrInsufficient); w.Code != http.StatusForbidden || n != 0 {
				t.Errorf("got %d %s, %d credentials", w.Code, w.Body, n)
			}
			f.wantLinked("the login was refused")
		})
		t.Run("one that succeeds links: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, withApp)
			if w, n := f.exchange(t, issuer, nil); w.Code >= 400 || n != 1 {
				t.Errorf("got %d %s, %d credentials", w.Code, w.Body, n)
			}
			f.wantLinked("the login succeeded", "1")
		})
		t.Run("one whose identity cannot be linked leaves no credential: "+issuer, func(t *testing.T) {
			f := newFactors(t, nil, func(a *app, c *external.Config) {
				withApp(a, c)
				c.Store = &failing{Store: a.store, method: "LinkFirst"}
			})
			w, n := f.exchange(t, issuer, nil)
			if w.Code != http.StatusServiceUnavailable || n != 0 || len(w.Header().Values("Set-Cookie")) != 0 {
				t.Errorf("got %d %s %v, %d credentials", w.Code, w.Body, w.Header(), n)
			}
		})
	}
}

// wrapped is a credential around another one.
type wrapped struct{ auth.Credential }

func (w wrapped) Unwrap() auth.Credential { return w.Credential }

func TestUnitFinishOfACredentialThatIsWrapped(t *testing.T) {
	t.Run("a login is finished through a credential around it, and once only is told", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		_, credential, err := f.redeem(f.browser().code(appStart), verifier)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := backend.Finish(context.Background(), wrapped{credential}); err != nil {
				t.Error(err)
			}
		}
		f.wantLinked("finished", "1")
	})
}
