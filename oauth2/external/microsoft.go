package external

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/gatewarden/auth"
)

// Microsoft signs in with Microsoft Entra ID: accounts of organizations, and those of
// people (outlook.com, Xbox). People are known by issuer and "sub", which is another
// one for each application. Claims has "oid", which with "tid" is the same for all.
//
// An address is never taken for verified, since the administrator of any tenant can
// write any address ("nOAuth"): but one in Domains, where Tenant is one tenant.
type Microsoft struct {
	Name         string // empty is "microsoft"
	ClientID     string
	ClientSecret auth.Secret
	// Tenant says which people may sign in: the identifier of a tenant (a UUID),
	// "organizations", "consumers", or "common" for both.
	Tenant string
	// AllowTenants are the tenants that people may be of, where Tenant is "common" or
	// "organizations": identifiers, of which [MicrosoftConsumers] is that of people's
	// own accounts. It cannot be among them where Tenant is "organizations", which has
	// no such accounts.
	AllowTenants []string
	// AllowAnyTenant admits people of every tenant. Anybody can make one. With
	// "organizations", people's own accounts are still refused.
	AllowAnyTenant bool
	// AllowKeysWithoutIssuer accepts keys that do not say for which tenants they sign, where Tenant is "common" or
	// "organizations". Microsoft says so of each of its keys, since those of people's own accounts are among them. A
	// key of one kind of accounts that leaks is then good for all tenants.
	AllowKeysWithoutIssuer bool
	Scopes                 []string          // nil is "profile" and "email"
	Params                 map[string]string // of the authorization request, such as "domain_hint"
	Domains                []string          // as in [OIDC]
	// BaseURL is that of a national cloud, or of a double in tests. If empty, it is
	// https://login.microsoftonline.com.
	BaseURL string
}

// MicrosoftConsumers is the tenant of people's own accounts.
const MicrosoftConsumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

// Define implements [Provider].
func (m Microsoft) Define() (Definition, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	m.AllowTenants, m.Domains = slices.Clone(m.AllowTenants), slices.Clone(m.Domains) // complete keeps them
	host := trimmed(m.BaseURL, "https://login.microsoftonline.com")
	o := OIDC{Name: cmp.Or(m.Name, "microsoft"), Label: "Microsoft", ClientID: m.ClientID, ClientSecret: m.ClientSecret,
		Scopes: m.Scopes, Params: m.Params, Domains: m.Domains, Tenant: "tid",
		Quirks: OIDCQuirks{
			MetadataURL: host + "/" + m.Tenant + "/v2.0/.well-known/openid-configuration",
			NoUserInfo:  true, NoMaxAge: true, Complete: m.completeProfile,
			// The keys of one tenant come from a place of its own, so there it is enough that no key names another one.
			KeyIssuers: true, AllowKeysWithoutIssuer: m.AllowKeysWithoutIssuer || m.singleTenant() != "",
		}}
	o.Issuer = host + "/" + cmp.Or(m.singleTenant(), m.Tenant) + "/v2.0"
	if m.singleTenant() == "" {
		o.Quirks.IssuerTemplate, o.Quirks.IsTenant = host+"/{tenantid}/v2.0", isTenant
	}
	return o, nil
}

// singleTenant returns the tenant of the people that may sign in, or "" if Tenant stands for many.
func (m Microsoft) singleTenant() string {
	switch m.Tenant {
	case "common", "organizations":
		return ""
	case "consumers":
		return MicrosoftConsumers
	}
	return m.Tenant
}

// check returns an error if Tenant, or a setting that depends on it, is missing or wrong.
func (m Microsoft) check() error {
	switch {
	case m.Tenant == "":
		return errors.New("oauth2/external: Microsoft.Tenant is missing")
	case m.singleTenant() != "":
		return m.checkSingleTenant()
	}
	return m.checkManyTenants()
}

// checkSingleTenant checks the settings if Tenant is one tenant.
func (m Microsoft) checkSingleTenant() error {
	switch {
	case !isTenant(m.singleTenant()):
		return errors.New("oauth2/external: Microsoft.Tenant is not a UUID in lower case, and not common, " +
			"organizations or consumers")
	case len(m.AllowTenants) > 0 || m.AllowAnyTenant:
		return errors.New("oauth2/external: Microsoft.AllowTenants or AllowAnyTenant beside one Tenant")
	case m.AllowKeysWithoutIssuer:
		return errors.New("oauth2/external: Microsoft.AllowKeysWithoutIssuer beside one Tenant, which needs it not")
	}
	return nil
}

// checkManyTenants checks the settings if Tenant is "common" or "organizations".
func (m Microsoft) checkManyTenants() error {
	if (len(m.AllowTenants) > 0) == m.AllowAnyTenant {
		return errors.New("oauth2/external: Microsoft.Tenant " + m.Tenant +
			" needs either AllowTenants or AllowAnyTenant")
	}
	for _, tenant := range m.AllowTenants {
		if !isTenant(tenant) {
			return errors.New("oauth2/external: Microsoft.AllowTenants has " + tenant +
				", which is no UUID in lower case")
		}
		if m.Tenant == "organizations" && tenant == MicrosoftConsumers {
			return errors.New("oauth2/external: Microsoft.AllowTenants has MicrosoftConsumers, which are no " +
				"organization: want Tenant \"common\"")
		}
	}
	return nil
}

// completeProfile holds the person to the tenants that may sign in, and says what an address is.
func (m Microsoft) completeProfile(_ context.Context, _ *API, p *Profile) error {
	single := m.singleTenant()
	switch {
	case single != "" && p.Tenant != single:
		return fmt.Errorf("%w: %w", ErrUntrusted,
			failedValue("the tid of the ID token is not that of its issuer", p.Tenant, single))
	case m.Tenant == "organizations" && p.Tenant == MicrosoftConsumers:
		return hookError("Microsoft.Tenant", fmt.Errorf("%w: %w", ErrNotAllowed,
			failedValue("the account is a person's own, and Tenant is organizations", p.Tenant)))
	case len(m.AllowTenants) > 0 && !slices.Contains(m.AllowTenants, p.Tenant):
		return hookError("Microsoft.AllowTenants", fmt.Errorf("%w: %w", ErrNotAllowed,
			failedValue("the tenant of the account is not among them", p.Tenant, m.AllowTenants...)))
	}
	domain := domainOf(p.Email.Address)
	listed := slices.ContainsFunc(m.Domains, func(d string) bool { return lower(d) == domain })
	p.Email.Verified = single != "" && single != MicrosoftConsumers && listed
	return nil
}

// uuid is how Microsoft writes the identifier of a tenant.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func isTenant(text string) bool { return uuid.MatchString(text) }
