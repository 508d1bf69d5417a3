package external

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// Microsoft signs in with Microsoft Entra ID: accounts of organizations, and those of
// people (outlook.com, Xbox). People are known by issuer and "sub", which is another
// one for each application; Claims has "oid", which with "tid" is the same for all.
//
// An address is never taken for verified, since the administrator of any tenant can
// write any address ("nOAuth"): but one in Domains, where Tenant is one tenant.
type Microsoft struct {
	Name         string // empty is "microsoft"
	ClientID     string
	ClientSecret auth.Secret
	// Tenant is whose people may sign in: the identifier of a tenant (a UUID);
	// "organizations", "consumers", or "common" for both.
	Tenant string
	// AllowTenants are the tenants that people may be of, where Tenant is "common" or
	// "organizations": identifiers, of which [MicrosoftConsumers] is that of people's
	// own accounts.
	AllowTenants []string
	// AllowAnyTenant admits people of every tenant. Anybody can make one.
	AllowAnyTenant bool
	Scopes         []string          // nil is "profile" and "email"
	Params         map[string]string // of the authorization request, such as "domain_hint"
	Domains        []string          // as in [OIDC]
	BaseURL        string            // of a national cloud, or of a double in tests; empty is https://login.microsoftonline.com
}

// MicrosoftConsumers is the tenant of people's own accounts.
const MicrosoftConsumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

func (m Microsoft) provider(env environment) (*provider, error) {
	host := trimmed(m.BaseURL, "https://login.microsoftonline.com")
	o := relyingParty{kind: "Microsoft", noMaxAge: true, noUserInfo: true, OIDC: OIDC{Name: cmp.Or(m.Name, "microsoft"), Label: "Microsoft", ClientID: m.ClientID, ClientSecret: m.ClientSecret,
		Scopes: m.Scopes, Params: m.Params, Domains: m.Domains, Tenant: "tid"}}
	single := m.Tenant
	if single == "consumers" {
		single = MicrosoftConsumers
	}
	switch m.Tenant {
	case "common", "organizations":
		if (len(m.AllowTenants) > 0) == m.AllowAnyTenant {
			return nil, errors.New("oauth2/external: Microsoft.Tenant " + m.Tenant + " needs either AllowTenants or AllowAnyTenant")
		}
		for _, tenant := range m.AllowTenants {
			if !isTenant(tenant) {
				return nil, errors.New("oauth2/external: Microsoft.AllowTenants has " + tenant + ", which is no UUID in lower case")
			}
		}
		single = ""
		o.Issuer, o.template = host+"/"+m.Tenant+"/v2.0", host+"/{tenantid}/v2.0"
	default:
		if !isTenant(single) {
			return nil, errors.New("oauth2/external: Microsoft.Tenant is no UUID in lower case, nor common, organizations or consumers")
		}
		if len(m.AllowTenants) > 0 || m.AllowAnyTenant {
			return nil, errors.New("oauth2/external: Microsoft.AllowTenants or AllowAnyTenant beside one Tenant")
		}
		o.Issuer = host + "/" + single + "/v2.0"
	}
	o.from = host + "/" + m.Tenant + "/v2.0/.well-known/openid-configuration"
	// The issuer of a token is that of its tenant: the template of the metadata, filled
	// in.
	tenantOf := func(iss string) string {
		tenant, ok := strings.CutSuffix(strings.TrimPrefix(iss, host+"/"), "/v2.0")
		if !ok || !strings.HasPrefix(iss, host+"/") || !isTenant(tenant) || single != "" && tenant != single {
			return ""
		}
		return tenant
	}
	o.isIssuer = func(iss string) bool { return tenantOf(iss) != "" }
	o.accept = func(p *Profile, _ url.Values) error {
		tenant := tenantOf(p.Issuer)
		switch {
		case tenant == "" || p.Tenant != tenant:
			return untrustedValue("the tid of the ID token is not that of its issuer", p.Tenant, tenant)
		case len(m.AllowTenants) > 0 && !slices.Contains(m.AllowTenants, tenant):
			return by("Microsoft.AllowTenants", fmt.Errorf("%w: %w", ErrNotAllowed,
				because("the tenant of the account is not among them", tenant, m.AllowTenants...)))
		}
		listed := slices.ContainsFunc(m.Domains, func(domain string) bool { return strings.EqualFold(domain, domainOf(p.Email.Address)) })
		p.Email.Verified = single != "" && single != MicrosoftConsumers && listed
		return nil
	}
	return o.provider(env)
}

// uuid is how Microsoft writes the identifier of a tenant.
var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func isTenant(text string) bool { return uuid.MatchString(text) }
