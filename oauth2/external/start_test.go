package external_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
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

func TestLinkingIsAskedForByWhoIsSignedInAndHasJustBeen(t *testing.T) {
	a := newApp(t, nil)
	stranger := a.browser()
	stranger.wants("nobody", stranger.do("POST", "/login/acme/link/", nil), 403, "sign_in")
	old := a.browser()
	old.do("POST", "/password/alice?old", nil)
	p := old.do("POST", "/login/acme/link/", nil)
	old.wants("an hour ago", p, 403, "stale")
	if !strings.Contains(p.body, `href="/sign-in?next=%2Faccount"`) {
		t.Errorf("got the page %s, want it to lead to the sign-in and back to the account", p.body)
	}
	b := a.browser().signedInAs("alice")
	b.wants("of another site", b.do("POST", "/login/acme/link/", nil, "Sec-Fetch-Site", "cross-site", "Origin",
		"https://evil.example"), 403, "cross_origin")
	b.wants("unknown", b.do("POST", "/login/nobody/link/", nil), 404, "no_provider")
	if p := b.do("GET", "/login/acme/link/", nil); p.status == 303 {
		t.Error("by GET")
	}
	if p := b.follow(b.do("POST", "/login/acme/link/", url.Values{"user": {"bob"}})); p.status != 200 ||
		p.at != a.url+"/account" {
		t.Fatalf("got %d at %s: %s, want 200 at the account page", p.status, p.at, p.body)
	}
	if !slices.Equal(a.identities("alice"), []string{"1"}) || b.who() != "alice" || a.logged() != 0 {
		t.Errorf("got the identities %v and the user %q, want identity 1 of alice, and no login",
			a.identities("alice"), b.who())
	}
	// From then on it signs alice in, and once more changes nothing.
	c := a.browser()
	if c.visit("/login/acme/"); c.who() != "alice" {
		t.Errorf("signed in as %q, want alice", c.who())
	}
	b.follow(b.do("POST", "/login/acme/link/", nil))
	if !slices.Equal(a.identities("alice"), []string{"1"}) || !slices.Equal(a.changes[:1], []string{"alice linked 1"}) {
		t.Errorf("got the identities %v and the changes %v, want identity 1, linked once",
			a.identities("alice"), a.changes)
	}
	// It is hers, and stays hers.
	d := a.browser().signedInAs("bob")
	d.wants("taken", d.follow(d.do("POST", "/login/acme/link/", nil)), 409, "taken")
	if len(a.identities("bob")) != 0 || !slices.Equal(a.identities("alice"), []string{"1"}) {
		t.Error("it moved")
	}
}

func TestTheLastWayInIsNotUnlinked(t *testing.T) {
	for _, otherWay := range []bool{false, true} {
		a := newApp(t, func(_ *app, c *external.Config) {
			c.Linking.HasOtherWay = func(context.Context, auth.User) (bool, error) { return otherWay, nil }
		})
		b := a.browser().signedInAs("alice")
		for _, subject := range []string{"1", "2"} {
			a.idp.SignIn(authtest.Person{Subject: subject})
			b.follow(b.do("POST", "/login/acme/link/", nil))
		}
		all, err := a.logins.Identities(t.Context(), "alice")
		if err != nil || len(all) != 2 {
			t.Fatalf("got %v, error %v, want 2 identities", all, err)
		}
		other := a.browser().signedInAs("bob")
		other.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}})
		b.do("POST", "/login/acme/unlink/", url.Values{"id": {"nothing"}})
		b.do("POST", "/login/acme/unlink/", nil)
		if len(a.identities("alice")) != 2 {
			t.Fatal("unlinked by somebody else, or something else")
		}
		if p := b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[0].ID}}); p.location != a.url+"/account" ||
			!slices.Equal(a.identities("alice"), []string{"2"}) {
			t.Errorf("got %d and the identities %v, want identity 2 to be left", p.status, a.identities("alice"))
		}
		p := b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[1].ID}})
		if otherWay && len(a.identities("alice")) != 0 {
			t.Errorf("got %d and an identity, want none, since there is another way in", p.status)
		}
		if !otherWay {
			b.wants("the last", p, 409, "last_way")
			if len(a.identities("alice")) != 1 {
				t.Error("the last was unlinked")
			}
		}
		if !slices.Contains(a.changes, "alice unlinked 1") {
			t.Errorf("got the changes %v, want alice unlinked 1 among them", a.changes)
		}
		b.wants("of another site", b.do("POST", "/login/acme/unlink/", url.Values{"id": {all[1].ID}}, "Sec-Fetch-Site",
			"cross-site"), 403, "cross_origin")
	}
}

func TestASessionOfScopesChangesNoWayIn(t *testing.T) {
	a := newApp(t, func(a *app, c *external.Config) {
		signIn := c.SignIn
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, l *external.Credential) error {
			return signIn(w, r, u, l)
		}
		sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: a.load,
			Cookie: "limited"})
		if err != nil {
			t.Fatal(err)
		}
		c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User, l *external.Credential) error {
			_, err := sessions.SignIn(w, r, u, session.Options{AuthInfo: l.AuthInfo(), Scopes: []string{"read"}})
			return err
		}
		if a.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{sessions}}); err != nil {
			t.Fatal(err)
		}
	})
	b := a.browser()
	b.visit("/login/acme/")
	b.wants("limited", b.do("POST", "/login/acme/link/", nil), 403, "not_allowed")
	b.wants("limited", b.do("POST", "/login/acme/unlink/", nil), 403, "not_allowed")
}
