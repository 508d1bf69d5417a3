// Package pages_test looks at answers to people in a real browser. On no answer of the
// library may the browser open its own password dialog, because it hides the page that
// says what went wrong.
package pages_test

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// visit is what a person does, and where it leads.
type visit struct {
	method, path string
	fields       url.Values
	status       int64
	at           string // path of the page it leads to, "" if it is that of the visit
	login        bool   // with RedirectToLogin, it leads to the login form instead
}

func fields(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

// Other tests rely on this: the test's browser tells when it would open its dialog.
func TestUnitBrowserOpensItsDialogForBasic(t *testing.T) {
	b, p := newBrowser(t), newProgram(t, kind{basic: true})
	for name, v := range map[string]visit{
		"a page behind a guard that may open the dialog": {method: "GET", path: "/account"},
		"a form behind a guard that may open the dialog": {method: "POST", path: "/account", fields: fields("a", "b")},
	} {
		t.Run(name, func(t *testing.T) {
			status, _ := b.do(p, v)
			got, want := b.seen(), "basic at "+v.method+" "+p.url+v.path
			if status != 401 || len(got) != 1 || got[0] != want {
				t.Errorf("want 401 and the dialog %q, got %d and %q", want, status, got)
			}
		})
	}
}

func TestUnitPagesOpenNoDialog(t *testing.T) {
	b := newBrowser(t)
	for name, k := range map[string]kind{
		"the program of session/example_test.go":  {login: "/session/login"},
		"a guard with Basic":                      {basic: true, login: "/session/login"},
		"a guard with Basic and no Render":        {basic: true},
		"a guard with another challenge of Basic": {challenge: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, k)
			b.signOut()
			b.makes(t, p, signedOut)
			if k.login != "" {
				b.makes(t, p, signedOutOfPages)
			}
			b.makes(t, p, signingIn)
			b.makes(t, p, signedIn)
			if _, err := p.sessions.RevokeAll(t.Context(), p.user.name); err != nil {
				t.Fatal(err)
			}
			b.makes(t, p, ended)
			if k.basic {
				b.sendsAnOldPassword()
				b.makes(t, p, oldPassword)
			}
		})
	}
}

// RedirectToLogin does not redirect from its own page to itself.
func TestUnitLoginPageBehindTheGuardOpensNoDialog(t *testing.T) {
	b, p := newBrowser(t), newProgram(t, kind{basic: true, login: "/account"})
	b.makes(t, p, map[string]visit{
		"the page": {"GET", "/account", nil, 401, "", false},
		"the form": {"POST", "/account", fields("username", "alice"), 401, "", false},
	})
}

// signedOut are visits to handlers of the library by a visitor that is not signed in.
var signedOut = map[string]visit{
	"the login form with a wrong password": {"POST", "/session/login",
		fields("username", "alice", "password", "wrong"), 401, "", false},
	"the login form of an unknown user": {"POST", "/session/login",
		fields("username", "bob", "password", "wrong"), 401, "", false},
	"the login form without fields": {"POST", "/session/login", nil, 401, "", false},
	"the login form with empty fields": {"POST", "/session/login",
		fields("username", "", "password", ""), 401, "", false},
	"the login form without a password": {"POST", "/session/login", fields("username", "alice"), 400, "", false},
	"logout everywhere":                 {"POST", "/session/logoutall", nil, 401, "", true},
	"the list of sessions":              {"GET", "/session/sessions", nil, 401, "", true},
	"a change of the password": {"POST", "/password/change",
		fields("old", rightPassword, "new", newPassword), 401, "", true},
	"a reset of the password with a bad token": {"POST", "/password/reset",
		fields("token", "bad", "new", newPassword), 400, "", false},
	"an answer to the consent page": {"POST", "/o/authorize/",
		fields("interaction", "gone", "allow", "Allow"), 403, "", false},
	"the list of applications with access": {"GET", "/o/authorized_tokens/", nil, 200, "/session/login", false},
	"ending the access of an application":  {"POST", "/o/authorized_tokens/id/delete/", nil, 403, "", false},
	"the list of one's own applications":   {"GET", "/o/applications/", nil, 200, "/session/login", false},
	"registering an application":           {"POST", "/o/applications/register/", fields("name", "x"), 403, "", false},
	"linking an external account":          {"POST", "/login/github/link/", nil, 403, "", false},
	"unlinking an external account":        {"POST", "/login/github/unlink/", fields("id", "x"), 403, "", false},
}

// signedOutOfPages are visits to a page of the program behind guard.Require.
var signedOutOfPages = map[string]visit{
	"a page":       {"GET", "/account", nil, 401, "", true},
	"a stale form": {"POST", "/account", fields("a", "b"), 401, "", true},
}

var signingIn = map[string]visit{
	"the login form with the right password": {"POST", "/session/login",
		fields("username", "alice", "password", rightPassword, "next", "/account"), 200, "/account", false},
}

// signedIn are visits after that.
var signedIn = map[string]visit{
	"the login form again, with a wrong password": {"POST", "/session/login",
		fields("username", "alice", "password", "wrong"), 401, "", false},
	"a change of the password with a wrong old one": {"POST", "/password/change",
		fields("old", "wrong", "new", newPassword), 400, "", false},
	"a change of the password without fields": {"POST", "/password/change", nil, 400, "", false},
	"an answer to a consent page that is gone": {"POST", "/o/authorize/",
		fields("interaction", "gone", "allow", "Allow"), 403, "", false},
}

// ended is a visit with the cookie of a session that has ended.
var ended = map[string]visit{
	"logout everywhere, after the session's end": {"POST", "/session/logoutall", nil, 401, "", true},
}

// oldPassword are visits by a browser with a dialog that was answered on another page, before
// the password was changed.
var oldPassword = map[string]visit{
	"the list of applications with access, with an old password": {"GET", "/o/authorized_tokens/", nil, 401, "", false},
	"a change of the password, with an old password": {"POST", "/password/change",
		fields("old", rightPassword, "new", newPassword), 401, "", false},
}

// makes makes visits, each in a subtest.
func (b *browser) makes(t *testing.T, p *program, visits map[string]visit) {
	for name, v := range visits {
		t.Run(name, func(t *testing.T) {
			status, at := v.status, cmp.Or(v.at, v.path)
			if v.login && p.kind.login != "" {
				status, at = 200, p.kind.login
			}
			if got, path := b.do(p, v); got != status || path != at {
				t.Errorf("want %d at %s, got %d at %s", status, at, got, path)
			}
			if got := b.seen(); len(got) > 0 {
				t.Errorf("want no dialog of the browser, got %q", got)
			}
		})
	}
}

// do opens the path, or sends a form that posts to it.
func (b *browser) do(p *program, v visit) (status int64, path string) {
	b.t.Helper()
	if v.method == http.MethodGet {
		return b.open(p.url + v.path)
	}
	query := url.Values{"to": {v.path}}
	for name, values := range v.fields {
		query[name] = values
	}
	if status, _ := b.open(p.url + "/form?" + query.Encode()); status != 200 {
		b.t.Fatalf("want 200 for the form, got %d", status)
	}
	return b.press()
}

// signOut forgets all cookies and passwords. Programs of one host share cookies, whatever
// their ports.
func (b *browser) signOut() {
	b.t.Helper()
	b.run(network.ClearBrowserCookies(), network.SetExtraHTTPHeaders(network.Headers{}))
}

// sendsAnOldPassword makes the browser send one with every request.
func (b *browser) sendsAnOldPassword() {
	b.t.Helper()
	b.run(network.SetExtraHTTPHeaders(network.Headers{
		"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:old"))}))
}
