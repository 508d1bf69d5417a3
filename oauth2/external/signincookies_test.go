package external_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitCookiesOfASignInThatRefuses(t *testing.T) {
	for sentence, configure := range map[string]func(*app, *external.Config){
		"of an account that existed": nil,
		"of an identity that is linked": func(a *app, _ *external.Config) {
			profile := &external.Profile{Provider: "acme", Issuer: a.idp.URL(), Subject: "1"}
			if _, _, err := a.store.Link(t.Context(), profile.Identity("alice", time.Now())); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run("a SignIn that set a session and then refuses gives the browser no session, "+sentence,
			func(t *testing.T) {
				f := newFactors(t, nil, func(a *app, c *external.Config) {
					if configure != nil {
						configure(a, c)
					}
					signIn := c.SignIn
					c.SignIn = func(w http.ResponseWriter, r *http.Request, u auth.User,
						login *external.Credential) error {
						if err := signIn(w, r, u, login); err != nil {
							return err
						}
						return external.ErrNotAllowed
					}
				})
				b := f.browser()
				if b.visit("/login/acme/"); b.who() != "" {
					t.Errorf("signed in as %q beside the page of the refusal", b.who())
				}
			})
	}
}
