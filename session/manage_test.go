package session_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/session"
)

func TestTheListTellsDevicesApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{Remember: monthly})
		start := time.Now().UTC()
		phone := s.login("alice", "User-Agent", "Phone \u202e\x01"+strings.Repeat("x", 300))
		time.Sleep(time.Minute)
		answer := s.do("POST", "/session/login", form("remember", "on"), "X-Login", "alice", "User-Agent", "Laptop")
		laptop := cookieOf(t, answer)
		time.Sleep(5 * time.Minute)
		answer = s.do("GET", "/session/sessions", "", "Cookie", phone)
		var list []struct {
			ID         string
			Created    time.Time
			LastUsed   time.Time `json:"last_used"`
			Expiry     time.Time
			Ends       time.Time
			Remembered bool
			IP         string
			UserAgent  string `json:"user_agent"`
			Current    bool
		}
		if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list) != 2 ||
			answer.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %v, %v, %v, want two sessions, no error and no-store", list, err, answer.Header)
		}
		oldest, newest := list[0], list[1] // the session of the request is first
		if newest.UserAgent != "Laptop" || newest.Current || !newest.Remembered || newest.IP != "192.0.2.1" ||
			!newest.Created.Equal(start.Add(time.Minute)) || !newest.LastUsed.Equal(newest.Created) ||
			!newest.Expiry.Equal(newest.Created.Add(monthly.Idle)) ||
			!newest.Ends.Equal(newest.Created.Add(monthly.Absolute)) {
			t.Errorf("got %+v, want a remembered session of the laptop that was not used since", newest)
		}
		if !oldest.Current || oldest.Remembered || oldest.UserAgent != "Phone "+strings.Repeat("x", 194) ||
			oldest.ID == newest.ID ||
			!oldest.Created.Equal(start) || !oldest.LastUsed.Equal(start.Add(6*time.Minute)) ||
			!oldest.Expiry.Equal(start.Add(66*time.Minute)) || !oldest.Ends.Equal(start.Add(24*time.Hour)) {
			t.Errorf("got %+v, want the session of the request, used after 6 minutes, with the UserAgent cut", oldest)
		}
		answer = s.do("DELETE", "/session/sessions/"+newest.ID, "", "Cookie", phone)
		s.want(204, "", answer)
		s.wantCleared(false, answer)
		s.want(401, "", s.do("GET", "/me", "", "Cookie", laptop))
		answer = s.do("DELETE", "/session/sessions/"+oldest.ID, "", "Cookie", phone)
		s.want(204, "", answer)
		s.wantCleared(true, answer) // its own
	})
}

func TestASessionLimitedToScopesManagesNoOthers(t *testing.T) {
	s := newService(t, session.Config{BeforeLogin: func(_ *http.Request, user auth.User, o *session.Options) error {
		if user.UserID() == "alice" {
			o.Scopes = []string{"reports:read"}
		} else {
			o.Limited = true // to nothing
		}
		return nil
	}})
	limited, other := s.login("alice"), s.login("bob")
	list, _, err := s.List(t.Context(), "alice", backend.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("got %v, %v, want one session and no error", list, err)
	}
	for _, request := range [][2]string{{"GET", "/session/sessions"}, {"DELETE", "/session/sessions"},
		{"DELETE", "/session/sessions/" + list[0].ID()}, {"POST", "/session/logoutall"}} {
		answer := s.do(request[0], request[1], "", "Cookie", limited)
		s.want(403, "", answer)
		s.wantCleared(false, answer)
	}
	for scope, status := range map[string]int{"reports:read": 200, "reports:write": 403} {
		w := httptest.NewRecorder()
		s.guard.Require(auth.Scopes(scope))(http.HandlerFunc(whoami)).ServeHTTP(w, withCookie(limited))
		if w.Code != status {
			t.Errorf("%s: %d", scope, w.Code)
		}
	}
	s.want(200, "alice", s.do("GET", "/me", "", "Cookie", limited))
	s.want(303, "", s.do("POST", "/session/logout", "", "Cookie", limited)) // its own end is always its own
	s.want(401, "", s.do("GET", "/me", "", "Cookie", limited))
	s.want(200, "bob", s.do("GET", "/me", "", "Cookie", other))
	s.want(403, "", s.do("GET", "/session/sessions", "", "Cookie", other))
}

func TestRevokeOthersKeepsOnlyALiveSessionOfItsOwn(t *testing.T) {
	for sentence, row := range map[string]struct {
		meanwhile func(s *service) error // between the proof and the call
		name      string                 // of the Sessions that are asked
	}{
		"the session in use ended meanwhile": {func(s *service) error {
			_, err := s.RevokeAll(t.Context(), "alice")
			return err
		}, "session"},
		"it is another package's or name's": {nil, "admin"},
	} {
		s := newService(t, session.Config{})
		asked := s.Sessions
		if row.name != "session" {
			var err error
			if asked, err = session.New(session.Config{Store: s.store, LoadUser: s.load, Name: row.name}); err != nil {
				t.Fatal(err)
			}
		}
		mine, other := s.login("alice"), s.login("alice")
		w := httptest.NewRecorder()
		s.guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if row.meanwhile != nil {
				if err := row.meanwhile(s); err != nil {
					t.Error(err)
				}
			}
			if err := asked.RevokeOthers(w, r, &person{"alice", "a1"}); err != nil {
				t.Errorf("%s: %v", sentence, err)
			}
		})).ServeHTTP(w, withCookie(mine))
		if got := w.Result().Header["Set-Cookie"]; got != nil {
			t.Errorf("%s: %q", sentence, got)
		}
		for _, cookie := range []string{mine, other} {
			s.want(401, "", s.do("GET", "/me", "", "Cookie", cookie))
		}
	}
}

func TestTheListOfAUserWhoMayNotLogInIsAnError(t *testing.T) {
	s := newService(t, session.Config{})
	s.login("alice")
	s.set("alice", &person{"alice", "a2"}, nil) // the stamp changed
	if list, _, err := s.List(t.Context(), "alice", backend.Page{}); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v, want no sessions and no error", list, err)
	}
	s.set("alice", &person{"alice", "a1"}, auth.ErrUserInactive)
	if list, _, err := s.List(t.Context(), "alice", backend.Page{}); auth.KindOf(err) != auth.ErrInvalid ||
		list != nil {
		t.Errorf("got %v, %v, want no sessions and ErrInvalid", list, err)
	}
}

func TestASessionIsAPrimaryCredentialThatTheBrowserAdds(t *testing.T) {
	s := newService(t, session.Config{Name: "pages"})
	_, credential, err := s.Authenticate(withCookie(s.login("alice")))
	if err != nil {
		t.Fatal(err)
	}
	proof := credential.(*session.Session)
	if !proof.Primary() || !proof.Ambient() || proof.Backend() != "pages" || proof.UserID() != "alice" ||
		proof.ID() == "" {
		t.Errorf("got %+v, want a primary, ambient credential of alice by pages, with an ID", proof)
	}
	if scopes, limited := proof.Scopes(); scopes != nil || limited {
		t.Errorf("%v, %v", scopes, limited)
	}
}

// scoped is a primary credential that is limited.
type scoped struct{ primary }

func (scoped) Scopes() ([]string, bool) { return []string{"reports:read"}, true }

func TestASessionIsWorthNoMoreThanTheProofOfTheLogin(t *testing.T) {
	for wanted, row := range map[string]struct {
		status int
		list   string
	}{"": {303, "reports:read"}, "reports:read": {303, "reports:read"}, "reports:write": {403, ""}} {
		s := newService(t, session.Config{BeforeLogin: func(_ *http.Request, _ auth.User, o *session.Options) error {
			o.Scopes = strings.Fields(wanted)
			return nil
		}})
		handlers,
			err := s.Handlers(s.loginBy(auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return &person{"alice", "a1"}, scoped{}, nil
		}), bearer{}))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handlers.Login.ServeHTTP(w, httptest.NewRequest("POST", "https://app.example/session/login", nil))
		list, _, err := s.List(t.Context(), "alice", backend.Page{})
		if err != nil || w.Code != row.status || (len(list) == 0) != (row.list == "") {
			t.Fatalf("%q: %d, %v, %v", wanted, w.Code, list, err)
		}
		for _, one := range list {
			if scopes, limited := one.Scopes(); !limited || strings.Join(scopes, " ") != row.list {
				t.Errorf("%q: %v, %v", wanted, scopes, limited)
			}
		}
	}
}

func TestHandlersNeedALogin(t *testing.T) {
	s := newService(t, session.Config{})
	noLogin, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.Sessions}})
	if err != nil {
		t.Fatal(err)
	}
	for name, guard := range map[string]*auth.Guard{"no guard": nil, "one without Config.Login": noLogin,
		"one whose login is the session": s.loginBy(s.Sessions)} {
		if _, err := s.Handlers(guard); err == nil || !strings.Contains(err.Error(), "session: Handlers: auth: ") {
			t.Errorf("%s: Handlers returned %v, want an error", name, err)
		}
	}
}

func TestPurgingReportsEachExpiredSessionHoweverManyThereAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, session.Config{Limit: session.NoLimit})
		for range 1001 { // two batches of 500 and a rest
			s.login("alice")
		}
		renewed := s.login("bob")
		if err := s.Renew(httptest.NewRecorder(), withCookie(renewed)); err != nil {
			t.Fatal(err)
		}
		s.kinds()
		if n, err := s.Purge(t.Context(), 500); n != 0 || err != nil {
			t.Errorf("purged %d live ones, %v", n, err)
		}
		time.Sleep(time.Hour)
		// with the tombstone, which is no session
		if n, err := auth.PurgeAll(t.Context(), s.Sessions); n != 1003 || err != nil {
			t.Errorf("purged %d, %v", n, err)
		}
		counts := map[auth.EventKind]int{}
		for _, kind := range s.kinds() {
			counts[kind]++
		}
		if len(counts) != 1 || counts[auth.EventExpired] != 1002 {
			t.Errorf("events %v", counts)
		}
	})
}

func TestNoAnswerToALoginFormRaisesTheBrowsersDialog(t *testing.T) {
	s := newService(t, session.Config{})
	basic, err := header.NewBasic(
		header.BasicConfig{Remember: -1, Check: func(*http.Request, string, string) (auth.User, error) {
			return nil, auth.ErrInvalid
		}})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{basic, s.Sessions},
		Login:  []auth.Authenticator{basic},
		Render: s.RedirectToLogin("/session/login", nil)})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := s.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/session")
	mux.Handle("POST /page", guard.Require()(http.HandlerFunc(whoami)))
	for name, r := range map[string]*http.Request{
		"a form with nothing in it": httptest.NewRequest("POST", "/session/login", nil),
		"a form with a password": httptest.NewRequest("POST", "/session/login",
			strings.NewReader("username=a&password=b")),
		"a logout everywhere":       httptest.NewRequest("POST", "/session/logoutall", nil),
		"the list":                  httptest.NewRequest("GET", "/session/sessions", nil),
		"a page's form, signed out": httptest.NewRequest("POST", "/page", nil),
	} {
		t.Run(name, func(t *testing.T) {
			r.Header.Set("Accept", "text/html")
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			if w.Code == 303 && w.Header().Get("Location") == "/session/login" {
				return
			}
			challenges := strings.Join(w.Header()["Www-Authenticate"], "\n")
			if w.Code != 401 || !strings.HasPrefix(challenges, "Cookie ") || strings.Contains(challenges, "Basic") {
				t.Errorf("%d with challenges %q, want 401 with one that opens no dialog", w.Code, challenges)
			}
		})
	}
}

func TestRegisterRefusesAPrefixThatCanNeverMatch(t *testing.T) {
	s := newService(t, session.Config{})
	handlers, err := s.Handlers(s.guard)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"/session/", "session", "//", "/", "/a//b", "/a/../b"} {
		t.Run(prefix, func(t *testing.T) {
			defer func() {
				if fault := recover(); fault == nil || !strings.Contains(fmt.Sprint(fault), prefix) {
					t.Errorf("Register(%q) went through, or its panic does not name the prefix: %v", prefix, fault)
				}
			}()
			handlers.Register(http.NewServeMux(), prefix)
		})
	}
	handlers.Register(http.NewServeMux(), "")
}
