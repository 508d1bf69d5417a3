package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// endTimeout is for how long the grants of a session that ended may take to end.
const endTimeout = 10 * time.Second

// sessionEnded is an observer of sessions that tells the authorization server which one has
// ended: signed out of, ended from another device or by a new password, or replaced by the
// next login of the browser. The session is gone by then, so a browser that hangs up must not
// keep the grants.
func (a *app) sessionEnded(next auth.Observer) auth.Observer {
	return auth.ObserverFunc(func(ctx context.Context, e auth.Event) {
		next.Observe(ctx, e)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		var err error
		switch {
		case e.Kind == auth.EventRevoked: // before each EventLogout of one session, too
			_, err = a.oauth.EndSession(ctx, e.CredentialID)
		case e.Kind == auth.EventLogout && e.CredentialID == "": // everywhere
			err = a.endSessions(ctx, e.UserID)
		}
		if err != nil {
			a.logger.ErrorContext(ctx, "ending what was granted in a session", "error", err)
			if f, ok := ctx.Value(endFailureKey{}).(*endFailure); ok {
				f.err = errors.Join(f.err, err)
			}
		}
	})
}

// endFailure is what went wrong when grants were to end with a session. An observer returns
// no error, so a handler that must know of it puts an endFailure into the context.
type endFailure struct{ err error }

type endFailureKey struct{}

// noteEndFailure returns r with a place for what sessionEnded fails of.
func noteEndFailure(r *http.Request) (*http.Request, *endFailure) {
	f := &endFailure{}
	return r.WithContext(context.WithValue(r.Context(), endFailureKey{}, f)), f
}

// endSessions ends what a user granted in whatever session.
func (a *app) endSessions(ctx context.Context, userID string) error {
	ended := map[string]bool{"": true} // one transaction a session, not a grant
	for grant, err := range backend.AllRows(func(page backend.Page) ([]*server.Grant, string, error) {
		return a.oauth.Grants(ctx, userID, page)
	}) {
		if err != nil {
			return err
		}
		if ended[grant.SessionID] {
			continue
		}
		ended[grant.SessionID] = true
		if _, err := a.oauth.EndSession(ctx, grant.SessionID); err != nil {
			return err
		}
	}
	return nil
}
