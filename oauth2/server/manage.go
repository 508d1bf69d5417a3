package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2"
)

// Grants returns a page of the grants of a user that are live, the newest first, and the
// cursor of the next page, or "". A page that cannot be meant is auth.ErrMalformed.
func (s *Server) Grants(ctx context.Context, userID string, page backend.Page) (grants []*Grant, next string,
	err error) {
	if page, err = page.Checked(); err != nil {
		return nil, "", err
	}
	if !backend.ValidUserID(userID) { // nothing is granted to such a user
		return nil, "", nil
	}
	at := now()
	grants, next, err = backend.ReadPage(page, func(after string, limit int) ([]*Grant, error) {
		return s.config.Store.Grants(ctx, userID, after, limit, at)
	}, func(g *Grant) string { return g.ID }, every)
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	return grants, next, nil
}

// every is for lists without a row to leave out.
func every[R any](R) bool { return true }

// byClient returns a page of a list with client IDs as its cursors, with its Limit filled
// in. It is auth.ErrMalformed if the page cannot be meant.
func byClient(page backend.Page) (backend.Page, error) {
	if page.After != "" && !validClientID(page.After) {
		return page, &auth.Error{Kind: auth.ErrMalformed, Detail: "The cursor is not one that this list returned.",
			Cause: errClientCursor}
	}
	return page.CheckedLimit()
}

var errClientCursor = errors.New("Page.After is not a cursor that a list returned: here those are client IDs")

// Revoke ends a grant with all its tokens, and reports whether it was good. The store is not
// asked about an identifier that it cannot have, such as one with a NUL: there is no such grant.
func (s *Server) Revoke(ctx context.Context, grantID string) (bool, error) {
	if !backend.ValidID(grantID) {
		return false, nil
	}
	grant, err := s.config.Store.Grant(ctx, grantID)
	if err != nil {
		return false, backend.Outage(err)
	}
	if grant == nil {
		return false, nil
	}
	ended, err := s.endGrant(ctx, grant)
	if err != nil {
		return false, backend.Outage(err)
	}
	return ended, nil
}

// Withdraw forgets what a user agreed to for a client and ends all that the client
// has of the user: access and refresh tokens and codes alike. It returns how many
// grants there were.
func (s *Server) Withdraw(ctx context.Context, userID, client string) (int, error) {
	if !validClientID(client) || !backend.ValidUserID(userID) {
		return 0, nil
	}
	ids, err := s.config.Store.Withdraw(ctx, userID, client, now())
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		s.sendEvent(ctx, auth.EventRevoked, userID, id)
	}
	return len(ids), nil
}

// EndSession says that a login session, by its credential's ID, has ended. It ends
// the grants that the user gave in it, but those with the scope "offline_access"
// (OpenID Connect Core §11), and returns how many there were.
func (s *Server) EndSession(ctx context.Context, sessionID string) (int, error) {
	if !backend.ValidID(sessionID) { // nothing is granted in such a session
		return 0, nil
	}
	ended, err := s.config.Store.EndSession(ctx, sessionID, now())
	if err != nil {
		return 0, backend.Outage(err)
	}
	s.reportEnded(ctx, ended)
	return len(ended), nil
}

// reportEnded sends an event for each grant that ended.
func (s *Server) reportEnded(ctx context.Context, ended []EndedGrant) {
	for _, grant := range ended {
		s.sendEvent(ctx, auth.EventRevoked, grant.UserID, grant.ID)
	}
}

// RevokeAll ends all grants of a user and returns how many there were. Consents
// stay: they give nothing by themselves.
func (s *Server) RevokeAll(ctx context.Context, userID string) (int, error) {
	return s.revokeAll(ctx, userID, "", "")
}

// RevokeOthers implements [auth.Revoker]. The grant of the token that proved r stays.
func (s *Server) RevokeOthers(_ http.ResponseWriter, r *http.Request, user auth.User) error {
	kept := ""
	token, ok := auth.CredentialFrom[*oauth2.Token](r.Context())
	if ok && token.Issuer == s.config.Issuer && token.Subject == user.UserID() {
		kept = token.GrantID
	}
	_, err := s.revokeAll(r.Context(), user.UserID(), kept, stampOf(user))
	return err
}

func (s *Server) revokeAll(ctx context.Context, userID, kept, stamp string) (int, error) {
	if !backend.ValidUserID(userID) { // nothing is granted to such a user
		return 0, nil
	}
	ids, err := s.config.Store.EndAll(ctx, userID, kept, stamp, now())
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		s.sendEvent(ctx, auth.EventRevoked, userID, id)
	}
	return len(ids), nil
}

// Backend returns "oauth2", the name in events, and in the log of [auth.PurgeEvery].
func (s *Server) Backend() string { return backendName }

// Purge implements [auth.Purger]. It removes at most limit records that can be of no
// use any more: see [Store].
func (s *Server) Purge(ctx context.Context, limit int) (int, error) {
	at := now()
	purged, err := s.config.Store.Purge(ctx, at, limit)
	for _, purge := range s.features.purges {
		if err != nil || purged >= limit {
			break
		}
		var more int
		more, err = purge(ctx, at, limit-purged)
		purged += more
	}
	if err != nil {
		return purged, backend.Outage(err)
	}
	return purged, nil
}
