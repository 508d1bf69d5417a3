package server

import (
	"context"

	"github.com/gatewarden/auth/backend"
)

// RemoveUser forgets a deleted user: it ends the user's grants, forgets what the user agreed to, and
// removes the clients that the user is the Owner of, with all that these have. To keep a client, give it another
// Owner first. Call it after Config.LoadUser returns [auth.ErrUserNotFound] for the user, so that nothing is
// added meanwhile. The ID must not become that of another user.
//
// It is not one step. After an error, call it again.
func (s *Server) RemoveUser(ctx context.Context, userID string) error {
	if !backend.ValidUserID(userID) { // "" is the Owner of the operator's clients, and others have nothing
		return nil
	}
	for _, remove := range []func(context.Context, string) error{s.removeClients, s.removeConsents} {
		if err := remove(ctx, userID); err != nil {
			return backend.Outage(err)
		}
	}
	_, err := s.RevokeAll(ctx, userID)
	return err
}

// removed is how many records RemoveUser reads at once.
const removed = 100

// removeClients removes the clients of an owner.
func (s *Server) removeClients(ctx context.Context, owner string) error {
	for after := ""; ; {
		found, err := s.config.Store.Clients(ctx, owner, after, removed)
		if err != nil {
			return err
		}
		for _, client := range found {
			if _, err := s.RemoveClient(ctx, client.ID); err != nil {
				return err
			}
			after = client.ID
		}
		if len(found) < removed {
			return nil
		}
	}
}

// removeConsents forgets what a user agreed to.
func (s *Server) removeConsents(ctx context.Context, userID string) error {
	for after := ""; ; {
		found, err := s.config.Store.Consents(ctx, userID, after, removed)
		if err != nil {
			return err
		}
		for _, consent := range found {
			if _, err := s.Withdraw(ctx, userID, consent.ClientID); err != nil {
				return err
			}
			after = consent.ClientID
		}
		if len(found) < removed {
			return nil
		}
	}
}
