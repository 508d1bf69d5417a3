package external_test

import (
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// twoClients starts an app with two clients of one issuer, each with a name of its own.
// The second is not known at the double, which issues nothing to it.
func twoClients(t *testing.T) *app {
	t.Helper()
	return newApp(t, func(a *app, c *external.Config) {
		staff := a.acme()
		staff.Name, staff.ClientID = "staff", "another-client"
		c.Providers = []external.Provider{a.acme(), staff}
	})
}

func TestUnitTwoClientsOfOneIssuer(t *testing.T) {
	t.Run("each is sent to the issuer as itself, with a redirect URI of its own", func(t *testing.T) {
		a := twoClients(t)
		for name, client := range map[string]string{"acme": a.idp.ClientID, "staff": "another-client"} {
			q := mustURL(a.browser().do("GET", "/login/"+name+"/", nil).location).Query()
			if q.Get("client_id") != client || q.Get("redirect_uri") != a.url+"/login/"+name+"/callback/" {
				t.Errorf("%s: got %v", name, q)
			}
		}
		a.browser().visit("/login/acme/")
		if p := a.last(); p.Provider != "acme" {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("an ID token is taken by the provider that it is for, and by no other", func(t *testing.T) {
		a := twoClients(t)
		mint := func(aud string) auth.Secret {
			return auth.Secret(a.idp.MintWith(map[string]any{"typ": "JWT"},
				map[string]any{"aud": aud, "sub": "42", "nonce": "n"}))
		}
		for name, row := range map[string]struct{ own, other string }{
			"acme": {a.idp.ClientID, "another-client"}, "staff": {"another-client", a.idp.ClientID},
		} {
			_, proof, err := a.logins.FromIDToken(t.Context(), name, mint(row.own), "n")
			if err != nil || proof.Profile.Provider != name {
				t.Errorf("%s: got %v", name, err)
			}
			if _, _, err := a.logins.FromIDToken(t.Context(), name, mint(row.other), "n"); auth.KindOf(
				err) != auth.ErrInvalid {
				t.Errorf("%s: got %v for the token of the other client, want ErrInvalid", name, err)
			}
		}
		if all := append(a.identities("acme-42"), a.identities("staff-42")...); len(all) != 1 {
			t.Errorf("got %d identities of one subject of one issuer, want one", len(all))
		}
	})
	t.Run("a code of the one is no use at the callback of the other", func(t *testing.T) {
		a := twoClients(t)
		for _, pair := range [][2]string{{"acme", "staff"}, {"staff", "acme"}} {
			b := a.browser()
			start := mustURL(b.do("GET", "/login/"+pair[0]+"/", nil).location).Query()
			back := "/login/" + pair[1] + "/callback/?code=x&iss=" + a.idp.URL() + "&state=" + start.Get("state")
			b.wants(pair[0], b.do("GET", back, nil), 400, "untrusted")
		}
		if n := len(a.idp.TokenRequests()); n != 0 {
			t.Errorf("a code was sent %d times", n)
		}
	})
	t.Run("a token for the other client in a browser's login is refused", func(t *testing.T) {
		a := twoClients(t)
		a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c["aud"] = "another-client" }})
		b := a.browser()
		b.wants("for the other", b.visit("/login/acme/"), 400, "untrusted")
	})
}
