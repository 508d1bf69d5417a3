package external

import (
	"cmp"
	"errors"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// Okta signs in with accounts of one Okta organization. People are known by the
// identifier of the account at Okta.
//
// An address is verified if Okta says so. Administrators of the organization can write
// addresses: list the domains of its people in Domains. The ID token of the organization's
// own authorization server does not tell whether an address is verified, so the userinfo
// endpoint is asked at each login.
type Okta struct {
	Name  string // empty is "okta"
	Label string // empty is "Okta"
	// Domain is that of the organization, "acme.okta.com", or its own one. The domain of the
	// admin console ("acme-admin.okta.com") is another one.
	Domain string
	// AuthorizationServer is the identifier of a custom authorization server, such as
	// "default". If empty, it is the organization's own one. Each is an issuer.
	AuthorizationServer string

	ClientID     string
	ClientSecret auth.Secret
	Key          *jwt.Key          // as in [OIDC]
	AppClientIDs []string          // as in [OIDC]
	Scopes       []string          // nil is "profile" and "email"
	Params       map[string]string // of the authorization request, such as "idp"
	Domains      []string          // as in [OIDC]
	BaseURL      string            // of a double, in tests. Empty is that of Domain
}

// Define implements [Provider].
func (o Okta) Define() (Definition, error) {
	host, err := hostURL("Okta", o.Domain, o.BaseURL)
	switch {
	case err != nil:
		return nil, err
	case strings.Contains(strings.ToLower(o.Domain), "-admin.okta"):
		return nil, errors.New("oauth2/external: Okta.Domain is that of the admin console, want it without -admin")
	}
	if o.AuthorizationServer != "" {
		host += "/oauth2/" + url.PathEscape(o.AuthorizationServer)
	}
	return OIDC{
		Name: cmp.Or(o.Name, "okta"), Label: cmp.Or(o.Label, "Okta"), Issuer: host, ClientID: o.ClientID,
		ClientSecret: o.ClientSecret, Key: o.Key, AppClientIDs: o.AppClientIDs, Scopes: o.Scopes, Params: o.Params,
		Domains: o.Domains,
	}, nil
}

// hostURL returns the URL of a host that is a setting, or that of a double.
func hostURL(kind, domain, double string) (string, error) {
	switch {
	case double != "":
		return trimmed(double, ""), nil
	case domain == "":
		return "", errors.New("oauth2/external: " + kind + ".Domain is missing")
	case domainOf("x@"+domain) != lower(domain) || strings.ContainsAny(domain, "/:?#%") ||
		strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, "."):
		return "", errors.New("oauth2/external: " + kind +
			".Domain is no domain: want it without https://, a path and a dot at its end")
	}
	return "https://" + lower(domain), nil
}
