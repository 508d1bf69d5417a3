package server

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// revocationEndpoint is the endpoint of RFC 7009.
type revocationEndpoint struct{}

func (revocationEndpoint) register(r *registry) {
	s := r.server
	r.addRoutes(func(h *handler, to router) {
		// A page that is a public client signs out by it (RFC 7009 §2.3).
		to.handle("/revoke_token", allowEverywhere("POST", http.HandlerFunc(h.serveRevoke)))
	})
	r.addMetadata(func(_ context.Context, _ time.Time, m metadata) error {
		m["revocation_endpoint"] = s.url("/revoke_token/")
		m["revocation_endpoint_auth_methods_supported"] = s.authMethods()
		return nil
	})
}

// serveRevoke is the revocation endpoint (RFC 7009 §2). A refresh token takes
// everything of its grant with it, an access token goes alone. The hint of what
// kind it is is not needed: tokens tell.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if !s.allowPost(w, r) {
		return
	}
	if err := s.revoke(r); err != nil {
		s.answerError(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// errNotYours: the token stays good for its owner (RFC 7009 §2.1).
func errNotYours(owner string) error {
	return refuse(CodeInvalidGrant, "The token was issued to another client.",
		failedValue("the token was issued to another client", "", owner))
}

func (s *Server) revoke(r *http.Request) error {
	form, err := bodyForm(r)
	if err != nil {
		return err
	}
	client, err := s.authenticate(r, form)
	if err != nil {
		return err
	}
	return ofClient(client.ID, s.revokeFor(r.Context(), client, form.Get("token")))
}

// revokeFor revokes a token for a client that has authenticated.
func (s *Server) revokeFor(ctx context.Context, client *Client, token string) error {
	if token == "" {
		return refuse(CodeInvalidRequest, "The token is missing.", failedCheck("the token is missing"))
	}
	if backend.OwnsToken(token, s.refreshPrefix) {
		refresh, grant, err := s.config.Store.FindRefresh(ctx, backend.TokenDigest(token, s.refreshPrefix))
		switch {
		case err != nil || refresh == nil:
			return err
		case grant.ClientID != client.ID:
			return errNotYours(grant.ClientID)
		}
		_, err = s.endGrant(ctx, grant)
		return err
	}
	return s.revokeAccess(ctx, client, token)
}

func (s *Server) revokeAccess(ctx context.Context, client *Client, token string) error {
	digest, err := s.accessDigest(ctx, token)
	if kind := auth.KindOf(err); kind == auth.ErrInvalid || kind == auth.ErrUnrecognized {
		return nil // nothing to revoke (RFC 7009 §2.2)
	}
	if err != nil {
		return err
	}
	access, grant, err := s.config.Store.FindAccess(ctx, digest)
	switch {
	case err != nil || access == nil:
		return err
	case grant.ClientID != client.ID:
		return errNotYours(grant.ClientID)
	}
	if client.RevokeGrantWithAccessToken {
		_, err = s.endGrant(ctx, grant)
		return err
	}
	removed, err := s.config.Store.RemoveAccess(ctx, digest)
	if removed {
		s.sendEvent(ctx, auth.EventRevoked, grant.UserID, access.ID)
	}
	return err
}

// endGrant ends a grant, and reports whether it was live.
func (s *Server) endGrant(ctx context.Context, grant *Grant) (bool, error) {
	ended, err := s.config.Store.End(ctx, grant.ID, now())
	if ended {
		s.sendEvent(ctx, auth.EventRevoked, grant.UserID, grant.ID)
	}
	return ended, err
}
