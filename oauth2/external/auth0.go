package external

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// Auth0 signs in with accounts of one Auth0 tenant. People are known by the user_id,
// which begins with the connection: "auth0|…", "google-oauth2|…". A person that comes by another
// connection is somebody else, unless the tenant links accounts.
//
// An address is verified if Auth0 says so, which depends on the connection: one to an
// enterprise may be set to trust what it says. List the domains that the tenant is
// responsible for in Domains.
type Auth0 struct {
	Name  string // empty is "auth0"
	Label string // empty is "Auth0"
	// Domain is that of the tenant, "acme.eu.auth0.com", or its custom domain. The issuer
	// has a slash at its end.
	Domain string
	// Organization admits the members of one organization only: its identifier
	// ("org_…"), or its name where the tenant puts "org_name" into ID tokens.
	Organization string

	ClientID     string
	ClientSecret auth.Secret
	Key          *jwt.Key          // as in [OIDC]
	AppClientIDs []string          // as in [OIDC]
	Scopes       []string          // nil is "profile" and "email"
	Params       map[string]string // of the authorization request, such as "connection"
	Domains      []string          // as in [OIDC]
	BaseURL      string            // of a double, in tests. Empty is that of Domain
}

// Define implements [Provider].
func (a Auth0) Define() (Definition, error) {
	host, err := hostURL("Auth0", a.Domain, a.BaseURL)
	if err != nil {
		return nil, err
	}
	o := OIDC{
		Name: cmp.Or(a.Name, "auth0"), Label: cmp.Or(a.Label, "Auth0"), Issuer: host + "/", ClientID: a.ClientID,
		ClientSecret: a.ClientSecret, Key: a.Key, AppClientIDs: a.AppClientIDs, Scopes: a.Scopes,
		Params: map[string]string{}, Domains: a.Domains, Tenant: "org_id",
	}
	maps.Copy(o.Params, a.Params)
	if a.Organization != "" {
		o.Params["organization"] = a.Organization
		o.Quirks.Complete = a.completeProfile
	}
	return o, nil
}

// completeProfile holds the person to Organization. The parameter alone is no check, since the
// browser can leave it out.
func (a Auth0) completeProfile(_ context.Context, _ *API, p *Profile) error {
	came := p.Tenant
	if !strings.HasPrefix(a.Organization, "org_") {
		came = Exact(p.Claims, "org_name")
	}
	if came != a.Organization {
		return hookError("Auth0.Organization", fmt.Errorf("%w: %w", ErrNotAllowed,
			failedValue("the organization of the ID token is missing or another one", came, a.Organization)))
	}
	return nil
}
