package jwt

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Verify verifies a token of ours of any kind, and that it and its session
// were not ended. It does not ask for the user. Errors are those of
// [Tokens.Refresh], and it uses nothing up.
func (t *Tokens) Verify(ctx context.Context, token string) (*Token, error) {
	now := backend.StoreTime(time.Now())
	presented, err := t.verifyOwn(ctx, token, wantAny, now)
	if err != nil {
		return nil, inBody(err)
	}
	claimed := t.issuer.claimed(presented)
	if presented.kind == refreshKind {
		claimed.Digest = digestOf(presented.subject, presented.id) // and that it was not used
	}
	switch revoked, err := t.config.Store.Revoked(ctx, claimed, now); {
	case err != nil:
		return nil, backend.Outage(err)
	case revoked:
		return nil, errRevoked.inBody()
	}
	return presented, nil
}

// Logout ends the session that a refresh or sliding token is of, with all its
// access tokens. Whatever has ended already is an error, as in [Tokens.Refresh].
// A token that was used before ends the session, too, and is an error.
func (t *Tokens) Logout(ctx context.Context, token string) error {
	return inBody(t.logout(ctx, token))
}

// logout is Logout, but an error may be a *refusal.
func (t *Tokens) logout(ctx context.Context, token string) error {
	now := backend.StoreTime(time.Now())
	presented, err := t.verifyOwn(ctx, token, wantRefreshable, now)
	if err != nil {
		return err
	}
	record, session, err := t.config.Store.Find(ctx, digestOf(presented.subject, presented.id))
	switch {
	case err != nil:
		return backend.Outage(err)
	case record == nil && presented.sessionID == "":
		return t.refuseForeign(ctx, presented, now)
	case record == nil:
		return errUnknown
	case session.UserID != presented.subject:
		return errNotTheirs
	}
	ended, err := t.config.Store.Revoke(ctx, session.UserID, session.ID, now)
	switch {
	case err != nil:
		return backend.Outage(err)
	case !ended:
		return errEnded
	case !record.Rotated.IsZero():
		t.events.Send(ctx, auth.Event{Kind: auth.EventReuse, UserID: session.UserID, CredentialID: session.ID})
		return errReused
	}
	t.events.Send(ctx, auth.Event{Kind: auth.EventLogout, UserID: session.UserID, CredentialID: session.ID})
	return nil
}

// refuseForeign uses up a refresh or sliding token that something else made: it is adopted
// by a session that ends at once.
func (t *Tokens) refuseForeign(ctx context.Context, presented *Token, now time.Time) error {
	session, err := t.newSession(presented.subject, now, Options{}, refreshKind)
	if err != nil {
		return err
	}
	session.RevokedAt = now
	first := &Refresh{Digest: digestOf(session.UserID, backend.NewID()), SessionID: session.ID, Issued: now,
		ExpiresAt: session.ExpiresAt}
	adopted := &Refresh{Digest: digestOf(presented.subject, presented.id), Issued: presented.issued,
		ExpiresAt: presented.expires}
	started, err := t.config.Store.Start(ctx, session, first, adopted, 0, false)
	switch {
	case err != nil:
		return backend.Outage(err)
	case started.Seen:
		return errSeen
	}
	t.events.Send(ctx, auth.Event{Kind: auth.EventLogout, UserID: session.UserID, CredentialID: session.ID})
	return nil
}

// List returns a page of the sessions of a user that are good, the newest first, and the
// cursor of the next page, or "". They must not be changed. A page that cannot be meant
// is ErrMalformed.
func (t *Tokens) List(ctx context.Context, userID string,
	page backend.Page) (sessions []*Session, next string, err error) {
	if page, err = page.Checked(); err != nil {
		return nil, "", err
	}
	if !backend.ValidUserID(userID) { // Issue refuses the user
		return nil, "", nil
	}
	now := backend.StoreTime(time.Now())
	sessions, next, err = backend.ReadPage(page, func(after string, limit int) ([]*Session, error) {
		return t.config.Store.List(ctx, userID, after, limit, now)
	}, func(f *Session) string { return f.ID }, func(*Session) bool { return true })
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	return sessions, next, nil
}

// Revoke ends a session of a user, and reports whether there was one. The store is not asked
// about an identifier that it cannot have, such as one with a NUL: there is no such session.
func (t *Tokens) Revoke(ctx context.Context, userID, sessionID string) (bool, error) {
	if !backend.ValidUserID(userID) || !backend.ValidID(sessionID) {
		return false, nil
	}
	found, err := t.config.Store.Revoke(ctx, userID, sessionID, backend.StoreTime(time.Now()))
	if err != nil {
		return false, backend.Outage(err)
	}
	if found {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: sessionID})
	}
	return found, nil
}

// RevokeAll ends all sessions of a user and makes everything void that was issued
// to them until now, with or without a session here. It returns how many sessions
// there were. A user that no store can keep is auth.ErrInternal, and nothing is void: see
// [backend.CheckUserID]. Tokens of such users are refused.
func (t *Tokens) RevokeAll(ctx context.Context, userID string) (int, error) {
	return t.revokeAll(ctx, userID, "", "")
}

// RevokeOthers implements [auth.Revoker]. The session of the token that proved r stays:
// its refresh token is good, its access tokens are not if the user's stamp has
// changed.
func (t *Tokens) RevokeOthers(w http.ResponseWriter, r *http.Request, user auth.User) error {
	kept, stamp := "", ""
	current, ok := auth.CredentialFrom[*Token](r.Context())
	if ok && current.Backend() == t.Backend() && current.Subject() == user.UserID() &&
		current.Issuer() == t.config.Issuer {
		kept, stamp = current.sessionID, stampOf(current.sessionID, user)
	}
	_, err := t.revokeAll(r.Context(), user.UserID(), kept, stamp)
	return err
}

func (t *Tokens) revokeAll(ctx context.Context, userID, kept, stamp string) (int, error) {
	if err := backend.CheckUserID(userID); err != nil {
		return 0, fmt.Errorf("jwt: %w", err)
	}
	ids, err := t.config.Store.RevokeAll(ctx, userID, kept, stamp, backend.StoreTime(time.Now()))
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return len(ids), nil
}

// Purge implements [auth.Purger]. It removes at most limit sessions that expired, each
// with its refresh tokens.
func (t *Tokens) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := t.config.Store.Purge(ctx, backend.StoreTime(time.Now()), limit)
	if err != nil {
		return 0, backend.Outage(err)
	}
	return purged, nil
}
