package header_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// grouped is a configuration with groups, of people that may be changed.
func grouped(p *people) header.Config {
	return header.Config{Header: "X-Forwarded-User", Groups: "x-forwarded-groups", LoadUser: p.Load, Trust: proxy}
}

func newGrouped(t testing.TB, config header.Config) *header.Header {
	t.Helper()
	return must[*header.Header](t)(header.New(config))
}

func TestGroups(t *testing.T) {
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat("g,", n), ",") }
	tests := []struct {
		sentence string
		lines    []string
		status   int
		groups   []string
	}{
		{"one group", []string{"admins"}, 200, []string{"admins"}},
		{"several, in the sender's order", []string{"staff,admins"}, 200, []string{"staff", "admins"}},
		{"spaces around them are not of them", []string{" staff ,\tadmins "}, 200, []string{"staff", "admins"}},
		{"spaces inside are", []string{"Domain Admins"}, 200, []string{"Domain Admins"}},
		{"several lines are one list", []string{"staff", "admins, ops"}, 200, []string{"staff", "admins", "ops"}},
		{"empty elements are none", []string{",,staff,", "", " , "}, 200, []string{"staff"}},
		{"an empty line is no group", []string{""}, 200, nil},
		{"no line is no group", nil, 200, nil},
		{"UTF-8", []string{"Geschäftsführung"}, 200, []string{"Geschäftsführung"}},
		{"case is kept", []string{"Admins"}, 200, []string{"Admins"}},
		{"256 are not too many", []string{many(256)}, 200, slices.Repeat([]string{"g"}, 256)},
		{"257 are refused", []string{many(257)}, 400, nil},
		{"257 on several lines are refused", []string{many(200), many(57)}, 400, nil},
		{"8 KiB are not too long", []string{strings.Repeat("g", 8<<10)}, 200, []string{strings.Repeat("g", 8<<10)}},
		{"a byte more is refused", []string{strings.Repeat("g", 8<<10+1)}, 400, nil},
		{"a byte more on several lines is refused", []string{strings.Repeat("g", 8<<10), "g"}, 400, nil},
		{"what is not UTF-8 is refused", []string{"staff,adm\xffins"}, 400, nil},
		{"a NUL is refused", []string{"staff\x00,admins"}, 400, nil},
		{"a line break is refused", []string{"staff\nadmins"}, 400, nil},
	}
	guard := newGuard(t, newGrouped(t, grouped(newPeople("alice"))))
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			r := request(inside, "X-Forwarded-User", "alice")
			r.Header["X-Forwarded-Groups"] = tt.lines
			a := ask(t, guard.Require(), r)
			if a.status != tt.status || a.status == 400 && a.detail != "Malformed X-Forwarded-Groups header." {
				t.Fatalf("%d %q, want %d", a.status, a.detail, tt.status)
			}
			if a.status != 200 {
				return
			}
			if got := a.credential.(header.Credential).Groups(); !slices.Equal(got, tt.groups) ||
				(got == nil) != (tt.groups == nil) {
				t.Errorf("groups %q, want %q", got, tt.groups)
			}
			if a.seen["X-Forwarded-Groups"] != nil {
				t.Error("the handler saw the header")
			}
			if a.header.Get("Vary") != "X-Forwarded-Groups, X-Forwarded-User" {
				t.Errorf("Vary: %q", a.header["Vary"])
			}
		})
	}
}

func TestGroupsOfWhoIsNotTrusted(t *testing.T) {
	guard := newGuard(t, newGrouped(t, grouped(newPeople("alice"))))
	for sentence, headers := range map[string][]string{
		"groups from elsewhere":              {"X-Forwarded-User", "alice", "X-Forwarded-Groups", "admins"},
		"malformed groups from elsewhere":    {"X-Forwarded-User", "alice", "X-Forwarded-Groups", "\x00"},
		"the twin with an underscore":        {"X_Forwarded_Groups", "admins", "X_FORWARDED_GROUPS", "admins"},
		"groups of nobody, from elsewhere":   {"X-Forwarded-Groups", "admins"},
		"groups in another case, from there": {"x-forwarded-groups", "admins"},
	} {
		t.Run(sentence, func(t *testing.T) {
			a := ask(t, guard.Optional(), request(outside, headers...))
			if !a.reached || a.userID != "" || len(a.seen) != 0 {
				t.Errorf("%d, user %q, the handler saw %v", a.status, a.userID, a.seen)
			}
		})
	}
	t.Run("groups without a user are nobody", func(t *testing.T) {
		a := ask(t, guard.Optional(), request(inside, "X-Forwarded-Groups", "admins"))
		if !a.reached || a.userID != "" || a.seen["X-Forwarded-Groups"] != nil {
			t.Errorf("%d, user %q, the handler saw %v", a.status, a.userID, a.seen)
		}
	})
	t.Run("the twin with an underscore is never read", func(t *testing.T) {
		a := ask(t, guard.Require(), request(inside, "X-Forwarded-User", "alice", "X_Forwarded_Groups", "admins"))
		if c, ok := a.credential.(header.Credential); !ok || c.Groups() != nil || len(a.seen) != 0 {
			t.Errorf("%d, %v, the handler saw %v", a.status, a.credential, a.seen)
		}
	})
	t.Run("a header that is not configured is not read", func(t *testing.T) {
		guard := newGuard(t, newHeader(t, newPeople("alice"), proxy))
		a := ask(t, guard.Require(), request(inside, "X-Username", "alice", "X-Forwarded-Groups", "admins"))
		if c, ok := a.credential.(header.Credential); !ok || c.Groups() != nil {
			t.Errorf("got %d, %v, want a Credential without groups", a.status, a.credential)
		}
	})
}

func TestCredentialsCompareAndKeepTheirGroups(t *testing.T) {
	h := newGrouped(t, grouped(newPeople("alice")))
	prove := func(groups string) auth.Credential {
		_, c, err := h.Authenticate(request(inside, "X-Forwarded-User", "alice", "X-Forwarded-Groups", groups))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := prove("staff, admins")
	if a != prove("staff,admins") || a == prove("staff") {
		t.Error("credentials are not equal by what they say")
	}
	c := a.(header.Credential)
	c.Groups()[0] = "root"
	if got := c.Groups(); got[0] != "staff" {
		t.Errorf("a caller changed the groups to %q", got)
	}
}

func TestClean(t *testing.T) {
	asked := ""
	people := newPeople("alice", "alice@other.example")
	config := grouped(people)
	config.LoadUser = func(ctx context.Context, id string) (auth.User, error) {
		asked = id
		return people.Load(ctx, id)
	}
	config.Clean = func(id string) string {
		name, ours := strings.CutSuffix(id, "@corp.example")
		if !ours {
			return ""
		}
		return name
	}
	tests := []struct {
		sentence, value string
		status          int
		userID, asked   string
	}{
		{"the cleaned identifier is loaded", "alice@corp.example", 200, "alice", "alice"},
		{"an unknown one is nobody", "mallory@corp.example", 401, "", "mallory"},
		{"another domain is nobody, and not looked up", "alice@other.example", 401, "", ""},
		{"what is cleaned away is nobody", "@corp.example", 401, "", ""},
		{"what is cleaned to a machine is nobody", "client:a@corp.example", 401, "", ""},
	}
	for _, create := range []bool{false, true} {
		if create { // the same users are refused
			config.Create = func(_ context.Context, id string, _ []string) (auth.User, error) {
				if id != "mallory" {
					t.Errorf("%q was to be created", id)
				}
				return nil, auth.ErrUserNotFound
			}
		}
		guard := newGuard(t, newGrouped(t, config), everybody)
		for _, tt := range tests {
			t.Run(tt.sentence, func(t *testing.T) {
				asked = ""
				a := ask(t, guard.Optional(), request(inside, "X-Forwarded-User", tt.value))
				if a.status != tt.status || a.userID != tt.userID || asked != tt.asked || a.status == 401 &&
					a.detail != "No such user" {
					t.Errorf("%d %q, user %q, looked up %q", a.status, a.detail, a.userID, asked)
				}
			})
		}
	}
}

func TestCreate(t *testing.T) {
	outage := errors.New("connection refused to db.internal")
	tests := []struct {
		sentence string
		loader   error // of LoadUser
		returned auth.User
		err      error // of Create
		asked    bool
		status   int
		detail   string
	}{
		{"an unknown user is created", auth.ErrUserNotFound, &user{id: "alice"}, nil, true, 200, ""},
		{"an unknown user, with a cause, is created", fmt.Errorf("row: %w", auth.ErrUserNotFound), &user{id: "alice"},
			nil, true, 200, ""},
		{"an inactive user is not", auth.ErrUserInactive, &user{id: "alice"}, nil, false, 401,
			"User inactive or deleted."},
		{"one both unknown and inactive is not", errors.Join(auth.ErrUserNotFound, auth.ErrUserInactive),
			&user{id: "alice"}, nil, false, 401, "User inactive or deleted."},
		{"an outage creates nobody", outage, &user{id: "alice"}, nil, false, 503, ""},
		{"nor one that wraps the unknown user", &auth.Error{Cause: auth.ErrUserNotFound}, &user{id: "alice"}, nil,
			false, 503, ""},
		{"nor a loader that calls the user absent", auth.ErrNoCredentials, &user{id: "alice"}, nil, false, 503, ""},
		{"creating may be declined", auth.ErrUserNotFound, nil, auth.ErrUserNotFound, true, 401, "No such user"},
		{"the one created may be inactive", auth.ErrUserNotFound, nil, auth.ErrUserInactive, true, 401,
			"User inactive or deleted."},
		{"creating may fail", auth.ErrUserNotFound, nil, outage, true, 503, ""},
		{"creating cannot make the request anonymous", auth.ErrUserNotFound, nil, auth.ErrNoCredentials, true, 503, ""},
		{"nor pass it to another backend", auth.ErrUserNotFound, nil, auth.ErrUnrecognized, true, 503, ""},
		{"neither user nor error is a bug", auth.ErrUserNotFound, nil, nil, true, 500, ""},
		{"a typed nil is a bug", auth.ErrUserNotFound, (*user)(nil), nil, true, 500, ""},
		{"a user without an identifier is a bug", auth.ErrUserNotFound, &user{}, nil, true, 500, ""},
		{"a machine is a bug", auth.ErrUserNotFound, auth.Machine{ID: "a"}, nil, true, 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			asked := false
			config := grouped(nil)
			config.LoadUser = func(context.Context, string) (auth.User, error) { return nil, tt.loader }
			config.Create = func(_ context.Context, id string, groups []string) (auth.User, error) {
				asked = true
				if id != "alice" || !slices.Equal(groups, []string{"staff", "ops"}) {
					t.Errorf("asked for %q in %q", id, groups)
				}
				return tt.returned, tt.err
			}
			guard := newGuard(t, newGrouped(t, config), everybody)
			a := ask(t, guard.Optional(), request(inside, "X-Forwarded-User", "alice", "X-Forwarded-Groups",
				"staff,ops"))
			if a.status != tt.status || asked != tt.asked || tt.detail != "" && a.detail != tt.detail ||
				a.reached != (tt.status == 200) {
				t.Errorf("%d %q, asked %v; want %d %q, %v", a.status, a.detail, asked, tt.status, tt.detail, tt.asked)
			}
			if a.reached && a.userID != "alice" {
				t.Errorf("let in as %q", a.userID)
			}
		})
	}
}

func TestNobodyIsCreatedBeforeTrustHolds(t *testing.T) {
	config := grouped(newPeople())
	config.Create = func(_ context.Context, id string, _ []string) (auth.User, error) {
		t.Errorf("%q was to be created", id)
		return plainUser(id), nil
	}
	guard := newGuard(t, newGrouped(t, config))
	for sentence, r := range map[string]*http.Request{
		"from elsewhere":            request(outside, "X-Forwarded-User", "alice"),
		"without a name":            request(inside, "X-Forwarded-User", " "),
		"two names":                 request(inside, "X-Forwarded-User", "alice", "X-Forwarded-User", "bob"),
		"a malformed name":          request(inside, "X-Forwarded-User", "a\x00"),
		"malformed groups":          request(inside, "X-Forwarded-User", "alice", "X-Forwarded-Groups", "\xff"),
		"a machine's identifier":    request(inside, "X-Forwarded-User", "client:alice"),
		"another's Authorization":   request(inside, "Authorization", "Token a"),
		"a name of over 256 bytes ": request(inside, "X-Forwarded-User", strings.Repeat("n", 257)),
	} {
		if a := ask(t, guard.Require(), r); a.reached {
			t.Errorf("%s: let in as %q", sentence, a.userID)
		}
	}
}

func TestFirstRequestsAtOnceAreOneUser(t *testing.T) {
	p := newPeople()
	config := grouped(p)
	config.Create = func(_ context.Context, id string, _ []string) (auth.User, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.byID[id] == nil { // insert … on conflict do nothing
			p.byID[id] = &user{id: id}
		}
		return p.byID[id], nil
	}
	guard := newGuard(t, newGrouped(t, config))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if a := ask(t, guard.Require(), request(inside, "X-Forwarded-User", "alice")); a.userID != "alice" {
				t.Errorf("got %d %q, want the user alice", a.status, a.detail)
			}
		})
	}
	wg.Wait()
	if len(p.byID) != 1 {
		t.Errorf("%d users", len(p.byID))
	}
}

func TestNewRefusesHeadersThatAreNotItsOwn(t *testing.T) {
	for _, name := range []string{"Authorization", "cookie", "Host", "Connection", "keep-alive", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade",
		"Proxy-Authorization", "Content-Length", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
		"Forwarded", "Origin",
		"Sec-Fetch-Site", "X Groups", "X_Groups", "X-Groups:", "X-Grüppen"} {
		for sentence, change := range map[string]func(*header.Config){
			"as Header": func(c *header.Config) { c.Header = name },
			"as Groups": func(c *header.Config) { c.Groups = name },
			"as SecretHeader": func(c *header.Config) {
				c.Trust.SecretHeader, c.Trust.Secret = name, secret
			},
		} {
			config := grouped(newPeople())
			change(&config)
			if h, err := header.New(config); err == nil || h != nil {
				t.Errorf("%s %s: accepted", name, sentence)
			}
		}
	}
	for sentence, change := range map[string]func(*header.Config){
		"groups in the user's header": func(c *header.Config) { c.Groups = "x-forwarded-user" },
		"the secret in the groups": func(c *header.Config) {
			c.Trust = header.Trust{SecretHeader: "X-forwarded-groups", Secret: secret}
		},
		"groups without trust": func(c *header.Config) { c.Trust = header.Trust{} },
	} {
		config := grouped(newPeople())
		change(&config)
		if h, err := header.New(config); err == nil || h != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
}

// Behind oauth2-proxy: users appear with their first login, and a policy looks
// at their groups.
func ExampleNew_oauth2Proxy() {
	users := newPeople()
	remote, err := header.New(header.Config{
		Header: "X-Forwarded-Email",
		Groups: "X-Forwarded-Groups",
		Clean: func(id string) string {
			name, ours := strings.CutSuffix(id, "@corp.example")
			if !ours {
				return "" // nobody
			}
			return name
		},
		LoadUser: users.Load,
		Create: func(_ context.Context, id string, groups []string) (auth.User, error) {
			fmt.Println("creating", id, "of", groups)
			users.set(func(p *people) { p.byID[id] = &user{id: id} })
			return users.byID[id], nil
		},
		Trust: header.Trust{
			Proxies:      []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")},
			SecretHeader: "X-Proxy-Secret",
			Secret:       "read this from a file",
		},
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
	admins := func(_ *http.Request, _ auth.User, c auth.Credential) error {
		if c, ok := c.(header.Credential); ok && slices.Contains(c.Groups(), "admins") {
			return nil
		}
		return auth.ErrInsufficient
	}
	page := guard.Require(admins)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFrom[*user](r.Context())
		fmt.Println("hello,", u.UserID())
	}))
	for _, groups := range []string{"staff,admins", "staff"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.7:4711"
		r.Header.Set("X-Forwarded-Email", "alice@corp.example")
		r.Header.Set("X-Forwarded-Groups", groups)
		r.Header.Set("X-Proxy-Secret", "read this from a file")
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// creating alice of [staff admins]
	// hello, alice
	// 200
	// 403
}
