package server

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// applyRegistration checks a registration and puts it into a client. A client may keep what it has
// and the server has no longer, such as a scope: else its owner could change nothing of it.
func (s *Server) applyRegistration(c *Client, r Registration) error {
	if r.GrantTypes == nil {
		r.GrantTypes = []string{GrantAuthorizationCode} // RFC 7591 §2
	}
	if err := s.checkRegistration(c, r); err != nil {
		return err
	}
	scopes, err := s.registeredScopes(r.Scope, c)
	if err != nil {
		return err
	}
	algorithm := c.IDTokenAlgorithm
	c.put(r, scopes)
	if r.IDTokenAlgorithm != algorithm {
		if err := s.config.registerIDTokenAlgorithm(&r, c); err != nil {
			return err
		}
	}
	rules := []func(*Registration, *Client) error{checkPKCE, checkRefreshGrace}
	for _, check := range append(rules, s.features.registrations...) {
		if err := check(&r, c); err != nil {
			return err
		}
	}
	return nil
}

// checkRegistration checks what needs no client that is filled in.
func (s *Server) checkRegistration(c *Client, r Registration) error {
	if !validClientID(c.ID) {
		return errClientIDForm(c.ID)
	}
	if r.Owner != "" && !backend.ValidUserID(r.Owner) {
		return metadataError("The owner is no identifier of a user.",
			failedValue("the owner is longer than 512 bytes, or not UTF-8 without NUL", r.Owner))
	}
	if s.isAudience(c.ID) {
		return metadataError("The client_id is that of a resource or of the issuer.",
			failedValue(clientIsAudience, c.ID))
	}
	// A registration endpoint is to ignore the members that a client can do without (RFC 7591 §2).
	if err := checkMembers(r.Members, false); err != nil {
		return err
	}
	for _, check := range []func(Registration, *Client) error{s.checkName, s.checkGrants, s.checkAuthMethod,
		s.checkResources} {
		if err := check(r, c); err != nil {
			return err
		}
	}
	return nil
}

func errClientIDForm(id string) *Error {
	return metadataError("The client_id starts with client:, has other characters than the visible ones of ASCII, "+
		"or more than 200.", failedValue("the client_id is not of an allowed form", id))
}

// put puts what was checked into the client. The rules of registration put in the rest.
func (c *Client) put(r Registration, scopes []string) {
	c.Name = cmp.Or(shownName(r.ClientName), c.ID)
	c.Owner, c.AuthMethod = r.Owner, r.TokenEndpointAuthMethod
	c.RedirectURIs, c.PostLogoutRedirectURIs = slices.Clone(r.RedirectURIs), slices.Clone(r.PostLogoutRedirectURIs)
	c.GrantTypes, c.Scopes = slices.Clone(r.GrantTypes), scopes
	c.Resources, c.ResourceServer = slices.Clone(r.Resources), slices.Clone(r.ResourceServer)
	c.FirstParty, c.AllowWithoutPKCE, c.ClaimsInIDToken = r.FirstParty, r.AllowWithoutPKCE, r.ClaimsInIDToken
	c.AllowShortSecret = r.AllowShortSecret
	c.IgnoreUnknownScopes, c.RevokeGrantWithAccessToken = r.IgnoreUnknownScopes, r.RevokeGrantWithAccessToken
}

// checkGrants checks what a client is to use, and the form of its addresses.
func (s *Server) checkGrants(r Registration, c *Client) error {
	for _, name := range r.GrantTypes {
		if s.features.grants[name] == nil && !c.Allows(name) {
			return unsupported("A grant type is not supported.", "the server has no such grant type", name,
				s.grantNames()...)
		}
	}
	if len(r.GrantTypes) == 0 {
		return metadataError("There is no grant type.", failedCheck("the list of grant types is empty"))
	}
	for _, name := range r.ResponseTypes {
		if name != "code" {
			return unsupported("The one response type is code.", "the response type is not supported", name, "code")
		}
	}
	for _, uri := range append(slices.Clone(r.RedirectURIs), r.PostLogoutRedirectURIs...) {
		if err := CheckRedirectURI(uri); err != nil {
			return err
		}
	}
	return nil
}

// checkAuthMethod checks how a client authenticates.
func (s *Server) checkAuthMethod(r Registration, c *Client) error {
	if r.DPoPBoundAccessTokens || r.RequirePushedRequests {
		return unsupported("Tokens bound to keys and pushed authorization requests are not supported.",
			"the registration has dpop_bound_access_tokens or require_pushed_authorization_requests", "")
	}
	method, known := r.TokenEndpointAuthMethod, s.authMethods()
	if method != c.AuthMethod && method != "" && !slices.Contains(known, method) {
		return unsupported("The token_endpoint_auth_method is not supported.",
			"the token_endpoint_auth_method is not supported", method, known...)
	}
	return nil
}

// checkResources checks what a client may ask tokens for, and which resources it is.
func (s *Server) checkResources(r Registration, c *Client) error {
	if r.Resources != nil && len(r.Resources) == 0 { // some stores cannot tell it from nil: every one
		return metadataError("There is no resource.", failedCheck("the list of resources is empty, and not left out"))
	}
	for _, id := range append(slices.Clone(r.Resources), r.ResourceServer...) {
		if s.resource(id) == nil && !slices.Contains(c.Resources, id) && !c.isResource(id) {
			return metadataError("A resource is not known.",
				failedSetting("Config.Resources", "the server has no such resource", id, s.resourceIDs()...))
		}
	}
	return nil
}

// registeredScopes reads the scopes of a registration: see Registration.Scope.
func (s *Server) registeredScopes(text string, c *Client) ([]string, error) {
	var scopes []string
	if text == "" {
		for _, scope := range s.config.Scopes {
			scopes = append(scopes, scope.Name)
		}
		return scopes, nil
	}
	for _, name := range strings.Fields(text) {
		if s.scope(name) == nil && !slices.Contains(c.Scopes, name) {
			return nil, metadataError("A scope is not known.",
				failedSetting("Config.Scopes", "the server has no such scope", name))
		}
		if !slices.Contains(scopes, name) {
			scopes = append(scopes, name)
		}
	}
	return scopes, nil
}
