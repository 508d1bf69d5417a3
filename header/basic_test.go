package header_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

var errWrong error = &auth.Error{Kind: auth.ErrInvalid, Detail: "Invalid username/password."}

// passwords is a Check that counts how often it is asked.
type passwords struct {
	people *people
	mu     sync.Mutex
	of     map[string]string
	asked  int
}

func newPasswords(p *people, pairs ...string) *passwords {
	checker := &passwords{people: p, of: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		checker.of[pairs[i]] = pairs[i+1]
	}
	return checker
}

func (c *passwords) Check(r *http.Request, username, password string) (auth.User, error) {
	c.mu.Lock()
	c.asked++
	want, ok := c.of[username]
	c.mu.Unlock()
	if !ok || password != want {
		return nil, errWrong
	}
	return c.people.Load(r.Context(), username)
}

// wantAsked fails the test unless Check was asked n times so far.
func (c *passwords) wantAsked(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked != n {
		t.Errorf("Check was asked %d times, want %d", c.asked, n)
	}
}

func newBasic(t testing.TB, config header.BasicConfig) *header.Basic {
	t.Helper()
	return must[*header.Basic](t)(header.NewBasic(config))
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// as is a request with these credentials.
func as(credentials string) *http.Request {
	return request(outside, "Authorization", "Basic "+encode(credentials))
}

func TestBasic(t *testing.T) {
	const (
		wrong    = "Invalid username/password."
		encoding = "Invalid basic header. Credentials not correctly base64 encoded."
	)
	tests := []struct {
		sentence, authorization string
		status                  int
		detail, userID          string
	}{
		{"username and password", "Basic " + encode("alice:secret"), 200, "", "alice"},
		{"the scheme in lower case", "basic " + encode("alice:secret"), 200, "", "alice"},
		{"the scheme in upper case", "BASIC " + encode("alice:secret"), 200, "", "alice"},
		{"spaces between scheme and credentials", "Basic \t " + encode("alice:secret"), 200, "", "alice"},
		{"UTF-8", "Basic " + encode("jürgen:grüße"), 200, "", "jürgen"},
		{"Latin-1", "Basic " + encode("j\xfcrgen:gr\xfc\xdfe"), 200, "", "jürgen"},
		{"colons in the password", "Basic " + encode("bob:a:b:"), 200, "", "bob"},
		{"a wrong password", "Basic " + encode("alice:Secret"), 401, wrong, ""},
		{"an unknown user", "Basic " + encode("mallory:secret"), 401, wrong, ""},
		{"no username", "Basic " + encode(":secret"), 401, wrong, ""},
		{"nothing after the scheme", "Basic", 401, "Invalid basic header. No credentials provided.", ""},
		{"a space inside", "Basic YWxp Y2U6", 401,
			"Invalid basic header. Credentials string should not contain spaces.", ""},
		{"no base64", "Basic =a=", 401, encoding, ""},
		{"bytes outside ASCII", "Basic \xff\xfe", 401, encoding, ""},
		{"no colon", "Basic " + encode("alice"), 401, encoding, ""},
		{"a NUL", "Basic " + encode("alice\x00:secret"), 401, encoding, ""},
		{"another scheme", "Digest " + encode("alice:secret"), 401,
			"The scheme of the Authorization header is not accepted here. See WWW-Authenticate.", ""},
		{"a colon behind the scheme", "Basic: " + encode("alice:secret"), 401,
			"Invalid basic header. A space must follow the scheme.", ""},
		{"an empty header", "", 401, "Authentication credentials were not provided.", ""},
		{"over 8 KiB", "Basic " + encode(strings.Repeat("a", auth.MaxAuthorization)), 400,
			"Authorization header is too long.", ""},
	}
	p := newPeople("alice", "bob", "jürgen")
	c := newPasswords(p, "alice", "secret", "bob", "a:b:", "jürgen", "grüße")
	guard := newGuard(t, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load}))
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			a := ask(t, guard.Require(), request(outside, "Authorization", tt.authorization))
			if a.status != tt.status || a.detail != tt.detail || a.userID != tt.userID {
				t.Errorf("%d %q, user %q; want %d %q, %q", a.status, a.detail, a.userID, tt.status,
					tt.detail, tt.userID)
			}
			// RFC 7617 has no error attribute.
			if want := `Basic realm="api", charset="UTF-8"`; a.status == 401 &&
				(len(a.challenges) != 2 || a.challenges[0] != want) {
				t.Errorf("challenges %q, want %q first", a.challenges, want)
			}
			if a.header.Get("Vary") != "Authorization" {
				t.Errorf("Vary: %q", a.header["Vary"])
			}
		})
	}
}

func TestWrongPasswordIsNotRescuedByAWeakerBackend(t *testing.T) {
	p := newPeople("alice")
	c := newPasswords(p, "alice", "secret")
	guard := newGuard(t, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load}), everybody)
	for name, middleware := range map[string]func(http.Handler) http.Handler{"Require": guard.Require(),
		"Optional": guard.Optional()} {
		for _, credentials := range []string{"alice:wrong", "mallory:secret", "no colon"} {
			if a := ask(t, middleware, as(credentials)); a.status != 401 || a.reached {
				t.Errorf("%s, %s: %d, reached %v", name, credentials, a.status, a.reached)
			}
		}
	}
}

func TestWhatCheckSaysIsTheAnswer(t *testing.T) {
	tests := []struct {
		sentence string
		err      error
		status   int
	}{
		{"too many tries", &auth.Error{Kind: auth.ErrThrottled, RetryAfter: 90 * time.Second}, 429},
		{"an outage", errors.New("connection refused to db.internal"), 503},
		{"an inactive user", auth.ErrUserInactive, 401},
		{"a presented password cannot be absent", auth.ErrNoCredentials, 503},
		{"nor unrecognized", fmt.Errorf("cache: %w", auth.ErrUnrecognized), 503},
		{"nor absent by a statement", &auth.Error{Kind: auth.ErrNoCredentials}, 503},
		{"neither user nor error is a bug", nil, 500},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			check := func(*http.Request, string, string) (auth.User, error) { return nil, tt.err }
			guard := newGuard(t, newBasic(t, header.BasicConfig{Check: check, LoadUser: newPeople().Load}), everybody)
			a := ask(t, guard.Optional(), as("alice:secret"))
			if a.status != tt.status || a.reached || strings.Contains(a.detail, "internal") {
				t.Errorf("%d %q, want %d", a.status, a.detail, tt.status)
			}
		})
	}
	for name, nobody := range map[string]auth.User{"a typed nil": (*user)(nil), "an empty identifier": &user{},
		"a machine's identifier": &user{id: "client:a"}} {
		t.Run(name+" is a bug every time", func(t *testing.T) {
			check := func(*http.Request, string, string) (auth.User, error) { return nobody, nil }
			guard := newGuard(t, newBasic(t, header.BasicConfig{Check: check, LoadUser: newPeople().Load}))
			for range 2 {
				if a := ask(t, guard.Require(), as("alice:secret")); a.status != 500 {
					t.Errorf("got status %d, want 500", a.status)
				}
			}
		})
	}
}

func TestSilentBasicHasNoChallengeThatBrowsersActOnButWorks(t *testing.T) {
	p := newPeople("alice")
	c := newPasswords(p, "alice", "secret")
	b := newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load, Silent: true})
	guard := newGuard(t, b)
	for _, r := range []*http.Request{request(outside), as("alice:wrong")} {
		if a := ask(t, guard.Require(), r); a.status != 401 || len(a.challenges) != 2 ||
			a.challenges[0] != `Form realm="api"` || a.challenges[1] != "Token" {
			t.Errorf("%d, challenges %q", a.status, a.challenges)
		}
	}
	if a := ask(t, guard.Require(), as("alice:secret")); a.userID != "alice" {
		t.Errorf("got status %d and user %q, want alice", a.status, a.userID)
	}
	alone := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{b}}))
	if a := ask(t, alone.Require(), request(outside)); a.status != 401 || len(a.challenges) != 1 ||
		a.challenges[0] != `Form realm="api"` {
		t.Errorf("the only backend: %d, challenges %q", a.status, a.challenges)
	}
}

func TestBasicFromAnotherOriginIsRefused(t *testing.T) {
	p := newPeople("alice")
	c := newPasswords(p, "alice", "secret")
	guard := newGuard(t, newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load}))
	for range 2 { // checked, and remembered
		r := as("alice:secret")
		r.Method = http.MethodPost
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := ask(t, guard.Optional(), r); a.status != 403 || a.reached {
			t.Errorf("from another origin: %d", a.status)
		}
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		if a := ask(t, guard.Optional(), r); a.status != 200 {
			t.Errorf("from its own: %d", a.status)
		}
	}
}

func TestBasicCredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeople("alice")
		c := newPasswords(p, "alice", "secret")
		b := newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load, Name: "ldap", Realm: `the "x"`})
		if got := b.Challenges()[0].String(); got != `Basic realm="the \"x\"", charset="UTF-8"` {
			t.Errorf("challenge %s", got)
		}
		guard := newGuard(t, b)
		checked := time.Now()
		for range 2 { // the second is remembered, and says when it was checked
			a := ask(t, guard.Require(), as("alice:secret"))
			got, ok := a.credential.(*header.BasicCredential)
			if !ok {
				t.Fatalf("%d, credential %T", a.status, a.credential)
			}
			info := got.AuthInfo()
			if got.Backend() != "ldap" || b.Backend() != "ldap" || !got.Primary() || !got.Ambient() || !b.Ambient() ||
				!info.AuthTime.Equal(checked) || len(info.AMR) != 1 || info.AMR[0] != "pwd" {
				t.Errorf("got %+v, %+v, want the instant of the check and pwd", got, info)
			}
			time.Sleep(30 * time.Second)
		}
		c.wantAsked(t, 1)
	})
}

func TestTwoBackendsOfBasicAreRefused(t *testing.T) {
	p := newPeople()
	c := newPasswords(p)
	one := newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load})
	other := newBasic(t, header.BasicConfig{Check: c.Check, LoadUser: p.Load, Name: "other"})
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{one, other}}); err == nil {
		t.Error("accepted")
	}
}

func TestNewBasicRefuses(t *testing.T) {
	p := newPeople()
	check := newPasswords(p).Check
	for sentence, config := range map[string]header.BasicConfig{
		"no Check":                            {LoadUser: p.Load},
		"remembering without a loader":        {Check: check},
		"remembering for more than a minute":  {Check: check, LoadUser: p.Load, Remember: time.Minute + 1},
		"a realm that no challenge can carry": {Check: check, LoadUser: p.Load, Realm: "a\r\nb"},
	} {
		if b, err := header.NewBasic(config); err == nil || b != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
	if _, err := header.NewBasic(header.BasicConfig{Check: check, Remember: -1}); err != nil {
		t.Errorf("without remembering no loader is needed: %v", err)
	}
}

func ExampleNewBasic() {
	users := newPeople("alice")
	logins := newPasswords(users, "alice", "correct horse") // a password.Authenticator in earnest
	basic, err := header.NewBasic(header.BasicConfig{Check: logins.Check, LoadUser: users.Load})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{basic}})
	if err != nil {
		panic(err)
	}
	hello := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFrom[*user](r.Context())
		_, _ = fmt.Fprint(w, "hello, ", u.UserID())
	}))
	for _, password := range []string{"correct horse", "battery staple"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("alice", password)
		w := httptest.NewRecorder()
		hello.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	// Output:
	// 200 hello, alice
	// 401 Basic realm="api", charset="UTF-8"
}
