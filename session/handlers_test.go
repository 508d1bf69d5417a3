package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/session"
)

var monthly = session.Lifetime{Idle: 7 * 24 * time.Hour, Absolute: 30 * 24 * time.Hour}

func TestTheCookieIsOneThatBrowsersGuard(t *testing.T) {
	for sentence, row := range map[string]struct {
		config     session.Config
		body       string
		attributes string
		name       string
	}{
		"by default it ends with the browser": {session.Config{Remember: monthly}, "",
			"; Path=/; HttpOnly; Secure; SameSite=Lax", "__Host-session"},
		"remembered it stays to the absolute end": {session.Config{Remember: monthly}, form("remember", "on"),
			"; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax", "__Host-session"},
		"nobody is remembered unless configured": {session.Config{}, form("remember", "on"),
			"; Path=/; HttpOnly; Secure; SameSite=Lax", "__Host-session"},
		"a name of one's own": {session.Config{Cookie: "app-8000"}, "",
			"; Path=/; HttpOnly; Secure; SameSite=Lax", "__Host-app-8000"},
		"for plain http": {session.Config{InsecureCookie: true}, "",
			"; Path=/; HttpOnly; SameSite=Lax", "session"},
	} {
		s := newService(t, row.config)
		lines := s.do("POST", "/session/login", row.body, "X-Login", "alice").Header["Set-Cookie"]
		if len(lines) != 1 {
			t.Fatalf("%s: %q", sentence, lines)
		}
		pair, attributes, _ := strings.Cut(lines[0], ";")
		name, value, _ := strings.Cut(pair, "=")
		if name != row.name || ";"+attributes != row.attributes || len(value) != 40 {
			t.Errorf("%s: %q", sentence, lines[0])
		}
		if strings.Contains(s.log.text(), value) {
			t.Error("it is in the log")
		}
	}
}

func TestEveryLoginMakesANewIdentifierAndEndsTheOldOne(t *testing.T) {
	s := newService(t, session.Config{})
	planted := "__Host-session=" + strings.Repeat("A", 40)
	first := s.login("alice", "Cookie", planted)
	if first == planted {
		t.Fatal("a planted identifier was adopted")
	}
	second := s.login("alice", "Cookie", first)
	s.want(401, "", s.do("GET", "/me", "", "Cookie", first))
	third := s.login("bob", "Cookie", second) // in the same browser
	s.want(401, "", s.do("GET", "/me", "", "Cookie", second))
	s.want(200, "bob", s.do("GET", "/me", "", "Cookie", third))
	if first == second || second == third {
		t.Error("an identifier came twice")
	}
	if got, want := s.kinds(), []auth.EventKind{"issued", "login", "revoked", "issued", "login", "revoked", "issued",
		"login"}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestWhereALoginLeads(t *testing.T) {
	s := newService(t, session.Config{})
	for _, next := range []string{
		"//evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, "https://evil.example",
		"https:evil.example", "http:/evil.example",
		"javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
		" //evil.example", "/\x00/evil.example",
		"evil.example", "?x", "#x", "/a b", "/\x7f", "/ä", "/" + strings.Repeat("a", 2000),
		"/?" + strings.Repeat("a", 6144), "/%zz", "///evil.example", "/\r\nSet-Cookie: a=b", "\u2028//evil.example",
	} {
		answer := s.do("POST", "/session/login", form("next", next), "X-Login", "alice")
		if answer.StatusCode != 303 || answer.Header.Get("Location") != "/" {
			t.Errorf("%q leads to %q", next, answer.Header.Get("Location"))
		}
	}
	for _, next := range []string{"/", "/devices", "/a?next=//b", "/a/../b", "/a#b", "/%2f%2fevil.example",
		"/a?u=https://b.example"} {
		answer := s.do("POST", "/session/login", form("next", next), "X-Login", "alice")
		if got := answer.Header.Get("Location"); got != next {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	if got := s.do("POST", "/session/login?next=%2Fdevices", "", "X-Login", "alice").Header.Get(
		"Location"); got != "/devices" {
		t.Errorf("next in the query leads to %q", got)
	}
}

func TestALoginLeadsBackToWhereTheBrowserWantedToGo(t *testing.T) {
	s := newService(t, session.Config{})
	sent := s.do("GET", "/page?q=1", "", "Accept", "text/html,*/*;q=0.8")
	if sent.StatusCode != 303 || sent.Header.Get("Location") != "/session/login" ||
		sent.Header["Www-Authenticate"] != nil {
		t.Fatalf("got %s %v, want 303 to /session/login without challenges", sent.Status, sent.Header)
	}
	var notes string
	for _, c := range sent.Cookies() {
		notes = c.Name + "=" + c.Value
		if c.Name != "__Host-session-notes" || !c.HttpOnly || !c.Secure || c.MaxAge != 1800 ||
			strings.Contains(c.Value, "page") {
			t.Errorf("got %v, want a Secure and HttpOnly __Host-session-notes of half an hour that shows no path", c)
		}
	}
	// A page of login that leads elsewhere first is told, as often as it asks.
	for cookie, want := range map[string]string{notes: "/page?q=1", "": "", notes[:len(notes)-2]: ""} {
		for range 2 {
			r, w := httptest.NewRequest("GET", "/session/login", nil), httptest.NewRecorder()
			r.Header.Set("Cookie", cookie)
			if got := s.ReturnPath(w, r); got != want || len(w.Header()) > 0 {
				t.Errorf("%q: %q %v", cookie, got, w.Header())
			}
		}
	}
	answer := s.do("POST", "/session/login", "", "X-Login", "alice", "Cookie", notes)
	if got := answer.Header.Get("Location"); got != "/page?q=1" {
		t.Errorf("leads to %q", got)
	}
	if !slices.ContainsFunc(answer.Cookies(), func(c *http.Cookie) bool {
		return c.Name == "__Host-session-notes" && c.MaxAge < 0
	}) {
		t.Errorf("the way back is kept: %v", answer.Header["Set-Cookie"])
	}
	for kind, body := range map[string]string{"application/x-www-form-urlencoded": "next=",
		"application/json": `{"next":""}`} {
		answer := s.do("POST", "/session/login", body, "X-Login", "alice", "Cookie", notes, "Content-Type", kind)
		if !strings.Contains(answer.Header.Get("Location")+text(answer), "/page?q=1") {
			t.Errorf("an empty next in %s leads to %q", kind, answer.Header.Get("Location"))
		}
	}
	if got := s.do("POST", "/session/login", form("next", "//evil.example"), "X-Login", "alice", "Cookie",
		notes).Header.Get("Location"); got != "/" {
		t.Errorf("with a hostile next it leads to %q", got)
	}
	if got := s.do("POST", "/session/login", "", "X-Login", "alice", "Cookie", notes[:len(notes)-2]).Header.Get(
		"Location"); got != "/" {
		t.Errorf("tampered with it leads to %q", got)
	}
}

func TestTheWayBackIsWhatTheBrowserAskedFor(t *testing.T) {
	s := newService(t, session.Config{})
	server := httptest.NewServer(http.StripPrefix("/app", s.handler))
	defer server.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/app/page?q=%2F", nil)
	r.Header.Set("Accept", "text/html")
	sent, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || len(sent.Cookies()) != 1 {
		t.Fatalf("got %v, %v, want one cookie and no error", sent, err)
	}
	sent.Body.Close()
	if back, _, err := s.Unseal(sent.Cookies()[0].Value, time.Now()); back != "/app/page?q=%2F" || err != nil {
		t.Errorf("got %q, %v, want \"/app/page?q=%%2F\" and no error", back, err)
	}
}

func TestALoginPageThatIsGuardedItselfIsNoCircle(t *testing.T) {
	s := newService(t, session.Config{})
	for sentence, row := range map[string]struct{ path, prefix string }{
		"at the root":    {"/session/login", ""},
		"below a prefix": {"/app/session/login", "/app"},
		"with a query":   {"/session/login?from=guard", ""},
	} {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.Sessions},
			Render: s.RedirectToLogin(row.path, nil)})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(http.StripPrefix(row.prefix, guard.Require()(http.HandlerFunc(whoami))))
		b := newBrowser(t, server)
		page := []string{"Accept", "text/html"}
		if status, location, _ := b.send("GET", row.prefix+"/page", "", page...); status != 303 ||
			location != row.path {
			t.Errorf("%s: a page is %d, leads to %q", sentence, status, location)
		}
		if status, location, _ := b.send("GET", row.path, "", page...); status != 401 || location != "" {
			t.Errorf("%s: the login page is %d, leads to %q", sentence, status, location)
		}
		server.Close()
	}
}

func TestLoginOfNobodyOrWithWhatIsNoScopeIsAnError(t *testing.T) {
	s := newService(t, session.Config{})
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.example/", nil)
	if _, err := s.SignIn(w, r, nil, session.Options{}); err == nil {
		t.Error("nobody is logged in")
	}
	for _, scope := range []string{"", "a b", "a\"", "ä"} {
		if _, err := s.SignIn(w, r, &person{"alice", "a1"}, session.Options{Scopes: []string{scope}}); err == nil {
			t.Errorf("%q is a scope", scope)
		}
	}
	if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 0 ||
		w.Header()["Set-Cookie"] != nil {
		t.Errorf("got %v, %v, %v, want no sessions, no error and no cookie", list, err, w.Header())
	}
}

func TestWhoIsSentToTheLoginPage(t *testing.T) {
	s := newService(t, session.Config{})
	for sentence, row := range map[string]struct {
		method, path string
		headers      []string
		status       int
		back         bool
	}{
		"a browser that opens a page": {"GET", "/page", []string{"Sec-Fetch-Mode", "navigate"}, 303, true},
		"an old browser": {"GET", "/page",
			[]string{"Accept", "text/html, application/xhtml+xml, */*;q=0.8"}, 303, true},
		"a browser that posts a form": {"POST", "/page", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site",
			"same-origin"}, 303, false},
		"a script of a page": {"GET", "/page", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"},
			401, false},
		"curl":      {"GET", "/page", []string{"Accept", "*/*"}, 401, false},
		"a program": {"GET", "/page", []string{"Accept", "application/json"}, 401, false},
		"who likes JSON better": {"GET", "/page", []string{"Accept", "text/html;q=0.5, application/json"},
			401, false},
		"who likes pages better": {"GET", "/page", []string{"Accept", "application/json;q=0.5, text/html;q=0.6"},
			303, true},
		"who likes both alike":    {"GET", "/page", []string{"Accept", "application/json, text/html"}, 303, true},
		"who cannot say how much": {"GET", "/page", []string{"Accept", "text/html;q=much"}, 401, false},
		"who wants no page":       {"GET", "/page", []string{"Accept", "text/html;q=0"}, 401, false},
		"who sent a bad token": {"GET", "/page", []string{"Sec-Fetch-Mode", "navigate", "Authorization",
			"Bearer bad"}, 401, false},
		"a guard without the renderer": {"GET", "/me", []string{"Sec-Fetch-Mode", "navigate"}, 401, false},
	} {
		answer := s.do(row.method, row.path, "", row.headers...)
		back := slices.ContainsFunc(answer.Cookies(), func(c *http.Cookie) bool {
			return c.Name == "__Host-session-notes"
		})
		if answer.StatusCode != row.status || back != row.back ||
			(row.status == 401) != (answer.Header["Www-Authenticate"] != nil) ||
			row.path == "/page" && !slices.Contains(answer.Header["Vary"], "Accept, Sec-Fetch-Mode") {
			t.Errorf("%s: %s, way back %v, %v", sentence, answer.Status, back, answer.Header)
		}
	}
	cookie := s.login("alice")
	s.want(403, "insufficient_scope", s.do("GET", "/admins", "", "Cookie", cookie, "Sec-Fetch-Mode", "navigate"))
}

func TestASessionTellsOfTheLoginItStemsFrom(t *testing.T) {
	s := newService(t, session.Config{})
	s.want(200, "alice", s.do("GET", "/fresh", "", "Cookie", s.login("alice")))
	// A proxy that authenticated may not say when.
	s.want(401, "insufficient_user_authentication",
		s.do("GET", "/fresh", "", "Cookie", s.login("alice", "X-Login-Time", "unknown")))
	list, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(list) != 2 || !list[0].AuthInfo().AuthTime.IsZero() || !slices.Equal(list[1].AuthInfo().AMR,
		[]string{"pwd"}) {
		t.Errorf("got %v, %v, want two sessions: no AuthTime in the first, the AMR pwd in the second", list, err)
	}
}

func TestProgramsLogInWithJSON(t *testing.T) {
	s := newService(t, session.Config{Remember: monthly})
	answer := s.do("POST", "/session/login", `{"remember":true,"next":"//evil.example"}`, "X-Login", "alice",
		"Content-Type", "application/json")
	var body struct {
		ID, Created, Expiry, Ends, Next string
		Remembered                      bool
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); answer.StatusCode != 200 || err != nil || body.ID == "" ||
		!body.Remembered || body.Next != "/" {
		t.Errorf("got %s %+v, %v, want 200 with a remembered session and the next \"/\"", answer.Status, body, err)
	}
	cookie := cookieOf(t, answer)
	list := text(s.do("GET", "/session/sessions", "", "Cookie", cookie))
	if !strings.Contains(list, body.ID) || !strings.Contains(list, `"current":true`) ||
		strings.Contains(list, cookie[len("__Host-session="):]) {
		t.Errorf("list %s", list)
	}
	s.want(204, "", s.do("POST", "/session/logout", "{}", "Cookie", cookie, "Content-Type", "application/json"))
	s.want(303, "", s.do("POST", "/session/login", "", "X-Login", "alice", "Accept", "*/*"))
	for accept, status := range map[string]int{
		"application/json":                    200,
		"application/json, text/plain, */*":   200, // axios
		"text/html;q=0.4, application/json":   200,
		"text/html, application/json;q=0.9":   303,
		"application/json;q=0, */*":           303,
		"text/html,application/xml;q=0.9,*/*": 303,
	} {
		s.want(status, "", s.do("POST", "/session/login", "", "X-Login", "alice", "Accept", accept))
	}
}

func TestALoginIsRefused(t *testing.T) {
	s := newService(t,
		session.Config{Limit: 1, BeforeLogin: func(r *http.Request, _ auth.User, o *session.Options) error {
			if r.Header.Get("X-Refuse") != "" {
				return auth.ErrInsufficient
			}
			o.Remember = true
			return nil
		}})
	for sentence, row := range map[string]struct {
		status  int
		body    string
		headers []string
	}{
		"without credentials": {401, "not_authenticated", nil},
		"with a token, which is no proof anew": {403, "A token cannot be used",
			[]string{"Authorization", "Bearer good"}},
		"of an unknown user": {401, "", []string{"X-Login", "mallory"}},
		"by the hook":        {403, "", []string{"X-Login", "alice", "X-Refuse", "1"}},
		"if the password was changed meanwhile": {401, "authentication_failed",
			[]string{"X-Login", "alice", "X-Login-Stamp", "a0"}},
		"of a user with a machine's identifier": {500, "internal_error",
			[]string{"X-Login", "client:job", "X-Login-Stamp", "x"}},
	} {
		answer := s.do("POST", "/session/login", "", row.headers...)
		if got := text(answer); answer.StatusCode != row.status || !strings.Contains(got, row.body) {
			t.Errorf("%s: %s %s", sentence, answer.Status, got)
		}
		if answer.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %q", sentence, answer.Header["Set-Cookie"])
		}
	}
	if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 0 {
		t.Errorf("sessions %v, %v", list, err)
	}
	cookie := s.login("alice")
	s.want(403, "session_limit", s.do("POST", "/session/login", "", "X-Login", "alice"))
	s.login("alice", "Cookie", cookie) // in place of one's own
	s.store.set(true)
	answer := s.do("POST", "/session/login", "", "X-Login", "bob")
	s.want(503, "", answer)
	if answer.Header["Set-Cookie"] != nil {
		t.Error("a cookie without a session")
	}
	answer = s.do("GET", "/session/login", "")
	if s.want(405, "", answer); answer.Header.Get("Allow") != "OPTIONS, POST" &&
		answer.Header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("got %v, want POST and OPTIONS in Allow", answer.Header)
	}
}

func TestLogoutEndsTheSessionWhateverItIsWorth(t *testing.T) {
	s := newService(t, session.Config{})
	for sentence := range stale(s) {
		s := newService(t, session.Config{})
		cookie := stale(s)[sentence](s.login("alice"))
		answer := s.do("POST", "/session/logout", form("next", "/bye"), "Cookie", cookie)
		s.want(303, "", answer)
		if s.wantCleared(true, answer); answer.Header.Get("Location") != "/bye" {
			t.Errorf("%s: leads to %q", sentence, answer.Header.Get("Location"))
		}
	}
	s.want(303, "", s.do("POST", "/session/logout", ""))

	cookie := s.login("alice")
	s.set("alice", &person{"alice", "a1"}, auth.ErrUserInactive)
	s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", cookie))
	s.set("alice", &person{"alice", "a1"}, nil)
	s.want(401, "", s.do("GET", "/me", "", "Cookie", cookie)) // it ended while its user was inactive

	cookie = s.login("alice")
	s.store.set(true)
	answer := s.do("POST", "/session/logout", "", "Cookie", cookie)
	s.want(503, "", answer)
	s.wantCleared(false, answer)
	s.store.set(false)
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", cookie))
}

func TestOneAllAndAllOthersAreEnded(t *testing.T) {
	s := newService(t, session.Config{})
	a, b, c := s.login("alice"), s.login("alice"), s.login("alice")
	bob := s.login("bob")
	list, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(list) != 3 {
		t.Fatalf("got %v, %v, want three sessions and no error", list, err)
	}
	first := list[2].ID() // the newest comes first
	s.want(404, "not_found", s.do("DELETE", "/session/sessions/"+first, "", "Cookie", bob))
	s.want(204, "", s.do("DELETE", "/session/sessions/"+first, "", "Cookie", b))
	s.want(404, "not_found", s.do("DELETE", "/session/sessions/"+first, "", "Cookie", b))
	s.want(401, "", s.do("GET", "/me", "", "Cookie", a))

	answer := s.do("DELETE", "/session/sessions", "", "Cookie", b)
	s.want(204, "", answer)
	fresh := cookieOf(t, answer)
	for _, ended := range []string{b, c} { // its own old identifier, too
		s.want(401, "", s.do("GET", "/me", "", "Cookie", ended))
	}
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", fresh))

	other := s.login("alice")
	s.kinds()
	answer = s.do("POST", "/session/logoutall", "", "Cookie", fresh)
	if kinds := s.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventRevoked, auth.EventRevoked,
		auth.EventLogout}) {
		t.Errorf("events %v", kinds)
	}
	s.want(303, "", answer)
	s.wantCleared(true, answer)
	for _, ended := range []string{fresh, other} {
		s.want(401, "", s.do("GET", "/me", "", "Cookie", ended))
	}
	s.want(200, "bob", s.do("GET", "/me", "", "Cookie", bob))
}

func TestNothingInFlightSurvivesALogout(t *testing.T) {
	for range 8 {
		s := newService(t, session.Config{Lifetime: session.Lifetime{Idle: time.Minute, Absolute: time.Hour},
			TouchInterval: time.Nanosecond})
		server := httptest.NewServer(s.handler)
		cookie := s.login("alice")
		send := func(method, path string) int {
			r, _ := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
			r.Header.Set("Cookie", cookie)
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return 0
			}
			answer.Body.Close()
			return answer.StatusCode
		}
		var group sync.WaitGroup
		for i := range 24 {
			group.Go(func() {
				method, path := "GET", "/me"
				if i == 12 {
					method, path = "POST", "/session/logout"
				}
				if status := send(method, path); status != 200 && status != 401 && status != 303 {
					t.Errorf("%s %s: %d", method, path, status)
				}
			})
		}
		group.Wait()
		if status := send("GET", "/me"); status != 401 {
			t.Errorf("afterwards %d", status)
		}
		server.Close()
	}
}

func TestRevokeOthersKeepsTheOneInUseWithTheNewStamp(t *testing.T) {
	s := newService(t, session.Config{})
	run := func(cookie string, user *person) *http.Response {
		w := httptest.NewRecorder()
		s.guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.set(user.name, user, nil) // the password is changed
			if err := s.RevokeOthers(w, r, user); err != nil {
				s.guard.Refuse(w, r, err)
			}
		})).ServeHTTP(w, withCookie(cookie))
		return w.Result()
	}
	mine, other := s.login("alice"), s.login("alice")
	before, _, _ := s.List(t.Context(), "alice", backend.Page{})
	answer := run(mine, &person{"alice", "a2"})
	s.want(200, "", answer)
	fresh := cookieOf(t, answer)
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", fresh))
	for _, ended := range []string{mine, other} {
		s.want(401, "", s.do("GET", "/me", "", "Cookie", ended))
	}
	after, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(after) != 1 || after[0].ID() != before[1].ID() ||
		!after[0].Created().Equal(before[1].Created()) || !after[0].ExpiresAt().Equal(before[1].ExpiresAt()) {
		t.Errorf("left %v, %v", after, err)
	}

	bob := s.login("bob") // an administrator changes alice's password
	s.want(200, "", run(bob, &person{"alice", "a3"}))
	s.want(200, "bob", s.do("GET", "/me", "", "Cookie", bob))
	if after, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(after) != 0 {
		t.Errorf("left %v, %v", after, err)
	}
}

func TestRenewingChangesTheIdentifierAndNothingElse(t *testing.T) {
	s := newService(t, session.Config{})
	cookie := s.login("alice")
	before, _, _ := s.List(t.Context(), "alice", backend.Page{})
	w := httptest.NewRecorder()
	if err := s.Renew(w, withCookie(cookie)); err != nil {
		t.Fatal(err)
	}
	fresh := cookieOf(t, w.Result())
	if kinds := s.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventIssued, auth.EventLogin,
		auth.EventRefreshed}) {
		t.Errorf("events %v", kinds)
	}
	after, _, _ := s.List(t.Context(), "alice", backend.Page{})
	if len(after) != 1 || after[0].ID() != before[0].ID() || !after[0].ExpiresAt().Equal(before[0].ExpiresAt()) ||
		!after[0].AuthInfo().AuthTime.Equal(before[0].AuthInfo().AuthTime) {
		t.Errorf("%+v, was %+v", after, before)
	}
	s.want(401, "", s.do("GET", "/me", "", "Cookie", cookie))
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", fresh))
	s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", fresh))
	w = httptest.NewRecorder()
	if err := s.Renew(w, withCookie(fresh)); !errors.Is(err, auth.ErrNoCredentials) ||
		w.Result().Header["Set-Cookie"] != nil {
		t.Errorf("after logout: %v, %v", err, w.Result().Header)
	}
}

func TestBehindAProxyThatEndsTLS(t *testing.T) {
	proxies := auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for sentence, row := range map[string]struct {
		peer   string
		status int
		warned bool
		ip     string
	}{
		"a named proxy":     {"10.0.0.1:5", 303, false, "198.51.100.7"},
		"one not named":     {"192.0.2.1:5", 403, false, ""},
		"one without names": {"", 303, true, "192.0.2.9"},
	} {
		s := newServiceBehind(t, session.Config{}, proxies)
		r := httptest.NewRequest("POST", "http://backend.internal/session/login", nil)
		r.Header.Set("X-Login", "alice")
		if r.RemoteAddr = row.peer; row.peer == "" {
			r.RemoteAddr = "192.0.2.9:5"
		} else {
			r.Header.Set("Origin", "https://app.example")
			r.Header.Set("X-Forwarded-Host", "app.example")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
		}
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != row.status || strings.Contains(s.log.text(), "browsers do not keep this cookie") != row.warned {
			t.Errorf("%s: %d %s\n%s", sentence, w.Code, w.Body, s.log.text())
		}
		if list, _, _ := s.List(context.Background(), "alice", backend.Page{}); row.ip != "" &&
			(len(list) != 1 || list[0].IP() != row.ip) {
			t.Errorf("%s: %v", sentence, list)
		}
	}
}
