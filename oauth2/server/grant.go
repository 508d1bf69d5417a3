package server

import (
	"context"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// userOf loads the user of a grant, who must be as when it was given. It is nil
// for a grant of a client's own.
func (s *Server) userOf(ctx context.Context, grant *Grant) (auth.User, error) {
	if grant.UserID == "" {
		return nil, nil
	}
	user, err := s.config.LoadUser.Load(ctx, grant.UserID)
	if err != nil {
		return nil, userRefused(err)
	}
	if !backend.SameStamp(grant.Stamp, stampOf(user)) {
		return nil, errGrant(errUserChanged)
	}
	return user, nil
}

// revokeGrant ends a grant whose code came again, or from somebody who has nothing else.
func (s *Server) revokeGrant(ctx context.Context, grant *Grant, r *TokenRequest, failed string) error {
	ended, err := s.config.Store.End(ctx, grant.ID, r.Now)
	switch {
	case err != nil:
		return err
	case ended:
		return errGrant(&reuse{failed, grant})
	}
	return errGrant(check(failed + ", and its grant had ended already"))
}

// grantNotAllowed is the cause of a refusal for a grant that a client does not have.
func grantNotAllowed(client *Client, name string) error {
	return setting("Client.GrantTypes and Config.Grants",
		"the client does not have the grant", name, client.GrantTypes...)
}

// allowedScopes are the scopes of a grant that its client may have now. A token
// without any of those that were agreed to would be taken for one that has all: an
// answer cannot say that there are none (RFC 6749 §5.1).
func (s *Server) allowedScopes(client *Client, grant *Grant) ([]string, error) {
	allowed := slices.DeleteFunc(slices.Clone(grant.Scopes), func(scope string) bool {
		return !slices.Contains(client.Scopes, scope) || s.scope(scope) == nil
	})
	if len(allowed) == 0 && len(grant.Scopes) > 0 {
		return nil, refuse(CodeInvalidScope, "The client may have none of the scopes that were granted any more.",
			setting("Client.Scopes and Config.Scopes", "the client may have none of the granted scopes any more",
				strings.Join(grant.Scopes, " "), client.Scopes...))
	}
	return allowed, nil
}

// allowedResources are the resources that a token of a grant is for: those that are asked
// for, or all of the grant (RFC 8707 §2.2), of which the client may have them now.
func (s *Server) allowedResources(client *Client, grant *Grant, asked []string) ([]string, error) {
	allowed := slices.DeleteFunc(slices.Clone(grant.Resources), func(id string) bool {
		return s.resource(id) == nil || !client.mayAskFor(id)
	})
	if len(allowed) == 0 || !containsAll(allowed, asked) {
		return nil, refuse(CodeInvalidTarget,
			"The resource is none that was granted, or the client may not have it any more.",
			setting("Client.Resources and Config.Resources",
				"the resource was not granted, or the client may not have it any more",
				strings.Join(asked, " "), allowed...))
	}
	if len(asked) == 0 {
		return allowed, nil
	}
	return slices.Compact(slices.Sorted(slices.Values(asked))), nil
}
