package jwt

import (
	"encoding/json"
	"slices"
	"strings"
)

// unusableIssuer is the issuer of a key with a member "issuer" that is empty or no text. No token has it.
const unusableIssuer = "\x00"

// Issuer returns the member "issuer" of a published key, or "" if it cannot be used. Microsoft Entra ID
// writes for which tenants a key signs there, as "https://login.microsoftonline.com/{tenantid}/v2.0" or with the
// identifier of one tenant. It is not a member of RFC 7517. See Profile.KeyIssuers, which enforces it.
func (k *Key) Issuer() string {
	if k.issuer == unusableIssuer {
		return ""
	}
	return k.issuer
}

// readIssuer reads the member "issuer" of a JWK.
func (k *Key) readIssuer(value json.RawMessage) {
	if !isThere(string(value)) {
		return
	}
	var ok bool
	if k.issuer, ok = unquote(string(value)); !ok || k.issuer == "" {
		k.issuer = unusableIssuer
	}
}

// keysOf returns those of the keys that may sign for the issuer that a token names.
func (i *issuer) keysOf(keys []*Key, all []member) []*Key {
	if !i.Profile.KeyIssuers {
		return keys
	}
	iss, _ := unquote(lookup(all, "iss"))
	tenant, _ := unquote(lookup(all, "tid"))
	return slices.DeleteFunc(slices.Clone(keys), func(k *Key) bool { return !i.signsFor(k, iss, tenant) })
}

// signsFor reports whether a key says that it signs for an issuer.
func (i *issuer) signsFor(k *Key, iss, tenant string) bool {
	if k.issuer == "" {
		return i.Shared.AllowKeysWithoutIssuer
	}
	if isTemplate(k.issuer) && tenant == "" {
		return false
	}
	named := strings.ReplaceAll(k.issuer, tenantID, tenant)
	if named == iss {
		return true
	}
	// An alias is of the tenant that iss names. What the token says in tid is not proved yet.
	return tenant != "" && strings.Contains(iss+"/", "/"+tenant+"/") &&
		slices.ContainsFunc(i.Profile.KeyIssuerAliases, func(alias string) bool {
			return strings.ReplaceAll(alias, tenantID, tenant) == named
		})
}
