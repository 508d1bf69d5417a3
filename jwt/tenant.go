package jwt

import (
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// tenantID stands for the identifier of a tenant in an Issuer.Issuer that is a template, and in the member "issuer" of
// a published key. Microsoft Entra ID writes it so.
const tenantID = "{tenantid}"

// tenancy is an issuer that is a template: one provider with an issuer for each of its customers.
type tenancy struct {
	before   string
	after    string
	accepted []string // nil is any
	other    *refusal // of a token of a tenant that is not accepted
}

// isTemplate reports an issuer with a place for the tenant.
func isTemplate(issuer string) bool { return strings.Contains(issuer, tenantID) }

// readTenants reads the template of the issuer, if it is one, and checks the settings that go with it.
func (i *issuer) readTenants(s *backend.Settings) {
	config := &i.Issuer
	refuse := func(wrong bool, text string) { s.Refuse(wrong, "issuer %q: %s", config.Issuer, text) }
	if !isTemplate(config.Issuer) {
		refuse(len(config.Shared.Tenants) > 0 || config.Shared.AllowAnyTenant,
			"Shared.Tenants or AllowAnyTenant is set, and Issuer has no "+tenantID)
		return
	}
	refuse((len(config.Shared.Tenants) > 0) == config.Shared.AllowAnyTenant, "Issuer has "+tenantID+
		", so either Shared.Tenants or AllowAnyTenant must be set")
	refuse(config.Checks.AllowNoIssuer, "Checks.AllowNoIssuer is set, and a token without iss is of no tenant")
	for _, tenant := range config.Shared.Tenants {
		refuse(!isTenant(tenant), "a Tenant is not made of letters, digits, dots and dashes alone")
	}
	before, after, _ := strings.Cut(config.Issuer, tenantID)
	refuse(isTemplate(after), "Issuer has "+tenantID+" twice")
	config.Shared.Tenants = slices.Clone(config.Shared.Tenants)
	i.tenancy = &tenancy{before: before, after: after, accepted: config.Shared.Tenants}
	i.Profile.KeyIssuers = true
}

// isTenant reports what can be the identifier of a tenant: no text that could end its place in the template.
func isTenant(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) < 0
}

// of returns the tenant in an "iss", or "" if it is not of the template.
func (t *tenancy) of(iss string) string {
	rest, ok := strings.CutPrefix(iss, t.before)
	if !ok {
		return ""
	}
	tenant, ok := strings.CutSuffix(rest, t.after)
	if !ok || !isTenant(tenant) {
		return ""
	}
	return tenant
}

// accepts reports whether tokens of a tenant are accepted.
func (t *tenancy) accepts(tenant string) bool {
	return len(t.accepted) == 0 || slices.Contains(t.accepted, tenant)
}

// checkTenant holds a token to the tenant of its issuer, and puts the tenant before the identifiers in it, which are
// unique in their tenant only.
func (i *issuer) checkTenant(all []member, t *Token) *refusal {
	if i.tenancy == nil {
		return nil
	}
	t.tenant = i.tenancy.of(t.issuer)
	if said, _ := unquote(lookup(all, "tid")); said != t.tenant || said == "" {
		c := i.cause("tid", "is not the tenant of iss", "")
		c.Came, c.Want = []string{said}, []string{t.tenant}
		return saysInvalid.withCheck(c)
	}
	if t.subject != "" {
		t.subject = t.tenant + "/" + t.subject
	}
	if t.machine != "" {
		t.machine = t.tenant + "/" + t.machine
	}
	return nil
}

// ofTemplate returns the issuer with a template that an "iss" fits, if there is one.
func (v *Verifier) ofTemplate(iss string) (*issuer, *refusal) {
	for _, i := range v.templates {
		switch tenant := i.tenancy.of(iss); {
		case tenant == "":
		case i.tenancy.accepts(tenant):
			return i, nil
		default:
			return nil, i.tenancy.other
		}
	}
	return nil, nil
}
