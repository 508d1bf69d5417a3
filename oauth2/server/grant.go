package server

import (
	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// userOf loads the user of a grant, which must be as when it was given. It is nil
// for a grant of a client's own. The owner of that client must be able to log in.
func (s *Server) userOf(ctx context.Context, grant *Grant) (auth.User, error) {
	if grant.UserID == "" {
		fault, err := s.grantOwnerFault(ctx, grant)
		if fault != nil {
			return nil, errGrant(fault)
		}
		return nil, err
	}
	user, err := s.config.LoadUser.Load(ctx, grant.UserID)
	if err != nil {
		return nil, errLoadUser(err)
	}
	if !backend.SameStamp(grant.Stamp, stampOf(user)) {
		return nil, errGrant(errUserChanged)
	}
	return user, nil
}

// revokeGrant ends a grant after its code came again, or came from somebody that has nothing else.
func (s *Server) revokeGrant(ctx context.Context, grant *Grant, r *TokenRequest, failed string) error {
	ended, err := s.config.Store.End(ctx, grant.ID, r.Now)
	switch {
	case err != nil:
		return err
	case ended:
		return errGrant(&reuseError{failed, grant})
	}
	return errGrant(failedCheck(failed + ", and its grant had ended already"))
}

// causeGrantNotAllowed is the cause of a refusal for a grant that a client does not have.
func causeGrantNotAllowed(client *Client, name string) error {
	return failedSetting("Client.GrantTypes and Config.Tokens.Grants",
		"the client does not have the grant", name, client.GrantTypes...)
}
