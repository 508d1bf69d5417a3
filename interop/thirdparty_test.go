package interop

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// service is one that people sign in to by a provider.
type service struct {
	*testing.T
	logins *external.Logins
	url    string

	mu      sync.Mutex
	profile *external.Profile // of the last login
	tokens  *external.Tokens
}

const clientSecret = "a-secret-of-the-interop-tests-only"

func newService(t *testing.T) (s *service, ready func(issuer string)) {
	t.Helper()
	s = &service{T: t}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s, func(issuer string) {
		t.Helper()
		var err error
		s.logins, err = external.New(external.Config{
			URL: s.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: external.NewMemoryStore(),
			Providers: []external.Provider{external.OIDC{Name: "node", Issuer: issuer, ClientID: "service",
				ClientSecret: clientSecret, Scopes: []string{"profile", "email", "offline_access"},
				Params: map[string]string{"prompt": "consent"}}},
			LoadUser: func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil },
			Accounts: external.AccountConfig{NewUser: func(_ context.Context, p *external.Profile,
				_ string) (auth.User, error) {
				return authtest.User("node-" + p.Subject), nil
			}, KeepTokens: func(_ context.Context, _ auth.User, _ *external.Profile, tokens *external.Tokens) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.tokens = tokens
				return nil
			}},
			SignIn: func(w http.ResponseWriter, _ *http.Request, u auth.User, proof *external.Credential) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.profile = proof.Profile
				w.Header().Set("X-User", u.UserID())
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.logins}})
		if err != nil {
			t.Fatal(err)
		}
		handlers, err := s.logins.Handlers(guard)
		if err != nil {
			t.Fatal(err)
		}
		handlers.Register(mux)
	}
}

var (
	anyInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"/?>`)
	anyForm  = regexp.MustCompile(`action="([^"]*)"`)
)

// signIn goes through a login with a browser of its own, until it is back at the
// service's own pages, and returns the status there.
func (s *service) signIn() int {
	s.Helper()
	b := &browser{s.T, s.url, map[string]string{}}
	at, status := s.url+"/login/node/?next=/done", 0
	for range 15 {
		var where, text string
		if status, where, text = b.do("GET", at, nil); where == "" {
			s.Logf("%d at %s: %s", status, at, text)
			return status
		}
		from, err := url.Parse(at)
		if err != nil {
			s.Fatal(err)
		}
		to, err := from.Parse(where)
		if err != nil {
			s.Fatal(err)
		}
		if at = to.String(); at == s.url+"/done" {
			return http.StatusOK
		}
	}
	s.Fatal("no end")
	return 0
}

func TestLoginByNodeOIDCProvider(t *testing.T) {
	program, err := exec.LookPath("node")
	if err != nil {
		skip(t, "no node")
	}
	if _, err := os.Stat("node_modules/oidc-provider/package.json"); err != nil {
		skip(t, "no oidc-provider: run make clients")
	}
	s, ready := newService(t)
	issuer := serve(t, "", program, "js/oidc-provider.mjs", "service", clientSecret, s.url+"/login/node/callback/",
		s.url+"/bye")
	ready(issuer)

	if status := s.signIn(); status != http.StatusOK {
		t.Fatal(status)
	}
	// It tells profile and e-mail at the userinfo endpoint only.
	want := external.Email{Address: "ada@example.com", Verified: true, Source: "node"}
	if p := s.profile; p.Issuer != issuer || p.Subject != "ada" || p.Email != want || p.Name != "ada of Node" ||
		p.Username != "ada" {
		t.Errorf("%+v", p)
	}
	send(t, "POST", issuer+"/person/grace", "")
	if status := s.signIn(); status != http.StatusOK || s.profile.Subject != "grace" {
		t.Errorf("%d %+v", status, s.profile)
	}

	// Its tokens can be refreshed, and revoked not: it has no endpoint for that.
	tokens := s.tokens
	grace := s.profile.Identity("grace", time.Now())
	fresh, err := s.logins.Refresh(t.Context(), grace, tokens.Refresh())
	if err != nil || fresh.Access() == tokens.Access() || fresh.ID() == "" {
		t.Errorf("%v", err)
	}
	if _, err := s.logins.Refresh(t.Context(), grace, "nothing"); err == nil {
		t.Error("refreshed with nothing")
	}

	// Signing out there, with a page of its own that asks.
	at, err := s.logins.EndSessionURL(t.Context(), "node", tokens.ID(), s.url+"/bye")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t, issuer, map[string]string{}}
	status, _, text := b.do("GET", at, nil)
	if status != http.StatusOK || !anyForm.MatchString(text) {
		t.Fatalf("%d %s", status, text)
	}
	form := url.Values{"logout": {"yes"}}
	for _, m := range anyInput.FindAllStringSubmatch(text, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	if status, where, text := b.do("POST", html.UnescapeString(anyForm.FindStringSubmatch(text)[1]),
		form); !strings.HasPrefix(where, s.url+"/bye") {
		t.Errorf("%d %s %s", status, where, text)
	}

	// It signs with a new key from now on; ours are asked for again once a second at most.
	send(t, "POST", issuer+"/rotate", "")
	for began := time.Now(); s.signIn() != http.StatusOK; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the new key is not found")
		}
	}
}
