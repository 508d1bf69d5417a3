package server

import (
	"context"
	"slices"
)

// ClientCredentials is the client credentials grant (RFC 6749 §4.4): a program
// that acts for itself. There is no refresh token: it can ask again.
type ClientCredentials struct{}

// Name returns "client_credentials".
func (ClientCredentials) Name() string { return GrantClientCredentials }

// Exchange issues an access token to a confidential client.
func (ClientCredentials) Exchange(ctx context.Context, s *Server, r *TokenRequest) (*TokenResponse, error) {
	if r.Client.Public() {
		return nil, refuse(CodeUnauthorizedClient, "A public client cannot act for itself.",
			failedCheck("the client is public, and client_credentials needs a secret (RFC 6749 §4.4)"))
	}
	scopes, err := s.scopesOf(r.Form.Get("scope"), r.Client)
	if err != nil {
		return nil, err
	}
	if r.Form.Get("scope") == "" {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
			return s.machineScopeFault(r.Client, scope) != nil
		})
	} else if err := s.checkMachineScopes(r.Client, scopes); err != nil {
		return nil, err
	}
	resources, err := s.resourcesOf(r.Form.All("resource"), r.Client)
	if err != nil {
		return nil, err
	}
	permissions, err := s.permissionsOf(scopes, resources, r.Form.Get("scope") != "")
	if err != nil {
		return nil, err
	}
	return s.startGrant(ctx, Issuance{Client: r.Client, Type: GrantClientCredentials}, permissions, r.Now)
}

// machineClients are what the client credentials grant adds besides itself.
type machineClients struct{}

func (machineClients) register(r *registry) {
	r.addRegistration(func(reg *Registration, c *Client) error {
		if c.Public() && c.Allows(GrantClientCredentials) {
			return metadataError("A public client cannot have the client credentials grant.",
				failedCheck("the client is public and has the grant client_credentials"))
		}
		return nil
	})
}
