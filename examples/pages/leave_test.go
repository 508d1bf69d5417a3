package pages_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// An address that a developer registered is left for by a button, while no user is signed in.
func TestUnitADevelopersAddressIsLeftForByAButton(t *testing.T) {
	browser, p := chromium(t), newLoginProgram(t)
	for i, c := range relyingParties(t) {
		id := "developed-" + string(rune('a'+i))
		registration := server.Registration{ClientID: id, ClientName: "Application of a developer", Owner: "bob",
			RedirectURIs: []string{c.redirect}}
		_, _, err := p.server.AddClient(t.Context(), registration)
		must(t, err)
		for mode, method := range modes {
			t.Run("of "+c.redirect+" by "+mode, func(t *testing.T) {
				b := newTab(t, browser)
				b.open(p.authorize(c, id, "prompt", "create", "response_mode", mode))
				if at := b.at(); !strings.HasPrefix(at, p.url+"/o/authorize/") {
					t.Fatalf("got to %s, want a page of the server", at)
				}
				b.complaints() // of the status 400 of the page
				if method == http.MethodPost {
					b.press("form button.second")
				} else {
					b.press("a.button.second")
				}
				b.receives(c, p, method, "error")
			})
		}
	}
}
