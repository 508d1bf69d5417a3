package main

import (
	"net/http"
	"regexp"

	"github.com/gatewarden/auth/page"
)

// What may come to /callback from anywhere is shown only if it looks as it should. A code stands in a line to paste
// into a shell, where other characters could be a command.
var (
	codePattern  = regexp.MustCompile(`^[0-9A-Za-z_]{20,128}$`)
	errorPattern = regexp.MustCompile(`^[0-9a-z_]{1,64}$`)
	statePattern = regexp.MustCompile(`^[0-9A-Za-z._~-]{1,512}$`)
)

// ifMatches returns the value if it matches the pattern, and otherwise "".
func ifMatches(pattern *regexp.Regexp, value string) string {
	if !pattern.MatchString(value) {
		return ""
	}
	return value
}

// callback is the redirect URI of demo-web: it shows what to do with the code.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	a.pages.write(w, page.WithGuard(r, a.guard), http.StatusOK, "callback", view{Title: "A code", Page: Page{URL: a.url,
		Answer: ifMatches(errorPattern, r.FormValue("error")),
		callbackPage: callbackPage{Code: ifMatches(codePattern, r.FormValue("code")),
			State:     ifMatches(statePattern, r.FormValue("state")),
			LoginCode: ifMatches(codePattern, r.FormValue("login_code"))}}})
}
