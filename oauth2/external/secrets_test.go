package external_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitNothingPrintsASecret(t *testing.T) {
	const key, clientSecret = "application-key-of-32-bytes-or-more-Xk3", "secret-of-the-client-Zq7"
	pem := applePEM(t)
	var tokens *external.Tokens
	var api *external.API
	var proof *external.Credential
	var config external.Config
	a := newApp(t, func(a *app, c *external.Config) {
		acme := a.acme()
		acme.ClientSecret = a.idp.ClientSecret
		c.Keys = []auth.Secret{key}
		c.Providers = []external.Provider{acme,
			external.OIDC{Name: "secret", Issuer: "https://secret.example", ClientID: "x", ClientSecret: clientSecret},
			external.OAuth2{Name: "own", Issuer: a.idp.URL() + "/own", ResponseIssuer: a.idp.URL(),
				AuthorizeURL: a.idp.URL() + "/authorize", TokenURL: a.idp.URL() + "/token",
				ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
				Profile: func(_ context.Context, from *external.API) (*external.Profile, error) {
					api = from
					return &external.Profile{Subject: "1"}, nil
				}},
			external.Google{ClientID: "x", ClientSecret: clientSecret}, &external.GitHub{ClientID: "x",
				ClientSecret: clientSecret},
			external.GitLab{ClientID: "x", ClientSecret: clientSecret}, external.Facebook{ClientID: "x",
				ClientSecret: clientSecret},
			external.Microsoft{ClientID: "x", ClientSecret: clientSecret, Tenant: tenant},
			external.Apple{ClientID: "x", TeamID: "t", KeyID: "k", PrivateKey: pem},
			external.Keycloak{ClientID: "x", ClientSecret: clientSecret, BaseURL: "https://secret.example", Realm: "r"},
			external.Okta{ClientID: "x", ClientSecret: clientSecret, Domain: "okta.example"},
			external.Auth0{ClientID: "x", ClientSecret: clientSecret, Domain: "auth0.example"},
			external.Slack{ClientID: "x", ClientSecret: clientSecret},
			external.Discord{ClientID: "x", ClientSecret: clientSecret},
			external.LinkedIn{ClientID: "x", ClientSecret: clientSecret}, external.X{ClientID: "x",
				ClientSecret: clientSecret},
			external.Bitbucket{ClientID: "x", ClientSecret: clientSecret},
		}
		c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
			given *external.Tokens) error {
			tokens = given
			return nil
		}
		config = *c
	})
	a.browser().visit("/login/acme/")
	if tokens == nil || tokens.Access() == "" || tokens.Refresh() == "" || tokens.ID() == "" {
		t.Fatal("want tokens of all three kinds")
	}
	secrets := []string{key, clientSecret, a.idp.ClientSecret.Reveal(), pem.Reveal()[40:80], tokens.Access().Reveal(),
		tokens.Refresh().Reveal(), tokens.ID().Reveal()}
	b := a.browser()
	b.visit("/login/own/")
	if api == nil || tokens.Access() == "" {
		t.Fatalf("want an API, got none: %s", a.log)
	}
	secrets = append(secrets, tokens.Access().Reveal())
	proof = &external.Credential{Profile: a.last()}

	handlers := *a.handlers()
	for sentence, check := range map[string]func(*testing.T){
		"Logins":       func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *a.logins) },
		"its Handlers": func(t *testing.T) { leaktest.CheckAllFields(t, secrets, handlers) },
		"Tokens":       func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *tokens) },
		"an API":       func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *api) },
		"a Credential": func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *proof) },
		"a Config":     func(t *testing.T) { leaktest.CheckExported(t, secrets, config) },
		"OIDC":         func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[1].(external.OIDC)) },
		"OAuth2": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[2].(external.OAuth2))
		},
		"Google": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[3].(external.Google))
		},
		"GitHub": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, *config.Providers[4].(*external.GitHub))
		},
		"GitLab": func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[5].(external.GitLab)) },
		"Facebook": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[6].(external.Facebook))
		},
		"Microsoft": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[7].(external.Microsoft))
		},
		"Keycloak": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[9].(external.Keycloak))
		},
		"Okta":  func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[10].(external.Okta)) },
		"Auth0": func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[11].(external.Auth0)) },
		"Slack": func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[12].(external.Slack)) },
		"Discord": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[13].(external.Discord))
		},
		"LinkedIn": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[14].(external.LinkedIn))
		},
		"X": func(t *testing.T) { leaktest.CheckExported(t, secrets, config.Providers[15].(external.X)) },
		"Bitbucket": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[16].(external.Bitbucket))
		},
		"Apple": func(t *testing.T) {
			leaktest.CheckExported(t, secrets, config.Providers[8].(external.Apple))
		},
		"an error of Refresh": func(t *testing.T) {
			leaktest.CheckAllFields(t, secrets, refreshError(t, a, secrets[1]))
		},
		"an error of a config": func(t *testing.T) { leaktest.CheckAllFields(t, secrets, configError(t, config)) },
	} {
		t.Run(sentence, check)
	}
}

func refreshError(t *testing.T, a *app, token string) error {
	t.Helper()
	_, err := a.logins.Refresh(t.Context(),
		&external.Identity{Provider: "acme", Issuer: a.idp.URL(), Subject: "1"}, auth.Secret(token))
	if !errors.Is(err, external.ErrRejected) {
		t.Fatalf("want ErrRejected, got %v", err)
	}
	return err
}

func configError(t *testing.T, config external.Config) error {
	t.Helper()
	config.URL = ""
	_, err := external.New(config)
	if err == nil {
		t.Fatal("want an error")
	}
	return err
}
