package jwt_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
)

// exactMux serves the paths that were registered and no others, as chi does.
type exactMux map[string]http.Handler

func (m exactMux) Handle(pattern string, h http.Handler) { m[pattern] = h }

func (m exactMux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := m[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// treeMux serves what is below a path that ends with a slash, too. It is a
// ServeMux that cannot be told to be one.
type treeMux struct{ mux *http.ServeMux }

func (m treeMux) Handle(pattern string, h http.Handler)            { m.mux.Handle(pattern, h) }
func (m treeMux) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

func guardOf(t testing.TB, tokens *jwt.Tokens, login ...auth.Authenticator) *auth.Guard {
	t.Helper()
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: login,
		Challenges: []auth.Challenge{{Scheme: "Bearer"}}})
	if err != nil {
		t.Fatal(err)
	}
	return guard
}

func TestUnitHandlersAreRegistered(t *testing.T) {
	paths := []string{"/", "/refresh/", "/verify/", "/blacklist/", "/logoutall/", "/sliding/", "/sliding/refresh/"}
	tokens, people, events := newTokens(t, nil)
	guard := guardOf(t, tokens, auth.AuthenticatorFunc(people.passwords))
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	browser, err := tokens.BrowserHandlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	login := func(mux http.Handler, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(`{"username":"alice","password":"alicealice"}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	for _, prefix := range []string{"", "/x", "/api/token"} {
		t.Run("below "+prefix+"/ with a router that matches exactly", func(t *testing.T) {
			mux := exactMux{}
			handlers.Register(mux, prefix)
			for _, path := range paths {
				if mux[prefix+path] == nil {
					t.Errorf("nothing at %s", prefix+path)
				}
			}
			if len(mux) != len(paths) {
				t.Errorf("%d patterns, want %d", len(mux), len(paths))
			}
			if w := login(mux, prefix+"/"); w.Code != 200 {
				t.Errorf("login: %d %s", w.Code, w.Body)
			}
		})
		for sentence, mux := range map[string]interface {
			auth.Mux
			http.Handler
		}{"ServeMux": http.NewServeMux(), "a router of trees": treeMux{http.NewServeMux()}} {
			t.Run("below "+prefix+"/ with "+sentence, func(t *testing.T) {
				handlers.Register(mux, prefix)
				if w := login(mux, prefix+"/"); w.Code != 200 {
					t.Errorf("login: %d %s", w.Code, w.Body)
				}
				issued := events.count(auth.EventIssued)
				for _, path := range []string{"/anything", "/anything/", "/sliding/x/", "/refresh/x"} {
					if _, tree := mux.(treeMux); tree && prefix == "" && path == "/anything/" {
						continue // nothing tells a mount at /anything from a path below "/"
					}
					if w := login(mux, prefix+path); w.Code != 404 || events.count(auth.EventIssued) != issued {
						t.Errorf("POST %s: %d %s, want 404 and no token", prefix+path, w.Code, w.Body)
					}
				}
			})
		}
	}
	t.Run("those of a browser have no sliding tokens", func(t *testing.T) {
		mux := exactMux{}
		browser.Register(mux, "/x")
		if len(mux) != 5 || mux["/x/sliding/"] != nil || mux["/x/sliding/refresh/"] != nil {
			t.Errorf("%d patterns, want 5", len(mux))
		}
	})
	for _, prefix := range []string{"/x/", "/", "x", "//x", "/x//y", "/x/../y"} {
		t.Run("the prefix "+prefix+" panics", func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic, want one, because no request could match")
				}
			}()
			handlers.Register(http.NewServeMux(), prefix)
		})
	}
	t.Run("under Protect they answer if they are open", func(t *testing.T) {
		mux := http.NewServeMux()
		handlers.Register(mux, "/x")
		protected := guard.Protect(mux, handlers.Open("/x"))
		if w := login(protected, "/x/"); w.Code != 200 {
			t.Errorf("login: %d %s", w.Code, w.Body)
		}
		if w := login(protected, "/y/"); w.Code != 401 {
			t.Errorf("elsewhere: %d, want 401", w.Code)
		}
	})
}

func TestUnitHandlersNeedAWayToLogIn(t *testing.T) {
	tokens, _, _ := newTokens(t, nil)
	for sentence, guard := range map[string]*auth.Guard{"a nil guard": nil,
		"a guard without Login": guardOf(t, tokens)} {
		for name, build := range map[string]func(*auth.Guard) (*jwt.Handlers, error){"Handlers": tokens.Handlers,
			"BrowserHandlers": tokens.BrowserHandlers} {
			if h, err := build(guard); h != nil || err == nil || !strings.HasPrefix(err.Error(), "jwt: ") {
				t.Errorf("%s of %s: %v, want an error of jwt", name, sentence, err)
			}
		}
	}
}

func TestUnitABrowserOpensNoDialogOfItsOwn(t *testing.T) {
	tokens, people, _ := newTokens(t, nil)
	passwords, err := header.NewBasic(header.BasicConfig{LoadUser: people.load,
		Check: func(*http.Request, string, string) (auth.User, error) { return nil, auth.ErrInvalid }})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{passwords}})
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	browser, err := tokens.BrowserHandlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		handler http.Handler
		scheme  string
	}{"a script's login": {scripts.Obtain, "Basic"}, "a browser's login": {browser.Obtain, "Form"}} {
		r := httptest.NewRequest("POST", "/", nil)
		r.SetBasicAuth("alice", "wrong")
		w := httptest.NewRecorder()
		row.handler.ServeHTTP(w, r)
		scheme, _, _ := strings.Cut(w.Header().Get("WWW-Authenticate"), " ")
		if w.Code != 401 || scheme != row.scheme {
			t.Errorf("%s: %d with the scheme %q, want 401 and %q", sentence, w.Code, scheme, row.scheme)
		}
	}
}

func TestUnitABadTokenIsNotRescuedByASession(t *testing.T) {
	key, other := signing(t, jwt.ES256), signing(t, jwt.ES256)
	tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keySet(t, key) })
	asked := 0
	session := ambientBackend{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		asked++
		return jwt.Subject{ID: "of the session"}, nil, nil
	})}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, session}})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := pair.Access.Reveal()
	head, _, _ := strings.Cut(good, ".")
	_, claims := claimsOf(t, good)
	forged, err := jwt.Sign(other.WithID(key.ID()), "at+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	claims["iss"] = "https://other.example"
	foreign, err := jwt.Sign(key, "at+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	end := strings.LastIndexByte(good, '.')
	for _, row := range []struct {
		sentence, token string
		kind            error
	}{
		{"ours, with a broken signature", good[:end+1] + strings.Repeat("A", len(good)-end-1), auth.ErrInvalid},
		{"ours, without a part of its signature", good[:len(good)-4], auth.ErrInvalid},
		{"ours, signed by another key", forged, auth.ErrInvalid},
		{"another issuer's", foreign, auth.ErrUnrecognized},
		{"half of ours", head + ".", auth.ErrUnrecognized},
		{"not a JWT", "abcdef", auth.ErrUnrecognized},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if _, _, err := tokens.VerifyToken(t.Context(), row.token); !errors.Is(err, row.kind) {
				t.Errorf("%v, want %v", err, row.kind)
			}
			asked = 0
			w := serveRequest(guard.Require()(http.NotFoundHandler()), "GET", "/", "Authorization", "Bearer "+row.token)
			if w.Code != 401 || asked != 0 {
				t.Errorf("%d, and the session was asked %d times. Want 401 and never", w.Code, asked)
			}
		})
	}
	t.Run("no token at all leaves it to the session", func(t *testing.T) {
		if w := serveRequest(guard.Require()(http.NotFoundHandler()), "GET", "/"); w.Code != 404 || asked != 1 {
			t.Errorf("%d, and the session was asked %d times", w.Code, asked)
		}
	})
}

// ambientBackend says what a session says: browsers add its cookie.
type ambientBackend struct{ auth.AuthenticatorFunc }

func (ambientBackend) Ambient() bool                    { return true }
func (ambientBackend) Challenges() []auth.Challenge     { return nil }
func (b ambientBackend) Unwrap() auth.Authenticator     { return nil }
func (ambientBackend) OwnTokens() (_ []auth.TokenClass) { return nil }

func TestUnitCapabilities(t *testing.T) {
	key := signing(t, jwt.ES256)
	tokens, people, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keySet(t, key) })
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Name: "other",
		Issuers: []jwt.Issuer{{Issuer: "https://other.example",
			Audience: []string{serviceIssuer}, Keys: keySet(t, signing(t, jwt.ES256)), LoadUser: people.load}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range []auth.Authenticator{tokens, verifier} {
		ambient, ok := auth.As[auth.Ambient](backend)
		if !ok || ambient.Ambient() {
			t.Errorf("%T does not say that no browser adds tokens", backend)
		}
		if owner, ok := auth.As[auth.TokenOwner](backend); !ok || len(owner.OwnTokens()) != 0 {
			t.Errorf("%T does not say that it tells tokens apart by something else than a prefix", backend)
		}
	}
	t.Run("two issuers may share a scheme", func(t *testing.T) {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier, tokens}})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		handler := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(204)
		}))
		r := []string{"Authorization", "Bearer " + pair.Access.Reveal(), "Sec-Fetch-Site", "cross-site"}
		if w := serveRequest(handler, "POST", "/", r...); w.Code != 204 {
			t.Errorf("%d %s, want 204: no browser added the token", w.Code, w.Body)
		}
	})
	t.Run("Tokens leads to its Verifier, and hides it", func(t *testing.T) {
		if found, ok := auth.As[*jwt.Verifier](tokens); !ok || found == nil {
			t.Error("auth.As finds no Verifier in Tokens")
		}
		for _, field := range reflect.VisibleFields(reflect.TypeFor[jwt.Tokens]()) {
			if field.IsExported() || field.Anonymous {
				t.Errorf("Tokens has the field %s, want only methods", field.Name)
			}
		}
		if got := tokens.Vary(); !slices.Equal(got, []string{"Authorization"}) {
			t.Errorf("Vary %q", got)
		}
	})
}
