package server

import (
	"context"
	"maps"
	"slices"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/oauth2"
)

// DeveloperScopes bounds the scopes of clients with an Owner, which any developer can register. It bounds
// what is issued, so that it also counts for clients that were registered before it was set.
type DeveloperScopes struct {
	// Users are the scopes that the clients may ask users for, and the most that Machines allows. Nil is every scope,
	// as the user is asked.
	Users []string
	// Machines are the scopes that the clients get for themselves, by the client credentials grant or by
	// [Server.Issue] without a user, and when such a grant is refreshed. Those that Users leaves out are not among
	// them. Nil allows no scope, because no user agrees to them (RFC 9700 §2.3).
	Machines []string
}

// check refuses scopes that there are not.
func (s *Server) checkDeveloperScopes(settings *backend.Settings) {
	for field, names := range map[string][]string{"Users": s.config.Clients.DeveloperScopes.Users,
		"Machines": s.config.Clients.DeveloperScopes.Machines} {
		for _, name := range names {
			settings.Refuse(s.scope(name) == nil,
				"Config.Clients.DeveloperScopes.%s has %q, which is not among Config.Scopes", field, name)
			settings.Refuse(field == "Machines" && isOpenIDScope(name),
				"Config.Clients.DeveloperScopes.Machines has %q, which is about a user", name)
		}
	}
}

// allowsScope reports whether a client may have a scope, of those there are.
func (s *Server) allowsScope(client *Client, scope string) bool {
	bound := s.config.Clients.DeveloperScopes.Users
	return slices.Contains(client.Scopes, scope) &&
		(client.Owner == "" || bound == nil || slices.Contains(bound, scope))
}

// machineScopeFault says why a client may not have a scope without a user. It is nil if the client may.
func (s *Server) machineScopeFault(client *Client, scope string) error {
	if isOpenIDScope(scope) {
		return failedValue("the scope is about a user, and client_credentials has no user", scope)
	}
	allowed := s.config.Clients.DeveloperScopes.Machines
	if client.Owner == "" || slices.Contains(allowed, scope) {
		return nil
	}
	return failedSetting("Config.Clients.DeveloperScopes.Machines",
		"the client has an owner, and the scope is not for the machines of developers", scope, allowed...)
}

// allowsMachine reports whether a client may have a scope in a grant without a user. The application decides about
// scopes of OpenID Connect, which [Server.Issue] takes.
func (s *Server) allowsMachine(client *Client, scope string) bool {
	return isOpenIDScope(scope) || s.machineScopeFault(client, scope) == nil
}

// checkMachineScopes refuses scopes that a client may not have without a user.
func (s *Server) checkMachineScopes(client *Client, scopes []string) error {
	for _, scope := range scopes {
		switch fault := s.machineScopeFault(client, scope); {
		case fault != nil && isOpenIDScope(scope):
			return refuse(CodeInvalidScope, "The scope has one that is about a user.", fault)
		case fault != nil:
			return refuse(CodeInvalidScope, "The scope has one that the client may not have for itself.", fault)
		}
	}
	return nil
}

// ownerFault says why the owner of a client may not log in any more. It is nil if there is no owner, or the
// owner may.
func (s *Server) ownerFault(ctx context.Context, owner string) (fault, err error) {
	if owner == "" {
		return nil, nil
	}
	_, err = s.config.LoadUser.Load(ctx, owner)
	if auth.KindOf(err) == auth.ErrInvalid {
		return &cause.Reason{Check: "the owner of the client is disabled or deleted", Came: owner,
			See: "Client.Owner", Err: err}, nil
	}
	return nil, err
}

// authorizingClient is enabledClient for a client that asks a user. The owner of the client must be able to log in.
func (s *Server) authorizingClient(ctx context.Context, id string) (client *Client, cause, err error) {
	client, cause, err = s.enabledClient(ctx, id)
	if cause == nil && err == nil {
		cause, err = s.ownerFault(ctx, client.Owner)
	}
	return client, cause, err
}

// checkOwner refuses tokens for a client if its owner may not log in. What is presented with a code or a refresh
// token is no good then, as if its user were the one.
func (s *Server) checkOwner(ctx context.Context, client *Client, grantType string) error {
	fault, err := s.ownerFault(ctx, client.Owner)
	switch {
	case err != nil || fault == nil:
		return err
	case grantType == GrantAuthorizationCode || grantType == GrantRefreshToken:
		return errGrant(fault)
	}
	return errOwner(fault)
}

// errOwner refuses tokens that rest on the client alone.
func errOwner(fault error) *Error {
	return refuse(CodeUnauthorizedClient, "The client may get no tokens now.", fault)
}

// checkMachine refuses tokens without a user that the client may not have.
func (s *Server) checkMachine(ctx context.Context, i Issuance) error {
	fault, err := s.ownerFault(ctx, i.Client.Owner)
	switch {
	case err != nil:
		return err
	case fault != nil:
		return errOwner(fault)
	}
	for _, scope := range i.Scopes {
		if fault := s.machineScopeFault(i.Client, scope); !s.allowsMachine(i.Client, scope) {
			return refuse(CodeInvalidScope, "The scope has one that the client may not have for itself.", fault)
		}
	}
	return nil
}

// grantOwner is the name in Grant.Extra of the client's owner, for a grant without a user.
const grantOwner = "client_owner"

// withOwner returns the Extra of a new grant. A grant that is the client's own ends with the client's owner.
func withOwner(i *Issuance) map[string]string {
	if i.UserID != "" || i.Client.Owner == "" {
		return i.Extra
	}
	extra := maps.Clone(i.Extra)
	if extra == nil {
		extra = make(map[string]string, 1)
	}
	extra[grantOwner] = i.Client.Owner
	return extra
}

// grantOwnerFault is ownerFault for the owner that the client of a grant had when the grant began.
func (s *Server) grantOwnerFault(ctx context.Context, grant *Grant) (fault, err error) {
	if grant.UserID != "" {
		return nil, nil
	}
	return s.ownerFault(ctx, grant.Extra[grantOwner])
}

// ofOwner returns an access token that is good, unless it is a client's own and the client's owner may not log in.
func (s *Server) ofOwner(ctx context.Context, grant *Grant, token *oauth2.Token) (*oauth2.Token, error) {
	fault, err := s.grantOwnerFault(ctx, grant)
	switch {
	case err != nil:
		return nil, backend.Outage(err)
	case fault != nil:
		return nil, errInvalidToken(fault)
	}
	return token, nil
}

// auditDevelopers lists what applications of developers can get.
func auditDevelopers(a *auditor) {
	scopes := a.config.Clients.DeveloperScopes
	if a.config.Clients.Developers != nil && scopes.Users == nil {
		a.add("RFC 9700 §2.3", "Clients.DeveloperScopes.Users",
			"applications of developers may ask users for every scope")
	}
	if len(scopes.Machines) > 0 {
		a.add("RFC 9700 §2.3", "Clients.DeveloperScopes.Machines",
			"applications of developers have %q for themselves, which no user agreed to", scopes.Machines)
	}
}
