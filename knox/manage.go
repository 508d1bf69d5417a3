package knox

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// List returns a page of the tokens of a user that are good, the newest first, and the
// cursor of the next page, or "". It lists no token that has expired or was issued before
// the user's stamp changed. Where the user may not log in, no token is good: the error is
// that of Config.LoadUser, such as ErrUserInactive. A page that cannot be meant is
// ErrMalformed.
func (t *Tokens) List(ctx context.Context, userID string, page backend.Page) (tokens []*Token, next string, err error) {
	if page, err = page.Checked(); err != nil {
		return nil, "", err
	}
	user, err := t.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return nil, "", err
	}
	now, stamp := time.Now(), backend.Stamp("knox", user)
	records, next, err := backend.ReadPage(page, func(after string, limit int) ([]*Record, error) {
		return t.config.Store.List(ctx, userID, after, limit, now)
	}, func(r *Record) string { return r.ID }, func(r *Record) bool { return backend.SameStamp(r.Stamp, stamp) })
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	for _, record := range records {
		tokens = append(tokens, t.credential(record))
	}
	return tokens, next, nil
}

// Revoke ends the token of a user with this identifier, and reports whether
// there was one. It does not ask the store about an identifier that no store can keep, such as
// one with a NUL.
func (t *Tokens) Revoke(ctx context.Context, userID, id string) (bool, error) {
	return t.revoke(ctx, userID, id, EndRevoked)
}

func (t *Tokens) revoke(ctx context.Context, userID, id string, reason EndReason) (bool, error) {
	if !backend.ValidUserID(userID) || !backend.ValidID(id) {
		return false, nil
	}
	found, err := t.config.Store.Revoke(ctx, userID, id, t.ending(reason))
	if err != nil {
		return false, backend.Outage(err)
	}
	if found {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return found, nil
}

// RevokeAll ends all tokens of a user and returns how many there were.
func (t *Tokens) RevokeAll(ctx context.Context, userID string) (int, error) {
	return t.revokeAll(ctx, userID, "", "")
}

// RevokeOthers implements [auth.Revoker]: it ends all tokens of user but the
// one that proved r, which gets user's stamp. A token that was itself revoked
// meanwhile does not come back. Nothing is set on w.
//
// It ends what is there. Of users without an [auth.Stamper] stamp, a login that
// was proved before and is still under way makes its token afterwards.
func (t *Tokens) RevokeOthers(_ http.ResponseWriter, r *http.Request, user auth.User) error {
	kept := ""
	token, ok := auth.CredentialFrom[*Token](r.Context())
	if ok && token.Backend() == t.config.Name && token.UserID() == user.UserID() {
		kept = token.record.Digest
	}
	_, err := t.revokeAll(r.Context(), user.UserID(), kept, backend.Stamp("knox", user))
	return err
}

func (t *Tokens) revokeAll(ctx context.Context, userID, kept, stamp string) (int, error) {
	if !backend.ValidUserID(userID) { // such a user has no tokens, as Issue refuses it
		return 0, nil
	}
	ids, err := t.config.Store.RevokeAll(ctx, userID, kept, stamp, t.ending(EndRevokedAll))
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return len(ids), nil
}

// Purge implements [auth.Purger]. It removes at most limit records: expired tokens,
// with an EventExpired for each, and then what was kept of ended ones for longer than
// Config.KeepEnded.
func (t *Tokens) Purge(ctx context.Context, limit int) (int, error) {
	ending := t.ending(EndExpired)
	expired, err := t.config.Store.Purge(ctx, limit, ending)
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, record := range expired {
		t.events.Send(ctx, auth.Event{Kind: auth.EventExpired, UserID: record.UserID, CredentialID: record.ID})
	}
	if len(expired) >= limit {
		return len(expired), nil
	}
	// With KeepEnded 0 this removes every EndedToken.
	purgedEnded, err := t.config.Store.PurgeEnded(ctx, ending.At.Add(-t.config.KeepEnded), limit-len(expired))
	if err != nil {
		return len(expired), backend.Outage(err)
	}
	return len(expired) + purgedEnded, nil
}
