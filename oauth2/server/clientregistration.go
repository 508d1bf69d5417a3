package server

import (
	"slices"
	"strings"
)

// Registration returns what the client is registered with, for a change of a part of it by
// [Server.ChangeClient]. It has no secret, and shares no slice with the client.
func (c *Client) Registration() Registration {
	return Registration{ClientID: c.ID, ClientName: c.Name, Owner: c.Owner, TokenEndpointAuthMethod: c.AuthMethod,
		RedirectURIs: slices.Clone(c.RedirectURIs), PostLogoutRedirectURIs: slices.Clone(c.PostLogoutRedirectURIs),
		GrantTypes: slices.Clone(c.GrantTypes), Scope: strings.Join(c.Scopes, " "),
		Resources: slices.Clone(c.Resources), ResourceServer: slices.Clone(c.ResourceServer),
		IDTokenAlgorithm: c.IDTokenAlgorithm, FirstParty: c.FirstParty, AllowWithoutPKCE: c.AllowWithoutPKCE,
		RefreshGrace: c.RefreshGrace, ClaimsInIDToken: c.ClaimsInIDToken}
}

// withForm returns the registration with what the form of the page shows. The rest stays as it is.
func (c *Client) withForm(form Registration) Registration {
	r := c.Registration()
	r.ClientName, r.GrantTypes = form.ClientName, form.GrantTypes
	r.RedirectURIs, r.PostLogoutRedirectURIs = form.RedirectURIs, form.PostLogoutRedirectURIs
	switch {
	case form.TokenEndpointAuthMethod == AuthNone:
		r.TokenEndpointAuthMethod, r.AllowWithoutPKCE = AuthNone, false
	case c.Public():
		r.TokenEndpointAuthMethod = ""
	}
	return r
}
