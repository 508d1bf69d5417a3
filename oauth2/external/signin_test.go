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

func TestUnitTokensOfAppsBeforeTheSecondFactor(t *testing.T) {
	t.Run("KeepTokens is not called for an account that existed before an app has passed the second factor",
		func(t *testing.T) {
			f := newFactors(t, nil, func(a *app, c *external.Config) { withApp(a, c); c.Apps.SecondFactor = true })
			if _, _, err := f.redeem(f.browser().code(appStart), verifier); err != nil {
				t.Fatal(err)
			}
			if f.tokens != 0 {
				t.Errorf("it was called %d times, and nothing is linked", f.tokens)
			}
		})
	t.Run("nor where the code is never exchanged", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		f.browser().code(appStart)
		if f.tokens != 0 {
			t.Errorf("it was called %d times", f.tokens)
		}
	})
}

func TestAnAnswerOfItsOwnAsksForASecondFactor(t *testing.T) {
	a := newApp(t, func(_ *app, c *external.Config) {
		c.SignIn = func(w http.ResponseWriter, _ *http.Request, u auth.User, _ *external.Credential) error {
			w.Header().Set("Location", "/second-factor")
			w.WriteHeader(http.StatusSeeOther)
			return external.ErrAnswered
		}
	})
	b := a.browser()
	if p := b.next(b.away("/login/acme/")); p.status != 303 || p.header.Get("Location") != "/second-factor" {
		t.Errorf("got %+v, want 303 to /second-factor", p)
	}
}
