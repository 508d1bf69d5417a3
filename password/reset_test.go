package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

// desk resets the passwords of a service.
type desk struct {
	*service
	mail *mailroom
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	s := newService(t)
	return &desk{s, newMailroom(t, func(c *password.OneTimeConfig) { c.LoadUser = s.load })}
}

func (d *desk) reset(redirect string) *password.Reset {
	d.t.Helper()
	h, err := password.NewReset(d.guard, password.ResetConfig{UpdateConfig: d.updateConfig(),
		Tokens:   d.mail.OneTimeTokens,
		Redirect: redirect})
	if err != nil {
		d.t.Fatal(err)
	}
	return h
}

func resetBody(token, new string) string { return fmt.Sprintf(`{"token":%q,"new":%q}`, token, new) }

func TestAResetStoresTheNewPasswordAndEndsEverything(t *testing.T) {
	d := newDesk(t)
	token := d.mail.issue("alice", password.PurposeReset, "alice@example.org")
	other := d.mail.issue("alice", password.PurposeReset, "alice@example.org")
	verify := d.mail.issue("alice", password.PurposeVerifyEmail, "alice@example.org")
	r := post(typeForm, "token="+token+"&new=umbrella+cabinet+tractor")
	r.Header.Set("Accept", "text/html")
	w := serve(d.reset("/login"), r)
	if w.Code != 303 || w.Header().Get("Location") != "/login" || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s, want 303 to /login with no-store", w.Code, w.Header(), w.Body)
	}
	if !d.is("alice", newOne) || !d.is("bob", oldOne) {
		t.Errorf("stored %q", d.stored)
	}
	for _, revoker := range []*recorder{d.others, d.more} {
		if want := []string{"alice with a new stamp keeps nothing"}; !slices.Equal(revoker.calls, want) {
			t.Errorf("revoked %q, want %q", revoker.calls, want)
		}
	}
	if got, want := d.log.take(), []string{"password_reset alice"}; !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	d.stored["alice"] = cheap // and the stamp of before, as for users without one
	for _, token := range []string{token, other} {
		if w := serve(d.reset(""), post(typeJSON, resetBody(token, newOne))); code(w) != "400 invalid_token" {
			t.Errorf("again: %s", code(w))
		}
	}
	if _, _, err := d.mail.Check(t.Context(), password.PurposeVerifyEmail, verify); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("a link to verify: %v", err)
	}
}

// A user that is logged in in the browser, well or badly, does not count here.
func TestAResetTakesNoNoticeOfWhoSendsIt(t *testing.T) {
	for name, prove := range map[string]func(d *desk, r *http.Request){
		"a good token": func(d *desk, r *http.Request) { d.withToken(r, knox.Options{}) },
		"a bad token":  func(_ *desk, r *http.Request) { r.Header.Set("Authorization", "Token garbage") },
		"two headers":  func(_ *desk, r *http.Request) { r.Header["Authorization"] = []string{"Token a", "Token b"} },
	} {
		for _, inside := range []bool{false, true} {
			d := newDesk(t)
			r := post(typeJSON, resetBody(d.mail.issue("alice", password.PurposeReset, ""), newOne))
			var handler http.Handler = d.reset("")
			if inside && name == "a good token" { // mounted where it need not be
				handler = d.guard.Require()(handler)
			}
			prove(d, r)
			if w := serve(handler, r); w.Code != 204 || !d.is("alice", newOne) {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
			if want := []string{"alice with a new stamp keeps nothing"}; !slices.Equal(d.others.calls, want) {
				t.Errorf("%s: revoked %q", name, d.others.calls)
			}
		}
	}
}

func TestResetsThatAreRefused(t *testing.T) {
	d := newDesk(t)
	reset := d.reset("/login")
	token := d.mail.issue("alice", password.PurposeReset, "")
	crossSite := post(typeJSON, resetBody(token, newOne))
	crossSite.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, row := range []struct {
		name string
		r    *http.Request
		want string
	}{
		{"a page of another origin", crossSite, "403 cross_origin"},
		{"another method", httptest.NewRequest("GET", "/", nil), "405 method_not_allowed"},
		{"no token", post(typeJSON, `{"new":"`+newOne+`"}`), "400 invalid_request"},
		{"no new password", post(typeForm, "token="+token), "400 invalid_request"},
		{"another type", post("text/plain", resetBody(token, newOne)), "415 unsupported_media_type"},
		{"the token in the query", httptest.NewRequest("POST", "/?token="+token+"&new=umbrella+cabinet+tractor", nil),
			"400 invalid_request"},
		{"garbage", post(typeJSON, resetBody("garbage", newOne)), "400 invalid_token"},
		{"garbage and a weak password", post(typeJSON, resetBody("garbage", "weak")), "400 invalid_token"},
		{"a token of another purpose",
			post(typeJSON, resetBody(d.mail.issue("alice", password.PurposeVerifyEmail, ""), newOne)),
			"400 invalid_token"},
		{"a weak password", post(typeJSON, resetBody(token, "weak")), "400 password_too_short"},
		{"a password like the username", post(typeJSON, resetBody(token, "alice.liddell.alice")),
			"400 password_too_similar"},
	} {
		w := serve(reset, row.r)
		if got := code(w); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		if w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %v", row.name, w.Header())
		}
		d.untouched(row.name)
	}
	if w := serve(reset, post(typeJSON, resetBody(token, newOne))); w.Code != 204 {
		t.Errorf("none of these used the token up, but now: %s", code(w))
	}
}

func TestAPreflightIsTheGuards(t *testing.T) {
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	if w := serve(newDesk(t).reset(""), r); w.Code != 204 {
		t.Errorf("got %d %s, want 204", w.Code, w.Body)
	}
	if w := serve(newDesk(t).reset(""), httptest.NewRequest("OPTIONS", "/", nil)); w.Code != 204 ||
		!strings.Contains(w.Header().Get("Allow"), "POST") {
		t.Errorf("got %d %v, want 204 with POST in Allow", w.Code, w.Header())
	}
}

func TestWhatHoldsIfAResetFails(t *testing.T) {
	down := errors.New("down")
	for _, row := range []struct {
		name    string
		breaks  func(d *desk)
		want    string
		changed bool
		usedUp  bool
	}{
		{"the store of the tokens", func(d *desk) { d.mail.store.fault = down }, "503 unavailable", false, false},
		{"loading the user", func(d *desk) { d.loading = down }, "503 unavailable", false, false},
		{"storing", func(d *desk) { d.inSet = func() error { return down } }, "503 unavailable", false, true},
		{"a change was first", func(d *desk) { d.inSet = func() error { return password.ErrChanged } },
			"400 invalid_token", false, true},
		{"loading the user after that", func(d *desk) { d.inSet = func() error { d.loading = down; return nil } },
			"503 unavailable", true, true},
		{"revoking", func(d *desk) { d.others.fault = down }, "503 unavailable", true, true},
	} {
		d := newDesk(t)
		token := d.mail.issue("alice", password.PurposeReset, "")
		row.breaks(d)
		w := serve(d.reset(""), post(typeJSON, resetBody(token, newOne)))
		if got := code(w); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
		if told := strings.Contains(w.Body.String(), `"password_changed":true`); told != row.changed ||
			d.is("alice", newOne) != row.changed {
			t.Errorf("%s: told that it was changed: %v; it was: %v", row.name, told, d.is("alice", newOne))
		}
		d.mail.store.fault, d.loading, d.inSet, d.stored["alice"] = nil, nil, nil, cheap
		if usedUp := !d.mail.good(token); usedUp != row.usedUp {
			t.Errorf("%s: used up: %v", row.name, usedUp)
		}
	}
}

// The loader of the tokens may admit users that the loader of the guard refuses. Their
// resets are no outage, or each of them would be one.
func TestAUserWhoMayNotLogInYetResetsTheirPassword(t *testing.T) {
	d := newDesk(t)
	update := d.updateConfig()
	update.LoadUser = func(context.Context, string) (auth.User, error) { return nil, auth.ErrUserInactive }
	reset, err := password.NewReset(d.guard, password.ResetConfig{UpdateConfig: update, Tokens: d.mail.OneTimeTokens})
	if err != nil {
		t.Fatal(err)
	}
	token := d.mail.issue("alice", password.PurposeReset, "")
	if w := serve(reset, post(typeJSON, resetBody(token, newOne))); w.Code != 204 || !d.is("alice", newOne) {
		t.Errorf("got %d %s, want 204 and the new password", w.Code, w.Body)
	}
	for _, revoker := range []*recorder{d.others, d.more} {
		if want := []string{"alice with the old stamp keeps nothing"}; !slices.Equal(revoker.calls, want) {
			t.Errorf("revoked %q, want %q", revoker.calls, want)
		}
	}
}

func TestOf8ResetsWithOneTokenOneSucceeds(t *testing.T) {
	d := newDesk(t)
	d.hasher = newHasher(t, password.HasherConfig{MaxWait: time.Minute}) // 8 hashes on a machine that is busy
	token := d.mail.issue("alice", password.PurposeReset, "")
	update := d.updateConfig()
	update.Revokers, update.AllowNoRevokers = nil, true
	reset, err := password.NewReset(d.guard, password.ResetConfig{UpdateConfig: update, Tokens: d.mail.OneTimeTokens})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	outcomes := map[int]int{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			w := serve(reset, post(typeJSON, resetBody(token, fmt.Sprint("umbrella cabinet ", i))))
			mu.Lock()
			defer mu.Unlock()
			outcomes[w.Code]++
		})
	}
	group.Wait()
	if outcomes[204] != 1 || outcomes[400] != 7 {
		t.Errorf("got %v, want one 204 and seven 400", outcomes)
	}
}

func TestNewResetRefusesContradictions(t *testing.T) {
	d := newDesk(t)
	noRevokers := d.updateConfig()
	noRevokers.Revokers = nil
	for name, config := range map[string]password.ResetConfig{
		"no tokens":        {UpdateConfig: d.updateConfig()},
		"no configuration": {Tokens: d.mail.OneTimeTokens},
		"nobody revokes":   {UpdateConfig: noRevokers, Tokens: d.mail.OneTimeTokens},
		"another site":     {UpdateConfig: d.updateConfig(), Tokens: d.mail.OneTimeTokens, Redirect: "//example.org"},
	} {
		if _, err := password.NewReset(d.guard, config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := password.NewReset(
		nil, password.ResetConfig{UpdateConfig: d.updateConfig(), Tokens: d.mail.OneTimeTokens}); err == nil {
		t.Error("no guard: no error")
	}
}

func TestNoAnswerOrEventHoldsAPassword(t *testing.T) {
	d := newDesk(t)
	const secret = "hunter2-never-logged"
	change, reset := d.change(""), d.reset("")
	token := d.mail.issue("alice", password.PurposeReset, "")
	d.inSet = func() error { return errors.New("down") }
	for _, w := range []*httptest.ResponseRecorder{
		serve(change, d.changes(typeJSON, `{"old":"`+secret+`","new":"`+newOne+`"}`)),
		serve(change, d.changes(typeJSON, `{"old":"`+secret+`","new":"`+secret+`"}`)),
		serve(change, d.changes(typeJSON, `{"old":"`+oldOne+`","new":"`+secret+`"}`)),
		serve(change, d.changes(typeForm, "old="+secret+"%zz&new="+secret)),
		serve(reset, post(typeJSON, resetBody(secret, secret))),
		serve(reset, post(typeJSON, resetBody(token, secret))),
		serve(reset, post(typeJSON, resetBody(token, secret))),
	} {
		if w.Code < 400 || strings.Contains(w.Body.String(), secret) || strings.Contains(w.Body.String(), token) {
			t.Errorf("got %d %s, want a refusal that shows no secret and no token", w.Code, w.Body)
		}
	}
	if events := fmt.Sprintf("%+v %s", d.log.events, &d.logged); !strings.Contains(
		events, "storing a password: down") || strings.Contains(events, secret) || strings.Contains(events, token) ||
		!strings.Contains(events, "failure") {
		t.Errorf("events %s", events)
	}
}

func FuzzResetBody(f *testing.F) {
	f.Add(true, []byte(`{"token":"garbage","new":"umbrella cabinet tractor"}`))
	f.Add(true, []byte(`{"token":"\u0000","new":null}`))
	f.Add(false, []byte("token=gwonce_&new=x&token"))
	d := newDesk(f)
	reset := d.reset("/login")
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		kind := typeForm
		if isJSON {
			kind = typeJSON
		}
		r := post(kind, string(body)).WithContext(context.Background())
		if w := serve(reset, r); w.Code != 400 {
			t.Errorf("got %d %s, want 400", w.Code, w.Body)
		}
	})
}

func TestAResetLinkThatComesBackIsToldAsReuse(t *testing.T) {
	d := newDesk(t)
	token := d.mail.issue("alice", password.PurposeReset, "")
	h := d.reset("")
	if w := serve(h, post(typeJSON, resetBody(token, newOne))); w.Code != 204 {
		t.Fatalf("got %d %s, want 204", w.Code, w.Body)
	}
	d.mail.log.take()
	if w := serve(h, post(typeJSON, resetBody(token, newOne))); w.Code != 400 {
		t.Errorf("got %d %s, want 400", w.Code, w.Body)
	}
	if got := d.mail.log.take(); !slices.Equal(got, []string{"reuse alice"}) {
		t.Errorf("events %q", got)
	}
}
