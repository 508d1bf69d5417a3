package authtest_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// forge is a provider of a stranger, at its double.
func forge(idp *authtest.Provider) external.OAuth2 {
	at := idp.URL() + "/forge"
	return external.OAuth2{
		Name: "forge", Issuer: at, AuthorizeURL: at + "/authorize", TokenURL: at + "/token",
		ClientID: idp.ClientID, ClientSecret: idp.ClientSecret,
		Profile: func(ctx context.Context, api *external.API) (*external.Profile, error) {
			me, err := api.Get(ctx, at+"/me")
			if err != nil {
				return nil, err
			}
			return &external.Profile{Subject: external.ID(me, "id"), Name: external.Text(me, "full_name"), Claims: me,
					Email: external.Email{Address: external.Exact(me, "mail"),
						Verified: external.Flag(me, "confirmed")}},
				nil
		},
	}
}

// forgeDouble imitates it.
func forgeDouble() authtest.FakeProvider {
	return authtest.FakeProvider{
		Name: "Forge", Authorize: "/forge/authorize", Token: "/forge/token", Me: "/forge/me",
		Profile: func(s *authtest.SignedIn, _ *http.Request) (int, map[string]any) {
			return http.StatusOK, map[string]any{"id": s.Person.Subject, "full_name": s.Person.Name,
				"mail": s.Person.Email, "confirmed": s.Person.EmailVerified}
		},
	}
}

func TestUnitExternal(t *testing.T) {
	t.Run("a provider of a stranger conforms, with a double of its own", func(t *testing.T) {
		idp := authtest.NewProvider(t, forgeDouble())
		authtest.External(t, authtest.ExternalCases{Provider: forge(idp), At: idp, Want: external.Profile{
			Issuer: idp.URL() + "/forge", Subject: "42", Name: "Ada Lovelace",
			Email: external.Email{Address: "ada@example.com", Verified: true}}})
	})
	t.Run("OpenID Connect conforms", func(t *testing.T) {
		idp := authtest.NewProvider(t)
		authtest.External(t, authtest.ExternalCases{Provider: openid(idp), At: idp, Want: external.Profile{
			Issuer: idp.URL(), Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Email: external.Email{Address: "ada@example.com", Verified: true}}})
	})
}

func openid(idp *authtest.Provider) external.OIDC {
	return external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret}
}

// byPointer is a provider that defines itself by whatever it has.
type byPointer struct{ defined external.Definition }

func (p byPointer) Define() (external.Definition, error) { return p.defined, nil }

// TestUnitExternalMutants breaks a provider in one way, and names the sentence that must
// not hold of it.
func TestUnitExternalMutants(t *testing.T) {
	profiled := func(change func(*external.Profile)) func(*external.OAuth2) {
		return func(o *external.OAuth2) {
			ask := o.Profile
			o.Profile = func(ctx context.Context, api *external.API) (*external.Profile, error) {
				p, err := ask(ctx, api)
				if err == nil {
					change(p)
				}
				return p, err
			}
		}
	}
	for name, row := range map[string]struct {
		change func(*external.OAuth2)
		want   string
	}{
		"whose profile has another name": {profiled(func(p *external.Profile) { p.Name = "x" }),
			"a person is signed in, with the profile that is wanted"},
		"whose subject is the name": {profiled(func(p *external.Profile) { p.Subject = p.Name }),
			"who is called something else by now is the same person"},
		"whose subject is always one": {profiled(func(p *external.Profile) { p.Subject = "42" }),
			"somebody else is somebody else, whatever they are called"},
		"that makes up a subject": {profiled(func(p *external.Profile) {
			if p.Subject == "" {
				p.Subject = "unknown"
			}
		}), "an answer without a token or a subject is refused"},
		"that verifies each address": {profiled(func(p *external.Profile) { p.Email.Verified = true }),
			"an address that is not verified is not said to be"},
		"that verifies an address of which the provider says nothing": {func(o *external.OAuth2) {
			ask := o.Profile
			o.Profile = func(ctx context.Context, api *external.API) (*external.Profile, error) {
				p, err := ask(ctx, api)
				if err == nil && p.Claims["confirmed"] == nil {
					p.Email.Verified = p.Email.Address != ""
				}
				return p, err
			}
		}, "an address that is not verified is not said to be"},
		"whose subject is in lower case": {profiled(func(p *external.Profile) {
			p.Subject = strings.ToLower(p.Subject)
		}),
			"somebody else is somebody else, whatever they are called"},
		"whose subject was a float": {profiled(func(p *external.Profile) {
			if number, err := strconv.ParseFloat(p.Subject, 64); err == nil {
				p.Subject = strconv.FormatFloat(number, 'f', 0, 64)
			}
		}), "somebody else is somebody else, whatever they are called"},
		"that puts its token into errors": {func(o *external.OAuth2) {
			ask := o.Profile
			o.Profile = func(ctx context.Context, api *external.API) (*external.Profile, error) {
				p, err := ask(ctx, api)
				if err != nil {
					return nil, fmt.Errorf("asking with %s: %w", api.Token().Reveal(), err)
				}
				return p, nil
			}
		}, "no log has a secret, a code or a token"},
		"that expects another issuer": {func(o *external.OAuth2) { o.ResponseIssuer = "https://evil.example" },
			"an answer with another state, issuer or browser is refused before its code is sent"},
		"that takes tokens of all clients": {func(o *external.OAuth2) {
			o.Quirks.CheckToken = func(context.Context, *external.API) error { return nil }
		}, "an access token of another client is refused"},
		"that does not know its codes": {func(o *external.OAuth2) {
			o.TokenURL = o.Issuer + "/nowhere"
		}, "errors of the provider are told from outages"},
	} {
		t.Run("a provider "+name+" is found", func(t *testing.T) {
			idp := authtest.NewProvider(t, forgeDouble())
			broken := forge(idp)
			row.change(&broken)
			found := authtest.ExternalFaults(authtest.ExternalCases{Provider: broken, At: idp, Want: external.Profile{
				Issuer: idp.URL() + "/forge", Subject: "42", Name: "Ada Lovelace",
				Email: external.Email{Address: "ada@example.com", Verified: true}}})
			if !slices.Contains(slices.Collect(maps.Keys(found)), row.want) {
				t.Errorf("got the faults %v, want one of %q", found, row.want)
			}
		})
	}
	t.Run("an OpenID provider whose Complete verifies each address is found", func(t *testing.T) {
		idp := authtest.NewProvider(t)
		broken := openid(idp)
		broken.Quirks.Complete = func(_ context.Context, _ *external.API, p *external.Profile) error {
			p.Email.Verified = true
			return nil
		}
		if found := authtest.ExternalFaults(
			authtest.ExternalCases{Provider: broken, At: idp}); found["an address that "+
			"is not verified is not said to be"] == nil {
			t.Errorf("got the faults %v", found)
		}
	})
	t.Run("a definition by its pointer is checked as one by its value", func(t *testing.T) {
		idp := authtest.NewProvider(t)
		defined := openid(idp)
		authtest.External(t, authtest.ExternalCases{Provider: byPointer{&defined}, At: idp, Want: external.Profile{
			Issuer: idp.URL(), Subject: "42", Name: "Ada Lovelace", Username: "ada",
			Email: external.Email{Address: "ada@example.com", Verified: true}}})
		for _, p := range []external.Provider{(*external.GitHub)(nil), byPointer{nil}, byPointer{(*external.OIDC)(nil)},
			byPointer{struct{ external.OIDC }{defined}}} {
			if found := authtest.ExternalFaults(authtest.ExternalCases{Provider: p, At: idp}); len(found) == 0 {
				t.Errorf("%T: got no fault", p)
			}
		}
	})
	t.Run("cases without a double are a fault", func(t *testing.T) {
		if found := authtest.ExternalFaults(authtest.ExternalCases{Provider: external.GitHub{}}); len(found) == 0 {
			t.Error("got no fault")
		}
	})
}
