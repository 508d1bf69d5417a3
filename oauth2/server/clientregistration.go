package server

import (
	"cmp"
	"slices"
	"strings"
)

// Registration returns what the client is registered with, for a change of a part of it by
// [Server.ChangeClient]. It has no secret, and shares no slice with the client.
func (c *Client) Registration() Registration {
	return Registration{ClientID: c.ID, ClientName: c.Name, Owner: c.Owner, TokenEndpointAuthMethod: c.AuthMethod,
		RedirectURIs: slices.Clone(c.RedirectURIs), PostLogoutRedirectURIs: slices.Clone(c.PostLogoutRedirectURIs),
		GrantTypes: slices.Clone(c.GrantTypes), Scope: cmp.Or(strings.Join(c.Scopes, " "), NoScope),
		Resources: slices.Clone(c.Resources), ResourceServer: slices.Clone(c.ResourceServer),
		IDTokenAlgorithm: c.IDTokenAlgorithm, FirstParty: c.FirstParty, AllowWithoutPKCE: c.AllowWithoutPKCE,
		RefreshGrace: c.RefreshGrace, ClaimsInIDToken: c.ClaimsInIDToken,
		AllowShortSecret: c.AllowShortSecret, IgnoreUnknownScopes: c.IgnoreUnknownScopes,
		RevokeGrantWithAccessToken: c.RevokeGrantWithAccessToken}
}

// withForm returns the registration with what the form of the page shows. The rest stays as it is,
// also the grants that are not shown because they are not for developers.
func (c *Client) withForm(form Registration, shown []string) Registration {
	r := c.Registration()
	r.ClientName, r.GrantTypes = form.ClientName, form.GrantTypes
	for _, grant := range c.GrantTypes {
		if !slices.Contains(shown, grant) && !slices.Contains(r.GrantTypes, grant) {
			r.GrantTypes = append(r.GrantTypes, grant)
		}
	}
	r.RedirectURIs, r.PostLogoutRedirectURIs = form.RedirectURIs, form.PostLogoutRedirectURIs
	switch {
	case form.TokenEndpointAuthMethod == AuthNone:
		r.TokenEndpointAuthMethod, r.AllowWithoutPKCE = AuthNone, false
	case c.Public():
		r.TokenEndpointAuthMethod = ""
	}
	return r
}
