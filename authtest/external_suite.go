package authtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

// externalSuite is a provider under test.
type externalSuite struct {
	cases       ExternalCases
	name        string
	oidc        *external.OIDC // one of these two
	plain       *external.OAuth2
	withoutPKCE bool
	person      Person
	before      int // requests to the token endpoint before this login
	faults      []string
}

// newExternalSuite also returns why the cases cannot be used, or "".
func newExternalSuite(cases ExternalCases) (*externalSuite, string) {
	if isNil(cases.Provider) || cases.At == nil {
		return nil, "Provider or At is nil"
	}
	s := &externalSuite{cases: cases, person: cases.Person}
	defined, err := cases.Provider.Define()
	switch {
	case err != nil:
		return nil, fmt.Sprintf("Provider.Define returned an error: %v", err)
	case isNil(defined):
		return nil, "Provider.Define returned no definition and no error"
	}
	switch d := defined.(type) {
	case external.OIDC:
		s.oidc = &d
	case *external.OIDC:
		s.oidc = d
	case external.OAuth2:
		s.plain = &d
	case *external.OAuth2:
		s.plain = d
	default:
		return nil, fmt.Sprintf("Provider.Define returned a %T, want an external.OIDC or external.OAuth2", defined)
	}
	if s.oidc != nil {
		s.name = s.oidc.Name
	} else {
		s.name, s.withoutPKCE = s.plain.Name, s.plain.Quirks.AllowWithoutPKCE
	}
	if s.person.Subject == "" {
		s.person = Person{Subject: "42", Name: "Ada Lovelace", Username: "ada", Email: "ada@example.com",
			EmailVerified: true, Tenant: s.person.Tenant}
	}
	return s, ""
}

func (s *externalSuite) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// show returns a profile for a comparison and for a failed test.
func show(p *external.Profile) string {
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// asked returns the requests to the token endpoint of this login.
func (s *externalSuite) asked() []TokenRequest { return s.cases.At.TokenRequests()[s.before:] }

// visit runs a login to its end.
func (s *externalSuite) visit(quirks Quirks) outcome {
	b := s.browser(quirks)
	defer b.close()
	return b.come(b.away(b.begin()))
}

// signedIn runs a login that must succeed. It returns nil if it does not.
func (s *externalSuite) signedIn(how string) *external.Profile {
	got := s.visit(Quirks{})
	if got.profile == nil {
		s.fault("a login%s: got %s, want somebody signed in", how, got)
	}
	return got.profile
}

// refused runs a login that must be refused, after at most so many requests to the token
// endpoint.
func (s *externalSuite) refused(sentence string, quirks Quirks, most int) {
	got := s.visit(quirks)
	if got.profile != nil || got.status < 400 || got.status >= 500 {
		s.fault("%s: got %s, want a refusal", sentence, got)
	}
	if n := len(s.asked()); n > most {
		s.fault("%s: the token endpoint was asked %d times, want at most %d", sentence, n, most)
	}
}

// outcome is how a login ended.
type outcome struct {
	status  int
	reason  string
	profile *external.Profile // nil if no user was signed in
	log     string
}

// String returns it for a failed test.
func (o outcome) String() string {
	if o.profile != nil {
		return "somebody signed in as " + o.profile.Subject
	}
	return fmt.Sprintf("status %d %q (log: %s)", o.status, o.reason, o.log)
}

// authorizationResponse is what a provider sends a browser back with.
type authorizationResponse struct {
	to   *url.URL
	form url.Values // nil for a redirect
}

// testBrowser is a browser with a service that it signs in to.
type testBrowser struct {
	suite  *externalSuite
	server *httptest.Server
	client *http.Client
	logins *external.Logins
	log    *syncBuffer
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	profile *external.Profile
	err     error
}

// syncBuffer is a log that many write to.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// browser starts a service and a browser.
func (s *externalSuite) browser(quirks Quirks) *testBrowser {
	s.cases.At.SignIn(s.person)
	s.cases.At.SetQuirks(quirks)
	s.before = len(s.cases.At.TokenRequests())
	mux := http.NewServeMux()
	b := &testBrowser{suite: s, log: &syncBuffer{}, server: httptest.NewTLSServer(mux)}
	b.ctx, b.cancel = context.WithTimeout(context.Background(), time.Minute)
	b.client = b.server.Client()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.client.Jar, b.err = cookiejar.New(nil)
	load := func(_ context.Context, id string) (auth.User, error) { return User(id), nil }
	logins, err := external.New(external.Config{
		Providers: []external.Provider{s.cases.Provider}, URL: b.server.URL, Store: external.NewMemoryStore(),
		Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}, LoadUser: load,
		Accounts: external.AccountConfig{NewUser: func(_ context.Context, p *external.Profile,
			_ string) (auth.User, error) {
			return User(p.Subject), nil
		}},
		SignIn: func(_ http.ResponseWriter, _ *http.Request, _ auth.User, login *external.Credential) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.profile = login.Profile
			return nil
		},
		Linking: external.LinkingConfig{Disabled: true}, Logger: slog.New(slog.NewTextHandler(b.log, nil)),
	})
	if err != nil {
		b.err = err
		return b
	}
	b.logins = logins
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{logins}})
	if err != nil {
		b.err = err
		return b
	}
	handlers, err := logins.Handlers(guard)
	if err != nil {
		b.err = err
		return b
	}
	handlers.Register(mux)
	return b
}

// close stops the service.
func (b *testBrowser) close() {
	if b.err != nil {
		b.suite.fault("the login cannot be tried: %v", b.err)
	}
	b.cancel()
	b.server.Close()
}

// received is an answer that was read. to is where it sends the browser, or nil.
type received struct {
	status int
	to     *url.URL
	body   string
}

// send sends a request, and reads its answer.
func (b *testBrowser) send(method string, to *url.URL, form url.Values) received {
	if b.err != nil {
		return received{}
	}
	r, err := http.NewRequestWithContext(b.ctx, method, to.String(), strings.NewReader(form.Encode()))
	if err != nil {
		b.err = err
		return received{}
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.suite.cases.At.URL())
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.err = err
		return received{}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		b.err = err
	}
	to, _ = answer.Location()
	return received{answer.StatusCode, to, string(body)}
}

// begin presses the button, and returns where the browser is sent to.
func (b *testBrowser) begin() *url.URL {
	start, err := url.Parse(b.server.URL + "/login/" + b.suite.name + "/")
	if err != nil {
		b.err = err
		return &url.URL{}
	}
	answer := b.send(http.MethodGet, start, nil)
	if answer.to != nil {
		return answer.to
	}
	if b.err == nil {
		b.err = fmt.Errorf("the start of a login answered %d: %s: %s", answer.status, answer.body, b.log)
	}
	return &url.URL{}
}

var (
	formAction = regexp.MustCompile(`action="([^"]*)"`)
	formInput  = regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`)
)

// away is at the provider, and returns what it sends the browser back with.
func (b *testBrowser) away(to *url.URL) authorizationResponse {
	answer := b.send(http.MethodGet, to, nil)
	if answer.to != nil {
		return authorizationResponse{to: answer.to}
	}
	action := formAction.FindStringSubmatch(answer.body)
	if action == nil {
		if b.err == nil {
			b.err = fmt.Errorf("the provider answered %d: %s", answer.status, answer.body)
		}
		return authorizationResponse{to: &url.URL{}}
	}
	back, err := url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.err = err
		back = &url.URL{}
	}
	form := url.Values{}
	for _, input := range formInput.FindAllStringSubmatch(answer.body, -1) {
		form.Add(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	return authorizationResponse{back, form}
}

// here is a place of another browser's service at this one's.
func (b *testBrowser) here(to *url.URL) *url.URL {
	own, err := url.Parse(b.server.URL)
	if err != nil {
		return to
	}
	moved := *to
	moved.Host = own.Host
	return &moved
}

// come comes back from the provider.
func (b *testBrowser) come(back authorizationResponse) outcome {
	method := http.MethodGet
	if back.form != nil {
		method = http.MethodPost
	}
	b.mu.Lock()
	b.profile = nil
	b.mu.Unlock()
	answer := b.send(method, back.to, back.form)
	if answer.to != nil && back.form != nil && answer.to.Path == back.to.Path {
		answer = b.send(http.MethodGet, answer.to, nil) // the answer of a form comes back by a GET of our own
	}
	got := outcome{status: answer.status, log: b.log.String()}
	if found := dataReason.FindStringSubmatch(answer.body); found != nil {
		got.reason = found[1]
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	got.profile = b.profile
	return got
}

var dataReason = regexp.MustCompile(`data-reason="([a-z_]+)"`)
