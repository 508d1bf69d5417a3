package external_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// user is one of the application.
type user struct {
	name, stamp string
	active      bool
}

func (u *user) UserID() string    { return u.name }
func (u *user) AuthStamp() string { return u.stamp }

// app is a service that people sign in to, with a provider beside it.
type app struct {
	testing.TB
	idp    *authtest.Provider
	url    string
	server *httptest.Server
	logins *external.Logins
	guard  *auth.Guard
	store  external.Store
	log    *buffer

	unverified bool // the e-mail address of the person

	sessions *session.Sessions

	mu       sync.Mutex
	users    map[string]*user
	profiles []*external.Profile // that SignIn was given
	failures []auth.Event
	changes  []string
}

// buffer is a log that many write to.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// newApp starts both. Without providers of its own the config has "acme", generic OpenID
// Connect.
func newApp(t testing.TB, configure func(*app, *external.Config)) *app {
	t.Helper()
	a := &app{TB: t, idp: authtest.NewProvider(t), store: external.NewMemoryStore(), log: &buffer{},
		users: map[string]*user{"alice": {"alice", "s", true}, "bob": {"bob", "s", true},
			"carol": {"carol", "s", false}}}
	mux := http.NewServeMux()
	a.server = httptest.NewTLSServer(mux)
	t.Cleanup(a.server.Close)
	a.url = a.server.URL
	sessions, err := session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: a.load})
	if err != nil {
		t.Fatal(err)
	}
	a.sessions = sessions
	if a.guard, err = auth.New(auth.Config{Backends: []auth.Authenticator{sessions}}); err != nil {
		t.Fatal(err)
	}
	config := external.Config{
		URL: a.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, Store: a.store,
		Pages:    external.Pages{Name: "Test & Co", SignInURL: "/sign-in", AccountURL: "/account"},
		LoadUser: a.load,
		Accounts: external.AccountConfig{NewUser: func(_ context.Context, p *external.Profile,
			_ string) (auth.User, error) {
			return a.add(p.Provider + "-" + p.Subject), nil
		}},
		SignIn: func(w http.ResponseWriter, r *http.Request, u auth.User, proof *external.Credential) error {
			a.mu.Lock()
			a.profiles = append(a.profiles, proof.Profile)
			a.mu.Unlock()
			_, err := sessions.SignIn(w, r, u, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Linking: external.LinkingConfig{Changed: func(_ context.Context, u auth.User, change external.Change,
			i *external.Identity) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.changes = append(a.changes, u.UserID()+" "+string(change)+" "+i.Subject)
			return nil
		}},
		Observer: auth.ObserverFunc(func(_ context.Context, e auth.Event) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if e.Kind == auth.EventFailure {
				a.failures = append(a.failures, e)
			}
		}),
		Logger: slog.New(slog.NewTextHandler(a.log, nil)),
	}
	if configure != nil {
		configure(a, &config)
	}
	if config.Providers == nil {
		config.Providers = []external.Provider{a.acme()}
	}
	a.store = config.Store
	if a.logins, err = external.New(config); err != nil {
		t.Fatal(err)
	}
	a.handlers().Register(mux)
	// Pages of the application: the user, and a login by other means.
	mux.Handle("/", a.guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
			_, _ = io.WriteString(w, "user="+u.UserID())
		}
	})))
	mux.HandleFunc("POST /password/{name}", func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		if r.URL.Query().Has("old") {
			at = at.Add(-time.Hour)
		}
		if _, err := sessions.SignIn(w, r, a.users[r.PathValue("name")],
			session.Options{AuthInfo: auth.AuthInfo{AuthTime: at}}); err != nil {
			t.Error(err)
		}
	})
	a.idp.SignIn(authtest.Person{Subject: "1", Name: "Alice A.", Email: "alice@example.com",
		EmailVerified: !a.unverified, Username: "ally"})
	return a
}

func (a *app) handlers() *external.Handlers {
	a.Helper()
	handlers, err := a.logins.Handlers(a.guard)
	if err != nil {
		a.Fatal(err)
	}
	return handlers
}

func (a *app) acme() external.OIDC {
	return external.OIDC{Name: "acme", Label: "Acme <b>", Issuer: a.idp.URL(), ClientID: a.idp.ClientID,
		ClientSecret: a.idp.ClientSecret}
}

func (a *app) load(_ context.Context, id string) (auth.User, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch u := a.users[id]; {
	case u == nil:
		return nil, auth.ErrUserNotFound
	case !u.active:
		return nil, auth.ErrUserInactive
	default:
		own := *u
		return &own, nil
	}
}

func (a *app) add(name string) auth.User {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users[name] = &user{name, "s", true}
	return a.users[name]
}

// last is the profile of the last login.
func (a *app) last() *external.Profile {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.profiles) == 0 {
		a.Fatal("nobody was signed in")
	}
	return a.profiles[len(a.profiles)-1]
}

func (a *app) logged() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.profiles)
}

// browser keeps cookies.
type browser struct {
	*app
	client *http.Client
	none   map[string]bool // the names of cookies of SameSite=None
}

func (a *app) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		a.Fatal(err)
	}
	client := *a.server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{a, &client, make(map[string]bool)}
}

// page is an answer that was read.
type page struct {
	status       int
	header       http.Header
	body         string
	at, location string
}

func (p page) reason() string {
	if found := regexp.MustCompile(`data-reason="([a-z_]+)"`).FindStringSubmatch(p.body); found != nil {
		return found[1]
	}
	return ""
}

// do sends one request; a path is one of the app.
func (b *browser) do(method, to string, form url.Values, headers ...string) page {
	b.Helper()
	if strings.HasPrefix(to, "/") {
		to = b.url + to
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.Context(), method, to, body)
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	for _, cookie := range resp.Cookies() {
		b.none[cookie.Name] = cookie.SameSite == http.SameSiteNoneMode
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	p := page{resp.StatusCode, resp.Header, string(text), to, resp.Header.Get("Location")}
	if p.location != "" {
		absolute, err := resp.Request.URL.Parse(p.location)
		if err != nil {
			b.Fatal(err)
		}
		p.location = absolute.String()
	}
	return p
}

var input = regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`)
var action = regexp.MustCompile(`action="([^"]*)"`)

// next follows a redirect or presses the button of a form, as a browser does.
func (b *browser) next(p page) page {
	b.Helper()
	if p.location != "" {
		return b.do("GET", p.location, nil)
	}
	form := url.Values{}
	for _, found := range input.FindAllStringSubmatch(p.body, -1) {
		form.Add(html.UnescapeString(found[1]), html.UnescapeString(found[2]))
	}
	return b.postFrom(p, form)
}

// postFrom sends the form of a page of the provider. Only cookies of SameSite=None go with it.
func (b *browser) postFrom(p page, form url.Values) page {
	b.Helper()
	all, at := b.client.Jar, mustURL(b.url)
	few, err := newJar()
	if err != nil {
		b.Fatal(err)
	}
	for _, cookie := range all.Cookies(at) {
		if b.none[cookie.Name] {
			few.SetCookies(at, []*http.Cookie{cookie})
		}
	}
	b.client.Jar = few
	defer func() { b.client.Jar = all }()
	to := html.UnescapeString(action.FindStringSubmatch(p.body)[1])
	answer := b.do("POST", to, form, "Origin", b.idp.URL(), "Sec-Fetch-Site", "cross-site")
	all.SetCookies(at, (&http.Response{Header: answer.header}).Cookies())
	return answer
}

// away goes to the provider, and returns what it sends the browser back with.
func (b *browser) away(start string) page {
	b.Helper()
	p := b.do("GET", start, nil)
	if p.status != http.StatusSeeOther {
		b.Fatalf("%s: %d %s", start, p.status, p.body)
	}
	return b.next(p)
}

// visit follows everything to its end.
func (b *browser) visit(start string) page {
	b.Helper()
	return b.follow(b.do("GET", start, nil))
}

func (b *browser) follow(p page) page {
	b.Helper()
	for range 10 {
		if p.location == "" && !strings.Contains(p.body, "<form") {
			return p
		}
		p = b.next(p)
	}
	b.Fatal("no end")
	return p
}

// the user that is signed in.
func (b *browser) who() string {
	b.Helper()
	name, _ := strings.CutPrefix(b.do("GET", "/", nil).body, "user=")
	return name
}

func (b *browser) signedInAs(name string) *browser {
	b.Helper()
	if p := b.do("POST", "/password/"+name, nil); p.status != 200 {
		b.Fatalf("got %+v, want 200", p)
	}
	return b
}

// wants checks a page of failure.
func (b *browser) wants(sentence string, p page, status int, reason string) {
	b.Helper()
	if p.status != status || p.reason() != reason {
		b.Errorf("%s: %d %q, want %d %q\n%s", sentence, p.status, p.reason(), status, reason, p.body)
	}
	if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") ||
		p.header.Get("Cache-Control") != "no-store" || p.header.Get("Referrer-Policy") != "same-origin" {
		b.Errorf("%s: %v", sentence, p.header)
	}
	if strings.Contains(p.body, "<b>") {
		b.Errorf("%s: not escaped: %s", sentence, p.body)
	}
}

func (a *app) identities(userID string) (subjects []string) {
	a.Helper()
	all, err := a.logins.Identities(a.Context(), userID)
	if err != nil {
		a.Fatal(err)
	}
	for _, each := range all {
		subjects = append(subjects, each.Subject)
	}
	slices.Sort(subjects)
	return subjects
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

var errDown = errors.New("store down")

func mustURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return u
}

func newJar() (http.CookieJar, error) { return cookiejar.New(nil) }

func base64url(text []byte) string { return base64.RawURLEncoding.EncodeToString(text) }
