package jwt

import (
	"maps"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// requiredValue is a claim of Issuer.Shared.RequireValues.
type requiredValue struct {
	name   string
	values []string
}

// readValues reads Issuer.Shared.RequireValues. An issuer that gives tokens for any audience to everybody must be bound
// by it.
func (i *issuer) readValues(s *backend.Settings) {
	refuse := func(wrong bool, text string) { s.Refuse(wrong, "issuer %q: %s", i.Issuer.Issuer, text) }
	bound := i.Shared.AllowAnyCaller || len(i.Profile.BindOneOf) == 0
	for _, name := range slices.Sorted(maps.Keys(i.Shared.RequireValues)) {
		values := i.Shared.RequireValues[name]
		refuse(name == "" || len(values) == 0 || slices.Contains(values, ""),
			"Shared.RequireValues has a claim without a name or without a value")
		i.values = append(i.values, requiredValue{name, slices.Clone(values)})
		bound = bound || slices.Contains(i.Profile.BindOneOf, name)
	}
	i.Shared.RequireValues = nil // values is a copy
	refuse(!bound, "Shared.RequireValues must have one of "+strings.Join(i.Profile.BindOneOf, ", ")+
		", since the issuer gives tokens for any audience to everybody. See Shared.AllowAnyCaller")
}

// checkValues holds a token to Issuer.Shared.RequireValues.
func (i *issuer) checkValues(all []member) *refusal {
	for _, required := range i.values {
		value := lookup(all, required.name)
		accepted := says(value, func(text string) bool { return slices.Contains(required.values, text) })
		if accepted && required.name == "email" && !i.AllowUnverifiedEmail && verifiedEmail(all) == "" {
			return saysInvalid.withCheck(i.cause("email", "is not verified (email_verified)", "AllowUnverifiedEmail"))
		}
		if accepted {
			continue
		}
		c := i.cause(required.name, "", "Shared.RequireValues")
		c.Came, c.Want = []string{}, required.values
		says(value, func(text string) bool { c.Came = append(c.Came, text); return false })
		return saysInvalid.withCheck(c)
	}
	return nil
}

// checkPrefixes refuses issuers if machines of two of them could have one identifier.
func (v *Verifier) checkPrefixes(s *backend.Settings, issuers []*issuer) {
	for n, i := range issuers {
		for _, other := range issuers[:n] {
			a, b := i.MachinePrefix, other.MachinePrefix
			same := a == b && a != "" // which says that their machines are the same ones
			s.Refuse(!same && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)),
				"the issuers %q and %q could have machines of one identifier. Set Issuer.MachinePrefix for both, so "+
					"that no prefix begins with the other", other.Issuer.Issuer, i.Issuer.Issuer)
		}
	}
}
