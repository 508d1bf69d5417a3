package external

import (
	"cmp"
	"errors"
	"net/url"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// Keycloak signs in with accounts of one realm of a Keycloak. People are known by the
// identifier of the account, a UUID, which an export of the realm keeps.
//
// An address is verified if Keycloak says so. Administrators of the realm can write
// addresses and mark them as verified, and so can identity providers behind it, if it is
// told to trust their addresses. List the domains of the realm's people in Domains.
type Keycloak struct {
	Name  string // empty is "keycloak"
	Label string // empty is "Keycloak"
	// BaseURL is where Keycloak is, without "/realms": "https://sso.acme.example". Before
	// Keycloak 17 it ends in "/auth". It must be the address that browsers see, because it
	// is part of the issuer.
	BaseURL string
	Realm   string

	ClientID     string
	ClientSecret auth.Secret // empty is a public client
	Key          *jwt.Key    // as in [OIDC]: "Signed Jwt" in the console
	AppClientIDs []string    // as in [OIDC]
	Scopes       []string    // nil is "profile" and "email"
	// Params are added to the authorization request, such as "kc_idp_hint".
	Params  map[string]string
	Domains []string // as in [OIDC]
}

// Define implements [Provider].
func (k Keycloak) Define() (Definition, error) {
	if k.BaseURL == "" || k.Realm == "" {
		return nil, errors.New("oauth2/external: Keycloak.BaseURL or Realm is missing")
	}
	return OIDC{
		Name: cmp.Or(k.Name, "keycloak"), Label: cmp.Or(k.Label, "Keycloak"),
		Issuer:   trimmed(k.BaseURL, "") + "/realms/" + url.PathEscape(k.Realm),
		ClientID: k.ClientID, ClientSecret: k.ClientSecret, Key: k.Key, AppClientIDs: k.AppClientIDs, Scopes: k.Scopes,
		Params: k.Params, Domains: k.Domains,
	}, nil
}
