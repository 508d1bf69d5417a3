package password_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

var deviceKeys = []auth.Secret{"an application key of at least 32 bytes"}

func newDevices(t testing.TB, config password.DeviceConfig) *password.Devices {
	t.Helper()
	if config.Keys == nil {
		config.Keys = deviceKeys
	}
	d, err := password.NewDevices(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stampedLogin is a login of users with the password "password" and this stamp.
func stampedLogin(t testing.TB, stamp *string, d *password.Devices) *password.Authenticator {
	return newLogin(t, func(c *password.Config) {
		c.Devices = d
		c.Account = func(_ context.Context, name string) (auth.User, string, error) {
			if name == "nobody" {
				return nil, "", auth.ErrUserNotFound
			}
			return stamped{strings.ToLower(name), *stamp}, cheap, nil
		}
	})
}

// byForm is a login by a form from an address, with the cookies of a jar.
func byForm(addr, name, given string, cookies ...*http.Cookie) *http.Request {
	r := post(typeForm, url.Values{"username": {name}, "password": {given}}.Encode())
	r.RemoteAddr = addr
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

// cookieOf returns the device cookie that a login leaves, or nil.
func cookieOf(t testing.TB, l *password.Authenticator, r *http.Request) *http.Cookie {
	t.Helper()
	_, credential, err := l.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	answer := http.Response{Header: http.Header{}}
	if setter, ok := auth.As[auth.HeaderSetter](credential); ok {
		setter.SetHeaders(answer.Header)
	}
	for _, c := range answer.Cookies() {
		if strings.HasSuffix(c.Name, "device") {
			return c
		}
	}
	return nil
}

// lockOut has strangers guess at an account until no new address is let in.
func lockOut(t testing.TB, l *password.Authenticator, name string) {
	t.Helper()
	for i := range 5 {
		_, _, _ = l.Authenticate(byForm(fmt.Sprintf("10.0.0.%d:1", i), name, "guess"))
	}
	if _, _, err := l.Authenticate(byForm("203.0.113.1:1", name, "password")); wait(err) == 0 {
		t.Fatalf("%v, want no new address to be let in", err)
	}
}

func TestUnitDeviceCookies(t *testing.T) {
	run := func(name string, f func(t *testing.T, stamp *string, l *password.Authenticator)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stamp := "1"
				f(t, &stamp, stampedLogin(t, &stamp, newDevices(t, password.DeviceConfig{})))
			})
		})
	}
	enter := func(l *password.Authenticator, given string, cookies ...*http.Cookie) error {
		_, _, err := l.Authenticate(byForm("203.0.113.1:1", "alice", given, cookies...))
		return err
	}
	run("a device lets its user in while strangers guess", func(t *testing.T, _ *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		lockOut(t, l, "alice")
		if err := enter(l, "password", device); err != nil {
			t.Error(err)
		}
	})
	run("it has a counter of its own, which a login clears", func(t *testing.T, _ *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		for range 2 {
			for range 4 {
				if err := enter(l, "guess", device); !errors.Is(err, auth.ErrInvalid) {
					t.Fatal(err)
				}
			}
			if err := enter(l, "password", device); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			_ = enter(l, "guess", device)
		}
		if err := enter(l, "password", device); wait(err) != time.Second ||
			!strings.Contains(err.Error(), "the counter of the device has 5 failed logins") {
			t.Errorf("after 5 failures: %v", err)
		}
		if _, _, err := l.Authenticate(byForm("198.51.100.9:1", "alice", "password")); err != nil {
			t.Errorf("elsewhere: %v, want none of it to count there", err)
		}
	})
	run("it keeps its counter when a login renews it", func(t *testing.T, _ *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		time.Sleep(time.Hour)
		renewed := cookieOf(t, l, byForm(home, "alice", "password", device))
		if renewed.Value == device.Value {
			t.Error("it was not renewed")
		}
		for range 5 {
			_ = enter(l, "guess", device)
		}
		if err := enter(l, "password", renewed); wait(err) == 0 {
			t.Errorf("%v, want the counter of the old cookie", err)
		}
	})
	run("a change of the password ends it", func(t *testing.T, stamp *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		*stamp = "2"
		lockOut(t, l, "alice")
		if err := enter(l, "password", device); wait(err) == 0 {
			t.Error(err)
		}
	})
	run("it ends after its lifetime", func(t *testing.T, _ *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		time.Sleep(90 * 24 * time.Hour)
		lockOut(t, l, "alice")
		if err := enter(l, "password", device); wait(err) == 0 {
			t.Error(err)
		}
	})
	run("another user's, a changed one and two are none", func(t *testing.T, _ *string, l *password.Authenticator) {
		device := cookieOf(t, l, byForm(home, "alice", "password"))
		other := cookieOf(t, l, byForm(home, "bob", "password"))
		lockOut(t, l, "alice")
		changed := *device
		changed.Value = "A" + device.Value[1:]
		if changed.Value == device.Value {
			changed.Value = "B" + device.Value[1:]
		}
		for name, cookies := range map[string][]*http.Cookie{
			"another user's": {other}, "changed": {&changed}, "two": {device, device}, "none": nil,
		} {
			if err := enter(l, "password", cookies...); wait(err) == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := enter(l, "password", device); err != nil {
			t.Errorf("the right one: %v", err)
		}
	})
	run("Basic leaves none", func(t *testing.T, _ *string, l *password.Authenticator) {
		if c := cookieOf(t, l, byBasic("alice", "password")); c != nil {
			t.Errorf("got %v, want no cookie", c)
		}
	})
	t.Run("a user without a stamp gets none", func(t *testing.T) {
		l := newLogin(t, func(c *password.Config) { c.Devices = newDevices(t, password.DeviceConfig{}) })
		if c := cookieOf(t, l, byForm(home, "alice", "password")); c != nil {
			t.Errorf("got %v, want no cookie", c)
		}
	})
	t.Run("a new key in front opens the cookies of the old one, and no other key does", func(t *testing.T) {
		stamp := "1"
		added, other := auth.Secret("another application key of 32 bytes"), auth.Secret(
			"a third application key of 32 bytes")
		old := stampedLogin(t, &stamp, newDevices(t, password.DeviceConfig{}))
		device := cookieOf(t, old, byForm(home, "alice", "password"))
		for i, keys := range [][]auth.Secret{{added, deviceKeys[0]}, {other}} {
			l := stampedLogin(t, &stamp, newDevices(t, password.DeviceConfig{Keys: keys}))
			lockOut(t, l, "alice")
			if err := enter(l, "password", device); (err == nil) != (i == 0) {
				t.Errorf("keys %d: %v", i, err)
			}
		}
	})
}

func TestUnitNewDevicesRefuses(t *testing.T) {
	for name, config := range map[string]password.DeviceConfig{
		"no key":         {},
		"a short key":    {Keys: []auth.Secret{"short"}},
		"a prefix":       {Keys: deviceKeys, Cookie: "__Host-device"},
		"a long life":    {Keys: deviceKeys, Lifetime: 401 * 24 * time.Hour},
		"a negative one": {Keys: deviceKeys, Lifetime: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := password.NewDevices(config); err == nil {
				t.Error("no error")
			}
		})
	}
}

// A browser over TLS, behind a proxy that says where it is.
func TestUnitADeviceOverHTTPS(t *testing.T) {
	stamp := "1"
	l := stampedLogin(t, &stamp, newDevices(t, password.DeviceConfig{}))
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{l}, Proxies: auth.Proxies{
		Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer server.Close()
	browser, stranger := *server.Client(), server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	login := func(client *http.Client, from, given string) *http.Response {
		body := url.Values{"username": {"alice"}, "password": {given}}.Encode()
		r, _ := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader(body))
		r.Header.Set("Content-Type", typeForm)
		r.Header.Set("X-Forwarded-For", from)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		return answer
	}
	first := login(&browser, "192.0.2.1", "password")
	cookies := first.Cookies()
	if first.StatusCode != 200 || len(cookies) != 1 {
		t.Fatalf("got %d %v, want 200 and one cookie", first.StatusCode, cookies)
	}
	if c := cookies[0]; c.Name != "__Host-device" || !c.Secure || !c.HttpOnly || c.Path != "/" ||
		c.SameSite != http.SameSiteLaxMode || c.MaxAge != 90*24*60*60 || strings.Contains(c.Value, "alice") {
		t.Errorf("the cookie is %v", c)
	}
	for i := range 5 {
		answer := login(stranger, fmt.Sprintf("10.0.0.%d", i), "guess")
		if answer.StatusCode != 401 || len(answer.Cookies()) != 0 {
			t.Fatalf("a guess: %d %v", answer.StatusCode, answer.Cookies())
		}
	}
	if answer := login(stranger, "203.0.113.1", "password"); answer.StatusCode != 429 {
		t.Errorf("without the cookie: %d, want 429", answer.StatusCode)
	}
	if answer := login(&browser, "203.0.113.1", "password"); answer.StatusCode != 200 {
		t.Errorf("with the cookie: %d, want 200", answer.StatusCode)
	}
}

func FuzzDeviceCookie(f *testing.F) {
	stamp := "1"
	l := stampedLogin(f, &stamp, newDevices(f, password.DeviceConfig{}))
	good := cookieOf(f, l, byForm(home, "alice", "password")).Value
	lockOut(f, l, "alice")
	for _, seed := range []string{good, "", "x", good[1:], good + good, `"` + good + `"`, strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := byForm("203.0.113.1:1", "nobody", "guess")
		r.Header.Set("Cookie", "__Host-device="+value)
		if _, _, err := l.Authenticate(r); err == nil {
			t.Errorf("%q proved a user", value)
		}
	})
}

// A browser that alice logged in from stays hers while strangers guess at her account.
func ExampleNewDevices() {
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		panic(err)
	}
	devices, err := password.NewDevices(password.DeviceConfig{
		Keys: []auth.Secret{"an application key of at least 32 bytes"}, // from the environment
	})
	if err != nil {
		panic(err)
	}
	users := &userTable{map[string]string{"alice": cheap}} // of "password"
	passwords, err := password.New(password.Config{Hasher: hasher, Account: users.byName, Devices: devices})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{passwords}})
	if err != nil {
		panic(err)
	}
	// With sessions it is their login handler.
	login := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	send := func(addr, given string, cookies []*http.Cookie) *http.Response {
		w := httptest.NewRecorder()
		login.ServeHTTP(w, byForm(addr, "alice", given, cookies...))
		return w.Result()
	}
	cookies := send("192.0.2.1:1", "password", nil).Cookies()
	for range 5 {
		send("198.51.100.1:1", "guess", nil)
	}
	fmt.Println(send("203.0.113.1:1", "password", nil).StatusCode)
	fmt.Println(send("203.0.113.1:1", "password", cookies).StatusCode)
	// Output:
	// 429
	// 200
}
