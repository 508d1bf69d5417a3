package main

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestUnitTwoDemosBehaveAsOne starts two demos at once on an empty database, and goes from one to the other.
func TestUnitTwoDemosBehaveAsOne(t *testing.T) {
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) {
			address := engine.address(t)
			args := together(t, address)
			a, b := begin(t, args...), begin(t, args...)
			a.ready()
			b.ready()
			for _, step := range []struct {
				name  string
				check func(t *testing.T, a, b *program)
			}{
				{"the keys are the same", sameKeys},
				{"a token of one works at the other until it is revoked", tokenOfOne},
				{"a session of one works at the other until it is ended", sessionOfOne},
				{"a pair of one is rotated and ended at the other", pairOfOne},
				{"an application is let in at one and gets its token elsewhere", applicationOfOne},
				{"of 16 redemptions of one code at both at most one succeeds", codeAtBoth},
				{"a user is disabled and enabled at one", disabledAtOne},
				{"a changed password ends all at both", passwordAtOne},
			} {
				t.Run(step.name, func(t *testing.T) { step.check(t, a.in(t), b.in(t)) })
			}
			t.Run("one is killed and starts again, and what was issued lasts", func(t *testing.T) {
				token := "Token " + a.login(alice)
				a.in(t).stop(syscall.SIGKILL)
				b.in(t).want(200, "GET", "/api/me", token)
				again := launch(t, args...)
				again.want(200, "GET", "/api/me", token)
				again.want(401, "POST", "/auth/login/", bob) // his password was changed
				if engine.name != "SQLite" && strings.Contains(a.log.text()+b.log.text()+again.log.text(),
					passwordOf(address)) {
					t.Error("a log has the password of the database")
				}
			})
		})
	}
}

// in is the same program in another test.
func (p *program) in(t *testing.T) *program {
	same := *p
	same.t = t
	return &same
}

func sameKeys(t *testing.T, a, b *program) {
	_, first := a.do("GET", "/.well-known/jwks.json", "", "")
	if _, second := b.do("GET", "/.well-known/jwks.json", "", ""); first != second {
		t.Errorf("got %s and %s", first, second)
	}
}

func tokenOfOne(_ *testing.T, a, b *program) {
	token, other := "Token "+a.login(alice), "Token "+b.login(alice)
	a.want(200, "GET", "/api/me", token)
	b.want(200, "GET", "/api/me", token)
	a.want(204, "POST", "/auth/logout/", token)
	b.want(401, "GET", "/api/me", token)
	a.want(200, "GET", "/api/me", other)
	b.want(204, "POST", "/auth/logoutall/", other)
	a.want(401, "GET", "/api/me", other)
}

func sessionOfOne(t *testing.T, a, b *program) {
	here, there := a.signIn(alice), b.signIn(alice)
	here.at(b).want(200, "alice")
	there.at(a).want(200, "alice")
	if got := here.at(b).post("/devices", url.Values{"kind": {"others"}}); got.status != 303 {
		t.Errorf("ending the others: got %d %s", got.status, got.body)
	}
	there.at(a).want(401, "")
	cookie := here.session()
	here.post("/session/logout", nil)
	here.at(b).with(cookie).want(401, "")
}

func pairOfOne(t *testing.T, a, b *program) {
	first := a.pair(alice)
	b.want(200, "GET", "/api/me", "Bearer "+first.access)
	second := pairOf(b.refresh(200, first.refresh))
	a.want(200, "GET", "/api/me", "Bearer "+second.access)
	a.refresh(401, first.refresh) // a replay, which ends the login
	b.want(401, "GET", "/api/me", "Bearer "+second.access)
	b.refresh(401, second.refresh)
	third := b.pair(alice)
	a.members(200, "blacklist/", map[string]string{"refresh": third.refresh})
	b.want(401, "GET", "/api/me", "Bearer "+third.access)
}

func applicationOfOne(t *testing.T, a, b *program) {
	app := newApplication("demo-web", "demo-web-secret")
	v := a.signIn(alice)
	page := v.get(app.at("reports:read"))
	form := url.Values{"allow": {"Allow"}}
	for _, input := range inputPattern.FindAllStringSubmatch(page.body, -1) {
		form.Set(input[1], html.UnescapeString(input[2]))
	}
	allowed := v.at(b).post("/o/authorize/", form) // the question was asked at the other one
	back, err := url.Parse(allowed.header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("no code: %d %q %s", allowed.status, allowed.header.Get("Location"), allowed.body)
	}
	first := a.redeem(200, app, back.Query().Get("code"))
	b.want(200, "GET", "/api/me", "Bearer "+first.Access)
	second := b.renew(200, app, first.Refresh)
	a.want(200, "GET", "/api/me", "Bearer "+second.Access)
	a.renew(400, app, first.Refresh) // a replay, which ends the grant
	b.want(401, "GET", "/api/me", "Bearer "+second.Access)
	b.renew(400, app, second.Refresh)

	code := v.at(b).authorize(app, "reports:read")
	third := a.redeem(200, app, code)
	b.redeem(400, app, code)
	a.want(401, "GET", "/api/me", "Bearer "+third.Access)
}

func codeAtBoth(t *testing.T, a, b *program) {
	app := newApplication("demo-web", "demo-web-secret")
	code := a.signIn(alice).authorize(app, "reports:read")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.redirect},
		"code_verifier": {app.verifier}, "client_id": {app.id}, "client_secret": {app.secret}}.Encode()
	var all sync.WaitGroup
	got := make([]string, 16)
	for i := range got {
		all.Go(func() {
			p := []*program{a, b}[i%2]
			status, text := p.do("POST", "/o/token/", "", form, "Content-Type", "application/x-www-form-urlencoded")
			got[i] = fmt.Sprint(status, " ", text)
		})
	}
	all.Wait()
	succeeded := 0
	for _, answer := range got {
		switch {
		case strings.HasPrefix(answer, "200 "):
			succeeded++
		case !strings.HasPrefix(answer, "400 "):
			t.Errorf("got %s, want 200 or 400", answer)
		}
	}
	if succeeded > 1 {
		t.Errorf("%d redemptions succeeded, want at most one", succeeded)
	}
}

func disabledAtOne(_ *testing.T, a, b *program) {
	token, session := "Token "+b.login(bob), b.signIn(bob)
	a.want(204, "POST", "/api/users/bob/disable", admin)
	a.want(204, "POST", "/api/users/bob/disable", admin) // it is the case already
	b.want(401, "GET", "/api/me", token)
	session.want(401, "")
	b.want(401, "POST", "/auth/login/", bob)
	b.want(204, "POST", "/api/users/bob/enable", admin)
	a.want(200, "GET", "/api/me", token)
	a.want(404, "POST", "/api/users/Bob/disable", admin)
}

func passwordAtOne(t *testing.T, a, b *program) {
	token, pair, session := "Token "+b.login(bob), b.pair(bob), a.signIn(bob)
	code := session.authorize(newApplication("demo-web", "demo-web-secret"), "reports:read")
	got := session.post("/session/password", url.Values{"old": {"staple-tractor-lamp"}, "new": {"another-lamp-burns"}})
	if got.status != 303 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	session.at(b).want(200, "bob")
	b.want(401, "GET", "/api/me", token)
	b.want(401, "GET", "/api/me", "Bearer "+pair.access)
	b.refresh(401, pair.refresh)
	b.redeem(400, newApplication("demo-web", "demo-web-secret"), code)
	b.want(401, "POST", "/auth/login/", bob)
	b.login("bob:another-lamp-burns")
}
