package password_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

type user string

func (u user) UserID() string { return string(u) }

// find knows alice with the password "password", carol, an inactive user that
// has the same, and nopass without a password.
func find(_ context.Context, username string) (auth.User, string, error) {
	switch username {
	case "alice", "älice":
		return user(username), cheap, nil
	case "carol":
		return user("carol"), cheap, auth.ErrUserInactive
	case "gone":
		return nil, "", auth.ErrUserInactive
	case "nopass":
		return user("nopass"), "!unusable", nil
	}
	return nil, "", auth.ErrUserNotFound
}

// newLogin returns a Login with hashes that cost nothing, as all users' do.
func newLogin(t testing.TB, change func(*password.Config)) *password.Authenticator {
	t.Helper()
	config := password.Config{Hasher: newHasher(t, password.HasherConfig{}), Account: find, Decoy: cheap}
	if change != nil {
		change(&config)
	}
	l, err := password.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", "/login/", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func byBasic(username, password string) *http.Request {
	r := httptest.NewRequest("POST", "/login/", nil)
	r.SetBasicAuth(username, password)
	return r
}

// detail returns what a client is told of err.
func detail(err error) string {
	var stated *auth.Error
	if errors.As(err, &stated) {
		return stated.Detail
	}
	return ""
}

func TestCarriersOfALogin(t *testing.T) {
	l := newLogin(t, func(c *password.Config) { c.AllowUnthrottled = true })
	bearer := post(typeJSON, `{"username":"alice","password":"password"}`)
	bearer.Header.Set("Authorization", "Bearer x")
	get := post(typeForm, "username=alice&password=password")
	get.Method = "GET"
	twoTypes := post(typeJSON, `{"username":"alice","password":"password"}`)
	twoTypes.Header.Add("Content-Type", typeForm)
	basicFirst := post(typeJSON, `{"username":"alice","password":"password"}`)
	basicFirst.SetBasicAuth("alice", "wrong")
	twoLines := byBasic("alice", "password")
	twoLines.Header.Add("Authorization", "Basic x")
	for _, row := range []struct {
		name string
		r    *http.Request
		want error
	}{
		{"JSON", post(typeJSON, `{"username":"alice","password":"password"}`), nil},
		{"JSON with other members",
			post(typeJSON, `{"name":{"username":"x"},"password":"password","username":"alice","n":[1]}`), nil},
		{"JSON with a charset", post("Application/JSON; charset=UTF-8", `{"username":"alice","password":"password"}`),
			nil},
		{"the charset in the spelling of MySQL and many clients",
			post(typeJSON+"; charset=utf8", `{"username":"alice","password":"password"}`), nil},
		{"JSON with escapes", post(typeJSON, `{"\u0075sername":"\u00e4lice","password":"p\u0061ssword"}`), nil},
		{"a form", post(typeForm, "username=%C3%A4lice&password=pass%77ord&next=/"), nil},
		{"Basic", byBasic("alice", "password"), nil},
		{"a body beside a scheme of others", bearer, nil},
		{"Basic before the body", basicFirst, auth.ErrInvalid},

		{"another type", post("text/plain", `{"username":"alice","password":"password"}`), auth.ErrNoCredentials},
		{"multipart without a part", post("multipart/form-data; boundary=x", "username=alice&password=password"),
			auth.ErrNoCredentials},
		{"another charset", post(typeJSON+"; charset=latin1", `{"username":"alice","password":"password"}`),
			auth.ErrNoCredentials},
		{"no type", post("", `{"username":"alice","password":"password"}`), auth.ErrNoCredentials},
		{"two types", twoTypes, auth.ErrNoCredentials},
		{"a GET", get, auth.ErrNoCredentials},
		{"no body", post(typeJSON, ""), auth.ErrNoCredentials},
		{"neither member", post(typeJSON, `{"user":"alice"}`), auth.ErrNoCredentials},
		{"members in another case are others", post(typeJSON, `{"Username":"alice","PASSWORD":"password"}`),
			auth.ErrNoCredentials},
		{"neither parameter", post(typeForm, "a=b"), auth.ErrNoCredentials},
		{"a JSON array", post(typeJSON, `["username","password"]`), auth.ErrNoCredentials},

		{"no password", post(typeJSON, `{"username":"alice"}`), auth.ErrMalformed},
		{"no username", post(typeForm, `password=password`), auth.ErrMalformed},
		{"a number", post(typeJSON, `{"username":1,"password":"password"}`), auth.ErrMalformed},
		{"null", post(typeJSON, `{"username":"alice","password":null}`), auth.ErrMalformed},
		{"a member twice", post(typeJSON, `{"username":"alice","password":"x","password":"password"}`),
			auth.ErrMalformed},
		{"a member twice, once escaped",
			post(typeJSON, `{"username":"bob","\u0075sername":"alice","password":"password"}`), auth.ErrMalformed},
		{"a parameter twice", post(typeForm, "username=bob&username=alice&password=password"), auth.ErrMalformed},
		{"data after the JSON", post(typeJSON, `{"username":"alice","password":"password"}{}`), auth.ErrMalformed},
		{"broken JSON", post(typeJSON, `{"username":"alice","password":"password"`), auth.ErrMalformed},
		{"JSON that is not UTF-8", post(typeJSON, "{\"username\":\"alice\",\"password\":\"\xff\"}"), auth.ErrMalformed},
		{"half a character", post(typeJSON, `{"username":"alice","password":"\ud800"}`), auth.ErrMalformed},
		{"a form that is not UTF-8", post(typeForm, "username=alice&password=%ff"), auth.ErrMalformed},
		{"a bad escape", post(typeForm, "username=alice&password=%zz"), auth.ErrMalformed},
		{"a NUL in the username", post(typeJSON, `{"username":"alice\u0000","password":"password"}`),
			auth.ErrMalformed},
		{"a line break in the username", post(typeForm, "username=alice%0a&password=password"), auth.ErrMalformed},
		{"a long username", post(typeForm, "username="+strings.Repeat("a", 256)+"&password=password"),
			auth.ErrMalformed},
		{"a long password", post(typeForm, "username=alice&password="+strings.Repeat("a", 4097)), auth.ErrMalformed},
		{"over 8 KiB", post(typeForm, "username=alice&password=password&x="+strings.Repeat("a", 8192)),
			auth.ErrMalformed},
		{"two Authorization lines", twoLines, auth.ErrMalformed},
	} {
		t.Run(row.name, func(t *testing.T) {
			var before []byte
			if row.r.Body != nil {
				before, _ = io.ReadAll(row.r.Body)
				row.r.Body = io.NopCloser(bytes.NewReader(before))
			}
			u, c, err := l.Authenticate(row.r)
			if auth.KindOf(err) != row.want {
				t.Fatalf("got %v, %v", u, err)
			}
			if after, err := io.ReadAll(row.r.Body); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the body is now %q, %v", after, err)
			}
			if row.want != nil {
				return
			}
			credential := c.(*password.Credential)
			info := credential.AuthInfo()
			if !credential.Primary() || credential.Backend() != "password" || info.AuthTime.IsZero() ||
				!slices.Equal(info.AMR, []string{"pwd"}) {
				t.Errorf("got %+v, want a primary credential by password, with the AMR pwd and an AuthTime", credential)
			}
			if credential.Ambient() != (row.name == "Basic") {
				t.Errorf("Ambient is %v", credential.Ambient())
			}
		})
	}
}

func TestMalformedBasicIsAnsweredWith401(t *testing.T) {
	l := newLogin(t, nil)
	for value, want := range map[string]string{
		"Basic":      "Invalid basic header. No credentials provided.",
		"basic a b":  "Invalid basic header. Credentials string should not contain spaces.",
		"Basic =a=":  "Invalid basic header. Credentials not correctly base64 encoded.",
		"Basic YWxp": "Invalid basic header. Credentials not correctly base64 encoded.",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("a\u0085:b")): "Username has invalid characters.",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", value)
		_, _, err := l.Authenticate(r)
		var stated *auth.Error
		if !errors.As(err, &stated) || stated.Kind != auth.ErrMalformed || stated.Status != 401 ||
			stated.Detail != want {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// The client learns nothing by the answer or the work. The log learns which it was.
func TestUnknownWrongAndInactiveAreTheSame(t *testing.T) {
	for _, decoy := range []string{cheap, ""} {
		var work []string
		l := newLogin(t, func(c *password.Config) {
			c.Decoy, c.AllowUnthrottled = decoy, true
			password.CountWork(c.Hasher, func(algorithm string) { work = append(work, algorithm) })
		})
		for name, row := range map[string]struct {
			r     *http.Request
			cause string
		}{
			"unknown": {byBasic("nobody", "password"), "password: Config.Account knows no user of that name"},
			"wrong":   {byBasic("alice", "wrong"), "password: user alice: the password is wrong"},
			"inactive": {byBasic("carol", "password"), "password: Config.Account says that the user of that name may " +
				"not log in"},
			"inactive, string withheld": {byBasic("gone", "password"),
				"password: Config.Account says that the user of that name may not log in"},
			"no password": {byBasic("nopass", "password"),
				`password: user nopass: the user has no usable password: ` +
					`the stored string is empty or starts with "!"`},
			"the unusable string": {byBasic("nopass", "!unusable"),
				`password: user nopass: the user has no usable password: ` +
					`the stored string is empty or starts with "!"`},
		} {
			work = nil
			u, c, err := l.Authenticate(row.r)
			var stated *auth.Error
			if u != nil || c != nil || auth.KindOf(err) != auth.ErrInvalid || !errors.As(err, &stated) {
				t.Fatalf("%s: %v, %v, %v", name, u, c, err)
			}
			if stated.Code != auth.CodeAuthenticationFailed || stated.Detail != "Invalid username/password." ||
				stated.Extensions != nil {
				t.Errorf("%s: the client would be told %+v", name, stated)
			}
			if stated.Cause == nil || stated.Cause.Error() != row.cause {
				t.Errorf("%s: cause %v, want %s", name, stated.Cause, row.cause)
			}
			if !slices.Equal(work, []string{"argon2id"}) {
				t.Errorf("%s: work done: %q, want one hash", name, work)
			}
		}
	}
}

func TestAFinderThatFailsIsAnOutage(t *testing.T) {
	down := errors.New("database is down")
	for name, fault := range map[string]error{
		"plain":             down,
		"claims no kind":    fmt.Errorf("%w: %w", auth.ErrNoCredentials, down),
		"claims to be else": &auth.Error{Kind: auth.ErrInvalid, Detail: "secret", Cause: down},
		"client gone":       context.Canceled,
	} {
		l := newLogin(t, func(c *password.Config) {
			c.Account = func(context.Context, string) (auth.User, string, error) { return nil, "", fault }
		})
		for range 50 { // and no outage counts against anybody
			_, _, err := l.Authenticate(byBasic("alice", "password"))
			if auth.KindOf(err) != nil || errors.Is(err, auth.ErrNoCredentials) || errors.Is(err, auth.ErrInvalid) ||
				detail(err) != "" {
				t.Fatalf("%s: %v", name, err)
			}
			if !strings.Contains(err.Error(), fault.Error()) || fault == context.Canceled && !errors.Is(err, fault) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, nobody := range map[string]auth.User{"nil": nil, "typed nil": (*pointer)(nil),
		"a machine's": user("client:x")} {
		l := newLogin(t, func(c *password.Config) {
			c.Account = func(context.Context, string) (auth.User, string, error) { return nobody, cheap, nil }
		})
		if u, _, err := l.Authenticate(byBasic("alice", "password")); u != nil || err == nil ||
			errors.Is(err, auth.ErrInvalid) {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
}

type pointer struct{}

func (*pointer) UserID() string { return "p" }

func TestNewLoginRefusesContradictions(t *testing.T) {
	h := newHasher(t, password.HasherConfig{})
	for name, config := range map[string]password.Config{
		"no hasher":         {Account: find},
		"no finder":         {Hasher: h},
		"decoy is none":     {Hasher: h, Account: find, Decoy: "!unusable"},
		"both":              {Hasher: h, Account: find, Throttle: password.NewMemoryThrottle(), AllowUnthrottled: true},
		"forgets too early": {Hasher: h, Account: find, Limits: password.Limits{Forget: 1}},
		"negative limit":    {Hasher: h, Account: find, Limits: password.Limits{AccountFree: -1}},
	} {
		if _, err := password.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheChallengeIsBasicUnlessSilent(t *testing.T) {
	l := newLogin(t, nil)
	if got := l.Challenges(); len(got) != 1 || got[0].String() != `Basic realm="api", charset="UTF-8"` {
		t.Errorf("got %v, want one challenge, Basic realm=\"api\", charset=\"UTF-8\"", got)
	}
	silent := newLogin(t, func(c *password.Config) { c.Silent = true })
	if got := silent.Challenges(); len(got) != 1 || got[0].String() != `Form realm="api"` {
		t.Errorf("silent: %v, want a challenge that opens no dialog", got)
	}
	if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{silent}}); err != nil {
		t.Errorf("New refuses a guard whose only backend is silent: %v", err)
	}
	if got := l.Vary(); !slices.Equal(got, []string{"Authorization"}) {
		t.Errorf("got %v, want Authorization alone", got)
	}
}

func TestTheUpgradeHook(t *testing.T) {
	var log bytes.Buffer
	var fault error
	kept, upgrades := cheap, 0
	l := newLogin(t, func(c *password.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c.Account = func(context.Context, string) (auth.User, string, error) {
			return stamped{"alice", kept}, kept, nil
		}
		c.Upgrade = func(_ context.Context, u auth.User, encoded string) error {
			upgrades++
			if fault == nil {
				kept = encoded
			}
			return fault
		}
	})
	login := func(given string) (auth.User, error) {
		u, _, err := l.Authenticate(byBasic("alice", given))
		return u, err
	}
	if _, err := login("wrong"); err == nil || upgrades != 0 {
		t.Errorf("after a wrong password: %d upgrades, %v", upgrades, err)
	}
	fault = errors.New("disk full")
	if u, err := login("password"); err != nil || upgrades != 1 || u != (stamped{"alice", cheap}) {
		t.Errorf("when it fails: %v, %d upgrades, %v", u, upgrades, err)
	}
	if !strings.Contains(log.String(), "disk full") || strings.Contains(log.String(), "argon2id") {
		t.Errorf("log: %s", &log)
	}
	fault = nil
	if u, err := login("password"); err != nil || upgrades != 2 || kept == cheap || u != (stamped{"alice", kept}) {
		t.Errorf("%v, %d upgrades, %v", u, upgrades, err)
	}
	if _, err := login("password"); err != nil || upgrades != 2 {
		t.Errorf("once it is done: %d upgrades, %v", upgrades, err)
	}
}

func TestAnUpgradeThatRacesAChangeOfPasswordGetsNoNewStamp(t *testing.T) {
	changed := false
	l := newLogin(t, func(c *password.Config) {
		c.Account = func(context.Context, string) (auth.User, string, error) {
			if changed {
				return stamped{"alice", "new"}, "$argon2id$of another password", nil
			}
			return stamped{"alice", "old"}, cheap, nil
		}
		// Writes only where the old string is: not any more.
		c.Upgrade = func(context.Context, auth.User, string) error { changed = true; return nil }
	})
	u, _, err := l.Authenticate(byBasic("alice", "password"))
	if err != nil || u != (stamped{"alice", "old"}) {
		t.Errorf("%v, %v: whoever knew the old password goes on with the stamp of the new", u, err)
	}
}

func TestAnUpgradeMayStoreDjangosFormat(t *testing.T) {
	kept := cheap
	l := newLogin(t, func(c *password.Config) {
		c.Account = func(context.Context, string) (auth.User, string, error) {
			return stamped{"alice", kept}, kept, nil
		}
		c.Upgrade = func(_ context.Context, _ auth.User, encoded string) error { kept = "argon2" + encoded; return nil }
	})
	u, _, err := l.Authenticate(byBasic("alice", "password"))
	if err != nil || kept == cheap || u != (stamped{"alice", kept}) {
		t.Errorf("got %v, %v, want alice with the stamp of the upgraded string", u, err)
	}
}

// stamped is a user with the stored password as stamp.
type stamped struct{ id, stamp string }

func (s stamped) UserID() string    { return s.id }
func (s stamped) AuthStamp() string { return s.stamp }

func TestNoLogHoldsThePassword(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	const secret = "hunter2-never-logged"
	for _, broken := range []bool{false, true} {
		l := newLogin(t, func(c *password.Config) {
			c.Logger = logger
			if broken {
				c.Account = func(context.Context, string) (auth.User, string, error) {
					return nil, "", errors.New("down")
				}
			}
		})
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{l}, Logger: logger,
			Observer: auth.SlogObserver(logger)})
		if err != nil {
			t.Fatal(err)
		}
		handler := guard.Require()(http.NotFoundHandler())
		for _, r := range []*http.Request{
			byBasic("alice", secret), byBasic("nobody", secret), byBasic("al\x01ice", secret),
			post(typeJSON, `{"username":"alice","password":"`+secret+`"}`),
			post(typeJSON, `{"username":"alice","password":"`+secret),
			post(typeForm, "username=alice&password="+secret+"%zz"),
		} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code < 400 || strings.Contains(w.Body.String(), secret) {
				t.Errorf("got %d %s, want a refusal that does not show the secret", w.Code, w.Body)
			}
		}
	}
	if encoded := base64.StdEncoding.EncodeToString([]byte("alice:" + secret)); log.Len() == 0 ||
		strings.Contains(log.String(), secret) || strings.Contains(log.String(), encoded) {
		t.Errorf("log: %s", &log)
	}
}

func FuzzLoginBody(f *testing.F) {
	f.Add(true, []byte(`{"username":"alice","password":"password"}`))
	f.Add(true, []byte(`{"username":"\ud800\udc00","password":"\\\ud800"}`))
	f.Add(true, []byte(`{"username":["alice"],"username":1}`))
	f.Add(false, []byte("username=alice&password=password"))
	f.Add(false, []byte("username=%zz;&password"))
	f.Add(false, bytes.Repeat([]byte("a=b&"), 3000))
	l := newLogin(f, func(c *password.Config) { c.AllowUnthrottled = true })
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		kind := typeForm
		if isJSON {
			kind = typeJSON
		}
		r := post(kind, string(body))
		u, _, err := l.Authenticate(r)
		switch auth.KindOf(err) {
		case nil:
			if err != nil || u == nil {
				t.Errorf("got %v, %v, want a user and no error", u, err)
			}
		case auth.ErrNoCredentials, auth.ErrMalformed, auth.ErrInvalid:
		default:
			t.Error(err)
		}
		if again, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(again, body) {
			t.Errorf("the body is now %q, %v", again, err)
		}
	})
}

func TestFailuresAreCountedByTheAddressThatTheGuardSees(t *testing.T) {
	l := newLogin(t, nil)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{l}, Login: []auth.Authenticator{l},
		Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	login, err := guard.Login()
	if err != nil {
		t.Fatal(err)
	}
	read := ""
	h := login.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		read = string(text)
	}))
	try := func(forwarded, username, password string) int {
		r := httptest.NewRequest("POST", "/",
			strings.NewReader(`{"username":"`+username+`","password":"`+password+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", forwarded)
		r.RemoteAddr = "10.0.0.1:1"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for i := range 40 { // of strangers, more than an address has
		try("192.0.2.1", fmt.Sprint("stranger", i), "guess")
	}
	if status := try("192.0.2.1", "someone", "guess"); status != 429 {
		t.Errorf("the address that guessed got %d, want 429", status)
	}
	if status := try("192.0.2.2", "alice", "password"); status != 200 {
		t.Errorf("another client of the same proxy got %d, want 200", status)
	}
	if !strings.HasPrefix(read, `{"username":"alice"`) {
		t.Errorf("the handler read %q, want the body from its start", read)
	}
}
