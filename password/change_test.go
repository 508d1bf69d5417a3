package password_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

const changeBody = `{"old":"` + oldOne + `","new":"` + newOne + `"}`

func TestAChangeStoresTheNewPasswordAndEndsWhatWasIssuedBefore(t *testing.T) {
	s := newService(t)
	r := s.changes(typeJSON, changeBody)
	s.log.take()
	w := serve(s.change(""), r)
	if w.Code != 204 || w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s, want 204, an empty body and no-store", w.Code, w.Header(), w.Body)
	}
	if !s.is("alice", newOne) || !s.is("bob", oldOne) || strings.HasPrefix(s.stored["alice"], "$argon2id$v=19$m=256") {
		t.Errorf("stored %q", s.stored)
	}
	for _, revoker := range []*recorder{s.others, s.more} {
		if want := []string{"alice with a new stamp keeps alice's token"}; !slices.Equal(revoker.calls, want) {
			t.Errorf("revoked %q, want %q", revoker.calls, want)
		}
	}
	if w.Header().Get("Set-Cookie") == "" {
		t.Error("the renewed cookie is not sent")
	}
	if got, want := s.log.take(), []string{"success alice", "password_changed alice"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if w := serve(s.change(""), s.changes(typeJSON, changeBody)); code(w) != "400 password_incorrect" {
		t.Errorf("the old one again: %s", code(w))
	}
}

func TestWhereABrowserGoesAfterAChange(t *testing.T) {
	form := "old=" + oldOne + "&new=umbrella+cabinet+tractor"
	for _, row := range []struct {
		name, redirect, kind, body, accept string
		want                               int
	}{
		{"a browser's form", "/account?saved=1", typeForm, form, "text/html,application/xhtml+xml", 303},
		{"a form of a program", "/account", typeForm, form, "*/*", 204},
		{"a form, and no place to go", "", typeForm, form, "text/html", 204},
		{"JSON", "/account", typeJSON, changeBody, "text/html", 204},
	} {
		s := newService(t)
		r := s.changes(row.kind, row.body)
		r.Header.Set("Accept", row.accept)
		w := serve(s.change(row.redirect), r)
		if w.Code != row.want || !s.is("alice", newOne) {
			t.Errorf("%s: %d %s", row.name, w.Code, w.Body)
		}
		if location := w.Header().Get("Location"); location != map[int]string{303: row.redirect}[w.Code] {
			t.Errorf("%s: Location %q", row.name, location)
		}
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	s := newService(t)
	change := s.change("")
	json := func(old, new string) *http.Request {
		return s.changes(typeJSON, fmt.Sprintf(`{"old":%q,"new":%q}`, old, new))
	}
	crossSite := json(oldOne, newOne)
	crossSite.Header.Set("Sec-Fetch-Site", "cross-site")
	anonymous := post(typeJSON, changeBody)
	limited := s.withToken(post(typeJSON, changeBody), knox.Options{Scopes: []string{"all"}})
	get := json(oldOne, newOne)
	get.Method = "GET"
	for _, row := range []struct {
		name string
		r    *http.Request
		want string
	}{
		{"nobody", anonymous, "401 not_authenticated"},
		{"a token limited to scopes", limited, "403 insufficient_scope"},
		{"a page of another origin", crossSite, "403 cross_origin"},
		{"another method", get, "405 method_not_allowed"},

		{"no body", s.changes(typeJSON, ""), "400 invalid_request"},
		{"another type", s.changes("text/plain", changeBody), "415 unsupported_media_type"},
		{"broken JSON", s.changes(typeJSON, changeBody[1:]), "400 invalid_request"},
		{"no old password", s.changes(typeJSON, `{"new":"`+newOne+`"}`), "400 invalid_request"},
		{"no new password", s.changes(typeForm, `old=password`), "400 invalid_request"},
		{"two new passwords", s.changes(typeForm, `old=password&new=umbrella+cabinet&new=umbrella+cabinet`),
			"400 invalid_request"},
		{"a number", s.changes(typeJSON, `{"old":"password","new":1}`), "400 invalid_request"},
		{"not UTF-8", s.changes(typeForm, `old=password&new=%ff`), "400 invalid_request"},
		{"too long a body", s.changes(typeForm, `old=password&new=umbrella&x=`+strings.Repeat("x", 8192)),
			"400 invalid_request"},

		{"the wrong old password", json("passwort", newOne), "400 password_incorrect"},
		{"an empty old password", json("", newOne), "400 password_incorrect"},
		{"the old password, longer than any", json(strings.Repeat("x", 4097), newOne), "400 invalid_request"},
		{"a short new password", json(oldOne, "gT7#kq9vLm2!xW"), "400 password_too_short"},
		{"a new password like the username", json(oldOne, "alice.liddell.alice"), "400 password_too_similar"},
		{"too long a new password", json(oldOne, strings.Repeat("x", 4097)), "400 password_too_long"},
		{"the new password is the old one", json(newOne, newOne), "400 password_unchanged"},
	} {
		w := serve(change, row.r)
		if got := code(w); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (w.Code == 401) &&
			row.name != "a token limited to scopes" {
			t.Errorf("%s: %v", row.name, w.Header())
		}
		if row.want[:3] == "405" && w.Header().Get("Allow") != "OPTIONS, POST" &&
			w.Header().Get("Allow") != "POST, OPTIONS" {
			t.Errorf("Allow: %q", w.Header().Get("Allow"))
		}
		s.untouched(row.name)
	}
}

func TestMachinesHaveNoPassword(t *testing.T) {
	s := newService(t)
	guard, err := auth.New(auth.Config{Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return auth.Machine{ID: "alice"}, nil, nil
		})}})
	if err != nil {
		t.Fatal(err)
	}
	s.guard = guard
	if w := serve(s.change(""), post(typeJSON, changeBody)); w.Code != 403 {
		t.Errorf("got %d %s, want 403", w.Code, w.Body)
	}
	s.untouched("a machine")
}

func TestAllThatIsWrongWithANewPasswordIsTold(t *testing.T) {
	s := newService(t)
	w := serve(s.change(""), s.changes(typeJSON, `{"old":"12345","new":"12345"}`))
	var body struct {
		Code, Detail string
		Errors       []struct{ Code, Detail string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 400 {
		t.Fatalf("got %v, %v, want 400 with a JSON object", w.Code, err)
	}
	var got []string
	for _, e := range body.Errors {
		got = append(got, e.Code)
		if e.Detail == "" {
			t.Errorf("%s has no detail", e.Code)
		}
	}
	if want := []string{short, common, numeric, "password_unchanged"}; !slices.Equal(got, want) ||
		body.Code != want[0] || body.Detail != body.Errors[0].Detail {
		t.Errorf("%+v, want %q", body, want)
	}
	if s.render == nil || s.render.Status != 400 || s.render.Extensions["errors"] == nil {
		t.Errorf("Render was given %+v", s.render)
	}
}

func TestGuessingTheOldPasswordIsSlowedDown(t *testing.T) {
	s := newService(t)
	change := s.change("")
	for i := range 5 {
		if w := serve(change, s.changes(typeJSON, `{"old":"wrong","new":"`+newOne+`"}`)); code(
			w) != "400 password_incorrect" {
			t.Errorf("try %d: %s", i, code(w))
		}
	}
	if got := s.log.take(); len(got) != 10 || got[9] != "failure alice" {
		t.Errorf("events %q, want one success of the token and one failure for each try", got)
	}
	w := serve(change, s.changes(typeJSON, changeBody))
	if got, want := s.log.take(), []string{"success alice", "failure "}; !slices.Equal(got, want) { // the guard's
		t.Errorf("events %q, want %q", got, want)
	}
	if code(w) != "429 throttled" || w.Header().Get("Retry-After") == "" {
		t.Errorf("then: %s %v", code(w), w.Header())
	}
	if _, err := s.login.Check(post(typeJSON, ""), "alice@", oldOne); !errors.Is(err, auth.ErrThrottled) {
		t.Errorf("a login: %v", err)
	}
	s.untouched("throttled")
}

func TestAWeakNewPasswordUsesUpNoTry(t *testing.T) {
	s := newService(t)
	change := s.change("")
	for range 10 {
		serve(change, s.changes(typeJSON, `{"old":"wrong","new":"short"}`))
	}
	if w := serve(change, s.changes(typeJSON, changeBody)); w.Code != 204 {
		t.Errorf("got %v, want 204", code(w))
	}
}

func TestThePasswordOfAnotherUserIsNotOnesOwn(t *testing.T) {
	s := newService(t)
	s.names["alice"] = "bob" // the name is bob's by now
	if w := serve(s.change(""), s.changes(typeJSON, changeBody)); code(w) != "400 password_incorrect" {
		t.Errorf("got %v, want 400 password_incorrect", code(w))
	}
	s.untouched("renamed")
}

func TestWhatHoldsIfAChangeFails(t *testing.T) {
	down := errors.New("down")
	for _, row := range []struct {
		name    string
		breaks  func(s *service)
		want    string
		changed bool
		revoked string // what each revoker was asked
	}{
		{"storing", func(s *service) { s.inSet = func() error { return down } }, "503 unavailable", false, ""},
		{"storing, with a kind that is none of its business", func(s *service) {
			s.inSet = func() error { return auth.ErrInvalid }
		}, "503 unavailable", false, ""},
		{"another change was first", func(s *service) {
			s.inSet = func() error { return fmt.Errorf("users: %w", password.ErrChanged) }
		}, "400 password_incorrect", false, ""},
		{"another change was first, and its error claims more", func(s *service) {
			s.inSet = func() error { return fmt.Errorf("%w: %w", auth.ErrThrottled, password.ErrChanged) }
		}, "400 password_incorrect", false, ""},
		{"loading", func(s *service) { s.inSet = func() error { s.loading = down; return nil } }, "503 unavailable",
			true, "alice with the old stamp keeps alice's token"},
		{"the user is disabled meanwhile", func(s *service) {
			s.inSet = func() error { s.loading = auth.ErrUserInactive; return nil }
		}, "204", true, "alice with the old stamp keeps alice's token"},
		{"the first to revoke", func(s *service) { s.others.fault = down }, "503 unavailable", true,
			"alice with a new stamp keeps alice's token"},
		{"the last to revoke", func(s *service) { s.more.fault = auth.ErrInvalid }, "503 unavailable", true,
			"alice with a new stamp keeps alice's token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newService(t)
			row.breaks(s)
			w := serve(s.change(""), s.changes(typeJSON, changeBody))
			if got := code(w); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			var body map[string]any
			_ = json.Unmarshal(w.Body.Bytes(), &body)
			if told := body["password_changed"] == true || w.Code == 204; told != row.changed ||
				s.is("alice", newOne) != row.changed {
				t.Errorf("told that it was changed: %v; it was: %v", told, s.is("alice", newOne))
			}
			for i, revoker := range []*recorder{s.others, s.more} {
				if got := strings.Join(revoker.calls, ", "); got != row.revoked {
					t.Errorf("revoker %d was asked %q, want %q", i, got, row.revoked)
				}
			}
		})
	}
}

// A loader that is mixed up must not have another user's credentials ended, or
// the stamp of another put on the one in use.
func TestALoaderThatReturnsAnotherUserIsAnOutage(t *testing.T) {
	s := newService(t)
	update := s.updateConfig()
	update.LoadUser = func(context.Context, string) (auth.User, error) { return stamped{"bob", "of bob"}, nil }
	change, err := password.NewChange(s.guard, password.ChangeConfig{UpdateConfig: update, Authenticator: s.login,
		Username: func(u auth.User) string { return u.UserID() + "@" }})
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(change, s.changes(typeJSON, changeBody)); code(w) != "503 unavailable" || !s.is("alice", newOne) {
		t.Errorf("got %d %s, want 503 unavailable and the new password", w.Code, w.Body)
	}
	for _, revoker := range []*recorder{s.others, s.more} {
		if want := []string{"alice with the old stamp keeps alice's token"}; !slices.Equal(revoker.calls, want) {
			t.Errorf("revoked %q, want %q", revoker.calls, want)
		}
	}
}

func TestAClientThatGoesAwayInterruptsNothing(t *testing.T) {
	s := newService(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.inSet = func() error { cancel(); return nil }
	serve(s.change(""), s.changes(typeJSON, changeBody).WithContext(ctx))
	if !s.is("alice", newOne) || len(s.others.calls) != 1 || len(s.more.calls) != 1 || s.others.cancelled ||
		s.more.cancelled {
		t.Errorf("got %+v %+v, want the new password, and one call of each Revoker that nothing cancelled",
			s.others, s.more)
	}
}

func TestOfSeveralChangesAtOnceOneSucceeds(t *testing.T) {
	s := newService(t)
	var together sync.WaitGroup // each reads the old string before any is stored
	together.Add(4)
	login, err := password.New(password.Config{Hasher: s.hasher, AllowUnthrottled: true,
		Account: func(ctx context.Context, username string) (auth.User, string, error) {
			u, stored, err := s.account(ctx, username)
			together.Done()
			together.Wait()
			return u, stored, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.login = login
	update := s.updateConfig()
	update.Revokers, update.AllowNoRevokers = nil, true
	change, err := password.NewChange(s.guard, password.ChangeConfig{UpdateConfig: update, Authenticator: login,
		Username: func(auth.User) string { return "alice@" }})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	outcomes := map[int]int{}
	var group sync.WaitGroup
	for i := range 4 {
		r := s.changes(typeJSON, fmt.Sprintf(`{"old":%q,"new":"umbrella cabinet %d"}`, oldOne, i))
		group.Go(func() {
			w := serve(change, r)
			mu.Lock()
			defer mu.Unlock()
			outcomes[w.Code]++
		})
	}
	group.Wait()
	if outcomes[204] != 1 || outcomes[400] != 3 {
		t.Errorf("got %v, want one 204 and three 400", outcomes)
	}
}

// A login reads alice's row, then the password is changed and all is revoked,
// then the login succeeds: it knew the password. But it comes with the stamp of
// before, which nothing issued for it is accepted with.
func TestALoginThatRacesAChangeHasTheOldStamp(t *testing.T) {
	s := newService(t)
	s.onRead = func() {
		if w := serve(s.change(""), s.changes(typeJSON, changeBody)); w.Code != 204 {
			t.Errorf("got %v, want 204", code(w))
		}
	}
	u, err := s.login.Check(post(typeJSON, ""), "alice@", oldOne)
	if err != nil || u != (stamped{"alice", cheap}) || s.stored["alice"] == cheap {
		t.Errorf("got %v, %v, want alice with the stamp of before, and an upgraded string", u, err)
	}
}

func TestNewChangeRefusesContradictions(t *testing.T) {
	s := newService(t)
	for name, spoil := range map[string]func(c *password.ChangeConfig){
		"no login":            func(c *password.ChangeConfig) { c.Authenticator = nil },
		"no hasher":           func(c *password.ChangeConfig) { c.Hasher = nil },
		"no set":              func(c *password.ChangeConfig) { c.Set = nil },
		"no loader":           func(c *password.ChangeConfig) { c.LoadUser = nil },
		"nobody revokes":      func(c *password.ChangeConfig) { c.Revokers = nil },
		"a nil revoker":       func(c *password.ChangeConfig) { c.Revokers = []auth.Revoker{s.others, nil} },
		"a nil validator":     func(c *password.ChangeConfig) { c.Validators = password.Validators{nil} },
		"another site":        func(c *password.ChangeConfig) { c.Redirect = "https://example.org/" },
		"a host":              func(c *password.ChangeConfig) { c.Redirect = "//example.org/" },
		"a host, hidden":      func(c *password.ChangeConfig) { c.Redirect = `/\example.org/` },
		"a relative path":     func(c *password.ChangeConfig) { c.Redirect = "done" },
		"a host behind a tab": func(c *password.ChangeConfig) { c.Redirect = "/\t/example.org/" },
		"a line break":        func(c *password.ChangeConfig) { c.Redirect = "/\r\nSet-Cookie: a=b" },
	} {
		config := password.ChangeConfig{UpdateConfig: s.updateConfig(), Authenticator: s.login}
		spoil(&config)
		if _, err := password.NewChange(s.guard, config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := password.NewChange(
		nil, password.ChangeConfig{UpdateConfig: s.updateConfig(), Authenticator: s.login}); err == nil {
		t.Error("no guard: no error")
	}
}
