package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// scopes are what users can allow to applications.
var scopes = []server.Scope{
	{Name: "reports:read", Text: "read your reports"},
	{Name: "reports:write", Text: "change your reports"},
}

// passwordACR is the class of a login by password (OpenID Connect Core §2, "acr").
const passwordACR = "1"

// openOAuth makes the authorization server, and the backend that takes its tokens
// at the API.
func (a *app) openOAuth(ctx context.Context) (err error) {
	s, observer, insecure := a.settings, a.observer, insecureIssuer(a.issuer)
	if insecure {
		a.logger.WarnContext(ctx, "the issuer is http, and not this machine: everybody on the way reads tokens",
			"issuer", s.issuer)
	}
	a.oauth, err = server.New(server.Config{
		Issuer: s.issuer, Store: a.oauthStore, LoadUser: a.users.load,
		Endpoints: server.EndpointConfig{InsecureHTTP: insecure},
		Pages:     server.Pages{Name: name, Site: site},
		SignIn: func(w http.ResponseWriter, r *http.Request, login server.SignInRequest) {
			http.Redirect(w, r, "/session/login?next="+url.QueryEscape(login.ReturnTo), http.StatusSeeOther)
		},
		Keys:   a.keyring,
		Scopes: scopes,
		// This API, and two that run elsewhere: see examples/oauth2-resource.
		Resources: []server.Resource{{ID: s.issuer, Name: name},
			{ID: "http://127.0.0.1:8001/", Name: "Reports by JWT", JWT: true},
			{ID: "http://127.0.0.1:8002/", Name: "Reports by introspection"}},
		Tokens: server.TokenConfig{
			Prefix: "demo_", Claims: claims,
			Grace:    server.NoGrace, // what it shows of a refresh token that comes again
			Username: func(u auth.User) string { return u.UserID() },
		},
		OpenID: server.OpenIDConfig{
			Discovery: server.Discovery{Claims: []string{"name", "preferred_username", "email", "email_verified"},
				ACRValues: []string{passwordACR}},
			JWKSURL: s.origin + "/.well-known/jwks.json",
			Logout: func(w http.ResponseWriter, r *http.Request) error {
				_, err := a.sessions.Logout(w, r)
				return err
			},
		},
		// Visitors try as many logins and applications as they like.
		Limits: server.GrantLimits{User: server.NoLimit, Client: server.NoLimit},
		Clients: server.ClientConfig{
			SecretHashes: a.hasher, // of -clients
			Developers:   auth.FullAccess, DeveloperLimit: server.NoLimit,
			DeveloperGrants: []string{server.GrantAuthorizationCode, server.GrantRefreshToken,
				server.GrantClientCredentials},
			DeveloperScopes: server.DeveloperScopes{Machines: []string{"reports:read", "reports:write"}},
		},
		Observer: observer, Logger: a.logger,
	})
	if err != nil {
		return err
	}
	a.api, err = oauth2.New(oauth2.Config{
		Resource: s.issuer, InsecureHTTP: insecure, Sources: []oauth2.Source{a.oauth}, LoadUser: a.users.load,
		AuthorizationServers: []string{s.issuer}, ScopesSupported: []string{"reports:read", "reports:write"},
	})
	if err != nil {
		return err
	}
	return a.addClients(ctx, s.clients)
}

// insecureIssuer reports plain http to another machine, for trying things out in a
// network of one's own.
func insecureIssuer(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && u.Scheme == "http" && !backend.IsLoopback(u.Host)
}

// claims are what the userinfo endpoint tells besides "sub", and the ID tokens of clients that have
// id_token_claims. APIs are told nothing about people.
func claims(_ context.Context, r server.ClaimsRequest) (map[string]any, error) {
	told := make(map[string]any)
	if r.Target != server.ClaimsUserInfo && r.Target != server.ClaimsIDToken {
		return told, nil
	}
	id := r.User.UserID()
	if slices.Contains(r.Scopes, "profile") {
		told["name"], told["preferred_username"] = id, id
	}
	if slices.Contains(r.Scopes, "email") {
		told["email"], told["email_verified"] = id+"@example.com", true
	}
	return told, nil
}

// builtIn are the clients that are always there. That everybody knows their secrets is what a demo is for.
var builtIn = []server.Registration{
	{ClientID: "demo-web", ClientSecret: "demo-web-secret", AllowShortSecret: true, ClientName: "Demo web application",
		RedirectURIs:           []string{"http://127.0.0.1:8000/callback", "http://127.0.0.1/callback"},
		PostLogoutRedirectURIs: []string{"http://127.0.0.1:8000/", "http://127.0.0.1/"},
		GrantTypes:             []string{server.GrantAuthorizationCode, server.GrantRefreshToken}},
	{ClientID: "demo-cli", ClientName: "Demo command line", TokenEndpointAuthMethod: server.AuthNone,
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]/callback"},
		GrantTypes:   []string{server.GrantAuthorizationCode, server.GrantRefreshToken}},
	{ClientID: "demo-job", ClientSecret: "demo-job-secret", AllowShortSecret: true, ClientName: "Demo job",
		Scope: "reports:read reports:write", GrantTypes: []string{server.GrantClientCredentials}},
}

// addClients registers those that are built in and those of a file.
func (a *app) addClients(ctx context.Context, file string) error {
	all := builtIn
	if file != "" {
		more, err := a.registrationsOf(file)
		if err != nil {
			return fmt.Errorf("-clients: %w", err)
		}
		all = append(slices.Clip(all), more...)
	}
	for _, r := range all {
		if err := a.addClient(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// registrationsOf reads the registrations of a file.
func (a *app) registrationsOf(file string) ([]server.Registration, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all, err := server.ParseRegistrations(text)
	if err != nil {
		return nil, err
	}
	for i, r := range all {
		if r.ClientSecret == "" && r.ClientSecretHash == "" && r.TokenEndpointAuthMethod == "" {
			r.TokenEndpointAuthMethod = server.AuthNone // a secret that was made would not be seen
		}
		all[i] = a.supported(r)
	}
	return all, nil
}

// addClient registers a client. It leaves out a client that asks for what this server does not have: a file may be for
// several servers, and the client would be less safe here than its registration says.
func (a *app) addClient(ctx context.Context, r server.Registration) error {
	_, err := a.oauth.EnsureClient(ctx, r)
	if errors.Is(err, server.ErrUnsupported) {
		a.logger.WarnContext(ctx, "-clients: left out", "client", r.ClientID, "error", err)
		return a.disableStored(ctx, r.ClientID)
	}
	if refused := (*server.Error)(nil); errors.As(err, &refused) {
		return fmt.Errorf("-clients: client %q: %s", r.ClientID, refused.Description)
	}
	if err != nil {
		return err
	}
	a.logUnknownMembers(ctx, r)
	return nil
}

// supported leaves out the grants that this server does not have, unless nothing
// would be left.
func (a *app) supported(r server.Registration) server.Registration {
	known := []string{server.GrantAuthorizationCode, server.GrantRefreshToken, server.GrantClientCredentials}
	grants := slices.DeleteFunc(slices.Clone(r.GrantTypes), func(name string) bool {
		return !slices.Contains(known, name)
	})
	if len(grants) > 0 && len(grants) < len(r.GrantTypes) {
		a.logger.Warn("-clients: grants left out", "client", r.ClientID, "has", grants)
		r.GrantTypes = grants
	}
	return r
}
