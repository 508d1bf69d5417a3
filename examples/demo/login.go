package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/session"
)

// openLogins lets people sign in with accounts they have at the providers of -provider.
func (a *app) openLogins(context.Context) (err error) {
	s, keys, observer := a.settings, a.keys, a.observer
	if len(s.providers) == 0 {
		return nil
	}
	a.logins, err = external.New(external.Config{
		Providers: s.providers, URL: s.origin, Keys: keys, Store: a.loginStore,
		LoadUser: a.users.load,
		Pages:    external.Pages{Site: site, Name: name, SignInURL: "/session/login", AccountURL: "/account"},
		Accounts: external.AccountConfig{NewUser: func(ctx context.Context, p *external.Profile,
			id string) (auth.User, error) {
			if exists, err := a.users.claims(ctx, p.Email); err != nil || exists {
				return nil, cmp.Or(err, external.ErrAccountExists)
			}
			return a.users.signUp(ctx, id, p.Provider+"-"+p.Subject)
		}},
		SignIn: func(w http.ResponseWriter, r *http.Request, u auth.User, proof *external.Credential) error {
			_, err := a.sessions.SignIn(w, r, u, session.Options{AuthInfo: proof.AuthInfo()})
			return err
		},
		Apps: external.AppConfig{Redirects: []string{s.origin + "/callback"}},
		Linking: external.LinkingConfig{HasOtherWay: func(_ context.Context, u auth.User) (bool, error) {
			member, ok := auth.As[*user](u)
			return ok && member.encoded != "", nil
		}},
		Cookie:   external.CookieConfig{Name: "login-" + s.port},
		Observer: observer, Logger: a.logger,
	})
	return err
}

// account is the page that leads to all that a user can look at and change, and on which accounts elsewhere are
// linked and unlinked.
func (a *app) account(w http.ResponseWriter, r *http.Request) {
	u, _ := auth.UserFrom[*user](r.Context())
	shown := Page{accountPage: accountPage{HasPassword: u.encoded != ""}}
	if a.logins != nil {
		var err error
		if shown.Identities, err = a.logins.Identities(r.Context(), u.name); err != nil {
			a.guard.Refuse(w, r, err)
			return
		}
		shown.Choices = a.logins.Choices("")
	}
	a.pages.write(w, r, http.StatusOK, "account", view{Title: "Your account", Page: shown})
}

// choices are the buttons of the page where people sign in. A user that is signed in already is
// there to prove it anew.
func (ps *pages) choices(r *http.Request, next string) []external.Choice {
	if ps.logins == nil {
		return nil
	}
	all := ps.logins.Choices(cmp.Or(next, "/"))
	if _, ok := auth.UserFrom[*user](r.Context()); ok {
		for i := range all {
			all[i].URL += "&max_age=60"
		}
	}
	return all
}

// parseProvider reads a -provider: name,issuer,client_id,client_secret. Without an
// issuer it is a preset.
func parseProvider(text string) (external.Provider, error) {
	fields := strings.Split(text, ",")
	if len(fields) != 4 {
		return nil, errors.New("want name,issuer,client_id,client_secret")
	}
	name, issuer, id, secret := fields[0], strings.TrimSuffix(fields[1], "/"), fields[2], auth.Secret(fields[3])
	switch {
	case name == "github":
		return external.GitHub{ClientID: id, ClientSecret: secret, BaseURL: issuer}, nil
	case name == "gitlab":
		return external.GitLab{ClientID: id, ClientSecret: secret, BaseURL: issuer}, nil
	case issuer != "" && name != "google":
		return external.OIDC{Name: name, Issuer: fields[1], ClientID: id, ClientSecret: secret}, nil
	case name == "google":
		return external.Google{ClientID: id, ClientSecret: secret, BaseURL: issuer}, nil
	case name == "facebook":
		return external.Facebook{ClientID: id, ClientSecret: secret}, nil
	case name == "microsoft":
		return external.Microsoft{ClientID: id, ClientSecret: secret, Tenant: "common", AllowAnyTenant: true}, nil
	}
	return nil, fmt.Errorf("no issuer, and %q is none of google, github, gitlab, facebook and microsoft", name)
}

// providerOrigin is where the form of the account page leads to by http, if it does:
// browsers hold the redirects that follow a form to form-action, too.
func providerOrigin(text string) []string {
	_, rest, _ := strings.Cut(text, ",")
	issuer, _, _ := strings.Cut(rest, ",")
	if u, err := url.Parse(issuer); err == nil && u.Scheme == "http" && u.Host != "" {
		return []string{u.Scheme + "://" + u.Host}
	}
	return nil
}
