package header_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

const (
	inside  = "10.0.0.7:4711"
	outside = "203.0.113.9:4711"
)

func newHeader(t testing.TB, p *people, trust header.Trust) *header.Header {
	t.Helper()
	return must[*header.Header](t)(header.New(header.Config{Header: "X-Username", LoadUser: p.Load, Trust: trust}))
}

func TestHeader(t *testing.T) {
	const noCredentials = "Authentication credentials were not provided."
	tests := []struct {
		sentence string
		peer     string
		headers  []string
		status   int
		detail   string
		userID   string
	}{
		{"honoured from a trusted proxy", inside, []string{"X-Username", "alice"}, 200, "", "alice"},
		{"honoured from a trusted proxy that speaks IPv4 over IPv6", "[::ffff:10.0.0.7]:1",
			[]string{"X-Username", "alice"}, 200, "", "alice"},
		{"spaces around the value are not of it", inside, []string{"X-Username", " alice\t"}, 200, "", "alice"},
		{"a name of 256 bytes is not too long", inside, []string{"X-Username", strings.Repeat("n", 256)}, 401,
			"No such user", ""},
		{"ignored from elsewhere", outside, []string{"X-Username", "alice"}, 401, noCredentials, ""},
		{"ignored from elsewhere, whatever X-Forwarded-For claims", outside,
			[]string{"X-Username", "alice", "X-Forwarded-For", "10.0.0.7"}, 401, noCredentials, ""},
		{"ignored from a sender without an address", "@", []string{"X-Username", "alice"}, 401, noCredentials, ""},
		{"ignored from elsewhere, two lines too", outside, []string{"X-Username", "alice", "X-Username", "bob"}, 401,
			noCredentials, ""},
		{"absent is no credential", inside, nil, 401, noCredentials, ""},
		{"empty is no credential", inside, []string{"X-Username", " "}, 401, noCredentials, ""},
		{"the twin with an underscore is never read", inside, []string{"X_username", "alice", "X_Username", "alice"},
			401, noCredentials, ""},
		{"two lines are refused", inside, []string{"X-Username", "alice", "X-Username", "alice"}, 400,
			"More than one X-Username header.", ""},
		{"two lines are refused, empty ones too", inside, []string{"X-Username", "", "X-Username", "alice"}, 400,
			"More than one X-Username header.", ""},
		{"257 bytes are refused", inside, []string{"X-Username", strings.Repeat("n", 257)}, 400,
			"Malformed X-Username header.", ""},
		{"what is not UTF-8 is refused", inside, []string{"X-Username", "al\xffice"}, 400,
			"Malformed X-Username header.", ""},
		{"a NUL is refused", inside, []string{"X-Username", "alice\x00"}, 400, "Malformed X-Username header.", ""},
		{"a line break is refused", inside, []string{"X-Username", "alice\nbob"}, 400,
			"Malformed X-Username header.", ""},
		{"an unknown user is refused", inside, []string{"X-Username", "mallory"}, 401, "No such user", ""},
		{"two names that a proxy joined are one unknown user", inside, []string{"X-Username", "bob, alice"}, 401,
			"No such user", ""},
		{"a machine's identifier is no user", inside, []string{"X-Username", "client:alice"}, 401, "No such user", ""},
		{"an inactive user is refused", inside, []string{"X-Username", "carol"}, 401, "User inactive or deleted.", ""},
		{"a second Authorization line is refused", inside, []string{"X-Username", "alice", "Authorization", "Token a",
			"Authorization", "Token b"}, 400, "More than one Authorization header.", ""},
	}
	p := newPeople("alice")
	p.failed["carol"] = auth.ErrUserInactive
	guard := newGuard(t, newHeader(t, p, proxy))
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			a := ask(t, guard.Require(), request(tt.peer, tt.headers...))
			if a.status != tt.status || a.detail != tt.detail || a.userID != tt.userID {
				t.Errorf("%d %q, user %q; want %d %q, %q", a.status, a.detail, a.userID, tt.status,
					tt.detail, tt.userID)
			}
			if a.status == 401 && len(a.challenges) != 1 {
				t.Errorf("challenges %q, want that of the other backend", a.challenges)
			}
			if !strings.Contains(a.header.Get("Vary"), "X-Username") {
				t.Errorf("Vary: %q", a.header["Vary"])
			}
		})
	}
}

func TestUnknownUserIsNotRescuedByAWeakerBackend(t *testing.T) {
	guard := newGuard(t, newHeader(t, newPeople(), proxy), everybody)
	for name, middleware := range map[string]func(http.Handler) http.Handler{"Require": guard.Require(),
		"Optional": guard.Optional()} {
		if a := ask(t, middleware, request(inside, "X-Username", "mallory")); a.status != 401 || a.reached {
			t.Errorf("%s: %d, reached %v", name, a.status, a.reached)
		}
	}
}

func TestLoaderThatIsDownIs503AndTellsNothing(t *testing.T) {
	p := newPeople("alice")
	p.down = errors.New("password authentication failed for user admin")
	guard := newGuard(t, newHeader(t, p, proxy))
	for name, middleware := range map[string]func(http.Handler) http.Handler{"Require": guard.Require(),
		"Optional": guard.Optional()} {
		a := ask(t, middleware, request(inside, "X-Username", "alice"))
		if a.status != 503 || a.reached || a.header.Get("Retry-After") == "" ||
			a.detail != "Authentication is temporarily unavailable." {
			t.Errorf("%s: %d %q, reached %v", name, a.status, a.detail, a.reached)
		}
	}
	p.down = auth.ErrNoCredentials // a loader cannot make a request anonymous
	if a := ask(t, guard.Optional(), request(inside, "X-Username", "alice")); a.status != 503 {
		t.Errorf("a loader that says ErrNoCredentials: %d", a.status)
	}
}

func TestUnknownUserKeepsItsCause(t *testing.T) {
	_, _, err := newHeader(t, newPeople(), proxy).Authenticate(request(inside, "X-Username", "mallory"))
	if auth.KindOf(err) != auth.ErrInvalid || !errors.Is(err, auth.ErrUserNotFound) {
		t.Errorf("error %v", err)
	}
}

// A handler must never see the header, from any sender and in any spelling.
func TestHeaderNeverReachesAHandler(t *testing.T) {
	p := newPeople("alice")
	trust := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	remote := newHeader(t, p, trust)
	token := auth.AuthenticatorFunc(func(r *http.Request) (auth.User, auth.Credential, error) {
		if r.Header.Get("Authorization") == "" {
			return nil, nil, auth.ErrNoCredentials
		}
		return plainUser("tom"), nil, nil
	})
	guard := newGuard(t, token, remote)

	mux := http.NewServeMux()
	var next http.Handler
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
	open := func(h http.Handler) http.Handler {
		next = h
		return guard.Protect(mux, auth.Open("/"))
	}

	forged := []string{"X-Username", "alice", "x-username", "alice", "X_username", "alice", "X_USERNAME", "alice",
		"X-Proxy-Secret", "wrong, but sixteen bytes", "x_proxy_secret", secret, "X-Other", "kept"}
	tests := []struct {
		sentence   string
		middleware func(http.Handler) http.Handler
		more       []string
		userID     string
	}{
		{"when another backend proves", guard.Require(), []string{"Authorization", "Token a"}, "tom"},
		{"when another backend proves an optional route", guard.Optional(),
			[]string{"Authorization", "Token a"}, "tom"},
		{"when the request is anonymous", guard.Optional(), nil, ""},
		{"when the route is open", open, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			r := request(outside, append(tt.more, forged...)...)
			a := ask(t, tt.middleware, r)
			if !a.reached || a.userID != tt.userID {
				t.Fatalf("status %d, user %q", a.status, a.userID)
			}
			for name := range a.seen {
				if strings.Contains(strings.ToLower(name), "user") ||
					strings.Contains(strings.ToLower(name), "secret") {
					t.Errorf("the handler saw %s", name)
				}
			}
			if a.seen.Get("X-Other") != "kept" {
				t.Error("another header was taken")
			}
			if r.Header.Get("X-Username") != "alice" {
				t.Error("the request itself was changed")
			}
		})
	}
	t.Run("when it proved the request", func(t *testing.T) {
		a := ask(t, guard.Require(), request(outside, "X-Username", "alice", "X-Proxy-Secret", secret))
		if a.userID != "alice" || a.seen["X-Username"] != nil || a.seen["X-Proxy-Secret"] != nil {
			t.Errorf("user %q, headers %v", a.userID, a.seen)
		}
	})
}

func TestHeaderFromAnotherOriginIsRefused(t *testing.T) {
	guard := newGuard(t, newHeader(t, newPeople("alice"), proxy))
	for method, status := range map[string]int{http.MethodPost: 403, http.MethodGet: 200} {
		r := request(inside, "X-Username", "alice", "Sec-Fetch-Site", "cross-site")
		r.Method = method
		if a := ask(t, guard.Optional(), r); a.status != status {
			t.Errorf("%s: %d, want %d", method, a.status, status)
		}
	}
}

func TestHeaderCredential(t *testing.T) {
	h := must[*header.Header](t)(
		header.New(header.Config{Header: "x-remote-user", LoadUser: newPeople("alice").Load, Trust: proxy,
			Name: "sso"}))
	guard := newGuard(t, h)
	a := ask(t, guard.Require(), request(inside, "X-Remote-User", "alice"))
	c, ok := a.credential.(header.Credential)
	if !ok {
		t.Fatalf("%d, credential %T", a.status, a.credential)
	}
	if c.Backend() != "sso" || h.Backend() != "sso" || !c.Primary() || !c.Ambient() || !h.Ambient() ||
		!c.AuthInfo().AuthTime.IsZero() {
		t.Errorf("got %+v, want sso, primary, ambient and no AuthTime", c)
	}
	if a := ask(t, guard.Require(auth.Fresh(time.Hour)), request(inside, "X-Remote-User", "alice")); a.status != 401 {
		t.Errorf("Fresh: %d; nobody knows when the proxy asked for a password", a.status)
	}
}

func TestNewRefuses(t *testing.T) {
	load := newPeople().Load
	prefixes := func(s ...string) header.Trust {
		var trust header.Trust
		for _, p := range s {
			trust.Proxies = append(trust.Proxies, netip.MustParsePrefix(p))
		}
		return trust
	}
	tests := []struct {
		sentence string
		config   header.Config
	}{
		{"no header", header.Config{LoadUser: load, Trust: proxy}},
		{"a header that is no field name", header.Config{Header: "X Username", LoadUser: load, Trust: proxy}},
		{"a header outside ASCII", header.Config{Header: "X-Üser", LoadUser: load, Trust: proxy}},
		{"a header with a colon", header.Config{Header: "X-Username:", LoadUser: load, Trust: proxy}},
		{"Authorization", header.Config{Header: "authorization", LoadUser: load, Trust: proxy}},
		{"Cookie", header.Config{Header: "Cookie", LoadUser: load, Trust: proxy}},
		{"Host", header.Config{Header: "Host", LoadUser: load, Trust: proxy}},
		{"no loader", header.Config{Header: "X-Username", Trust: proxy}},
		{"no trust", header.Config{Header: "X-Username", LoadUser: load}},
		{"an empty list of proxies alone", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{Proxies: []netip.Prefix{}}}},
		{"an invalid prefix", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{Proxies: make([]netip.Prefix, 1)}}},
		{"every IPv4 address", header.Config{Header: "X-Username", LoadUser: load,
			Trust: prefixes("10.0.0.0/8", "0.0.0.0/0")}},
		{"every IPv6 address", header.Config{Header: "X-Username", LoadUser: load, Trust: prefixes("::/0")}},
		{"every IPv4 address written as IPv6", header.Config{Header: "X-Username", LoadUser: load,
			Trust: prefixes("::ffff:0.0.0.0/96")}},
		{"every address, with a secret besides", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{Proxies: prefixes("0.0.0.0/0").Proxies, SecretHeader: "X-Proxy-Secret",
				Secret: secret}}},
		{"a secret header without a secret", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X-Proxy-Secret"}}},
		{"a secret without a header", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{Secret: secret}}},
		{"a secret of 15 bytes", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: "123456789abcdef"}}},
		{"a secret of over 1 KiB", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: auth.Secret(strings.Repeat("s", 1025))}}},
		{"a secret that no header can carry", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret + "\n"}}},
		{"a secret header that is no field name", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X Secret", Secret: secret}}},
		{"a secret in Authorization", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "Authorization", Secret: secret}}},
		{"the secret in the header itself", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "x-username", Secret: secret}}},
		{"the secret in the header's twin", header.Config{Header: "X-Username", LoadUser: load,
			Trust: header.Trust{SecretHeader: "X_Username", Secret: secret}}},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			h, err := header.New(tt.config)
			if err == nil || h != nil {
				t.Fatal("accepted")
			}
			if s := tt.config.Trust.Secret.Reveal(); s != "" && strings.Contains(err.Error(), s) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func ExampleNew() {
	users := newPeople("alice")
	remote, err := header.New(header.Config{
		Header:   "X-Username",
		LoadUser: users.Load,
		Trust:    header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}},
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{remote},
		Challenges: []auth.Challenge{{Scheme: "Token"}}, // of the token backend one has besides
	})
	if err != nil {
		panic(err)
	}
	hello := guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, ok := auth.UserFrom[*user](r.Context()); ok {
			fmt.Println("hello,", u.UserID())
		} else {
			fmt.Println("hello, stranger")
		}
	}))
	for _, peer := range []string{"10.0.0.7:4711", "203.0.113.9:4711"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Username", "alice")
		hello.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// hello, alice
	// hello, stranger
}

// numbered is a user with an identifier that is not the name in the header.
type numbered string

func (n numbered) UserID() string { return string(n) }

func TestUnitAHeaderUserThatIsForgottenByTheUserIDIsLoadedAgain(t *testing.T) {
	off := false
	users := auth.CacheUsers(func(context.Context, string) (auth.User, error) {
		if off {
			return nil, auth.ErrUserInactive
		}
		return numbered("42"), nil
	}, auth.UserCache{TTL: time.Hour})
	h, err := header.New(header.Config{Header: "X-Remote-User", LoadUser: users.Load,
		Trust: header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Remote-User", "alice@example.com")
	u, _, err := h.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	off = true
	users.Forget(u.UserID())
	if _, _, err := h.Authenticate(r); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("got %v, want that the disabled user is out", err)
	}
}
