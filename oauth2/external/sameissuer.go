package external

import (
	"fmt"
	"slices"
)

// checkSameIssuer refuses a provider that could name an identity of another one.
//
// An identity is an issuer and a subject. Only ID tokens are bound to their issuer, by its
// signature. What an OAuth2 says is bound to nothing but its client: it could name each
// subject of an issuer that another provider has, and many have other subjects for each
// client.
func (p *provider) checkSameIssuer(other *provider) error {
	if p.issuer != other.issuer && !p.mayIssue(other.issuer) && !other.mayIssue(p.issuer) {
		return nil
	}
	if p.clients == nil || other.clients == nil {
		return fmt.Errorf("oauth2/external: providers %q and %q have one Issuer, which only providers with OpenID "+
			"Connect may share", other.name, p.name)
	}
	for _, client := range p.clients {
		if slices.Contains(other.clients, client) {
			return fmt.Errorf("oauth2/external: providers %q and %q have the client %q of one issuer (ClientID or "+
				"AppClientIDs): a client may be in one of them only", other.name, p.name, client)
		}
	}
	return nil
}

// mayIssue reports whether identities of a provider may have this issuer. The Issuer of an [OAuth2] is a name, which is
// compared as a whole.
func (p *provider) mayIssue(issuer string) bool { return p.clients != nil && p.isIssuer(issuer) }
