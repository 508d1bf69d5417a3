package external_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/password"
)

const alicePassword = "correct horse battery"

// mixed is an app with a guard that accepts sessions, device tokens and HTTP Basic.
type mixed struct {
	*app
	tokens *knox.Tokens
}

func newMixed(t *testing.T) mixed {
	t.Helper()
	m := mixed{}
	m.app = newApp(t, func(a *app, _ *external.Config) {
		var err error
		m.tokens, err = knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: a.load})
		if err != nil {
			t.Fatal(err)
		}
		hasher, err := password.NewHasher(password.HasherConfig{})
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := hasher.Hash(t.Context(), alicePassword)
		if err != nil {
			t.Fatal(err)
		}
		basic, err := password.New(password.Config{
			Hasher: hasher,
			Account: func(_ context.Context, name string) (auth.User, string, error) {
				return a.users[name], encoded, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		backends := []auth.Authenticator{m.tokens, a.sessions, basic}
		if a.guard, err = auth.New(auth.Config{Backends: backends}); err != nil {
			t.Fatal(err)
		}
	})
	return m
}

// proofs are the Authorization headers of alice that are no session.
func (m mixed) proofs() map[string]string {
	m.Helper()
	issued, err := m.tokens.Issue(m.Context(), "alice", knox.Options{})
	if err != nil {
		m.Fatal(err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte("alice:" + alicePassword))
	return map[string]string{"a device token": "Token " + issued.Secret.Reveal(), "HTTP Basic": "Basic " + basic}
}

// A token that could link an account would turn into a login that outlives it.
func TestATokenOrBasicStartsNoLink(t *testing.T) {
	m := newMixed(t)
	for sentence, proof := range m.proofs() {
		b := m.browser()
		if p := b.do("GET", "/", nil, "Authorization", proof); p.body != "user=alice" {
			t.Fatalf("%s is not good: %d %s", sentence, p.status, p.body)
		}
		b.wants(sentence, b.do("POST", "/login/acme/link/", nil, "Authorization", proof), 403, "not_allowed")
		if !strings.Contains(m.log.String(), "auth.Primary") {
			t.Errorf("%s: the log does not say why: %s", sentence, m.log)
		}
	}
	if linked := m.identities("alice"); len(linked) != 0 {
		t.Errorf("linked: %v", linked)
	}
}

func TestATokenOrBasicFinishesNoLink(t *testing.T) {
	m := newMixed(t)
	for sentence, proof := range m.proofs() {
		b := m.browser().signedInAs("alice")
		back := b.next(b.do("POST", "/login/acme/link/", nil))
		b.dropAllBut("__Host-login-")
		b.wants(sentence, b.do("GET", back.location, nil, "Authorization", proof), 403, "not_allowed")
	}
	if linked := m.identities("alice"); len(linked) != 0 {
		t.Errorf("linked: %v", linked)
	}
	b := m.browser().signedInAs("alice")
	if p := b.follow(b.do("POST", "/login/acme/link/", nil)); p.status != 200 || len(m.identities("alice")) != 1 {
		t.Errorf("a session: %d %s %v", p.status, p.reason(), m.identities("alice"))
	}
}

// dropAllBut forgets every cookie that does not start with prefix.
func (b *browser) dropAllBut(prefix string) {
	b.Helper()
	jar, err := newJar()
	if err != nil {
		b.Fatal(err)
	}
	at := mustURL(b.url)
	for _, cookie := range b.client.Jar.Cookies(at) {
		if strings.HasPrefix(cookie.Name, prefix) {
			jar.SetCookies(&url.URL{Scheme: at.Scheme, Host: at.Host, Path: "/"}, []*http.Cookie{cookie})
		}
	}
	b.client.Jar = jar
}
