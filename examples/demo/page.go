package main

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pagePolicy allows the page its own style and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// step is something to try: what it shows, and the lines to paste.
type step struct{ Title, Why, Lines string }

var steps = []step{
	{"Log in on two devices", "Each login makes a token of its own. Basic, JSON and form all work.", `
TOKEN='s/.*"token":"\([^"]*\)".*/\1/'
PHONE=$(curl -s -X POST -u alice:correct-horse-battery $URL/auth/login/ | sed "$TOKEN")
LAPTOP=$(curl -s $URL/auth/login/ -H 'Content-Type: application/json' -d '{"username":"alice","password":"correct-horse-battery","name":"laptop"}' | sed "$TOKEN")
echo $PHONE $LAPTOP`},
	{"Use them", "The scheme may be Token or Bearer, in any case.", `
curl -i -H "Authorization: Token $PHONE" $URL/api/me
curl -i -H "Authorization: bearer $LAPTOP" $URL/api/me`},
	{"See your devices", "The one you ask with is marked current.", `
curl -i -H "Authorization: Token $LAPTOP" $URL/auth/tokens/`},
	{"Log out of one", "The other stays. Log out everywhere, and none does.", `
curl -i -X POST -H "Authorization: Token $PHONE" $URL/auth/logout/
curl -i -H "Authorization: Token $PHONE" $URL/api/me
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me
curl -i -X POST -H "Authorization: Token $LAPTOP" $URL/auth/logoutall/
curl -i -H "Authorization: Token $LAPTOP" $URL/api/me`},
	{"Make a token for a script", "It may read reports, for an hour, and nothing else.", `
SCRIPT=$(curl -s -u alice:correct-horse-battery $URL/auth/tokens/ -H 'Content-Type: application/json' -d '{"name":"script","scopes":["reports:read"],"expires_in":3600}' | sed "$TOKEN")
curl -i -H "Authorization: Bearer $SCRIPT" $URL/api/reports
curl -i -X POST -H "Authorization: Bearer $SCRIPT" $URL/api/reports`},
	{"Switch a user off", "A token dies with its user, at once. An inactive user cannot log in, and the answer does not tell why.", `
BOB=$(curl -s -u bob:staple-tractor-lamp -X POST $URL/auth/login/ | sed "$TOKEN")
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/disable
curl -i -H "Authorization: Token $BOB" $URL/api/me
curl -i -X POST -u admin:only-for-the-demo $URL/api/users/bob/enable
curl -i -X POST -u carol:closed-account-99 $URL/auth/login/`},
	{"Send something wrong", "Absent, malformed, unknown and forged are told apart. Nothing bad becomes anonymous.", `
curl -i $URL/api/public
curl -i -H 'Authorization: Token' $URL/api/public
curl -i -H 'Authorization: Token a b' $URL/api/public
curl -i -H 'Authorization: Bearer a b' $URL/api/public
curl -i -H "Authorization: Token $(printf '\377')" $URL/api/public
curl -i -H 'Authorization: Token a' -H 'Authorization: Token b' $URL/api/public
curl -i -H 'Authorization: Digest a' $URL/api/me
curl -i -H 'X-Username: alice' $URL/api/public`},
}

// page shows who you are and what to try. It works without script.
func page(url string) http.Handler {
	parsed := template.Must(template.New("page").Funcs(template.FuncMap{"trim": strings.TrimSpace}).Parse(pageHTML))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", pagePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		_ = parsed.Execute(w, map[string]any{
			"CSS": template.CSS(pageCSS), "URL": url, "Who": identify(r.Context()), "Steps": steps,
			"Users": [][2]string{{"alice", "correct-horse-battery"}, {"bob", "staple-tractor-lamp"},
				{"carol", "closed-account-99 (inactive)"}, {"admin", "only-for-the-demo"}},
		})
	})
}
