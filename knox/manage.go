package knox

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// List returns the tokens of a user that are good, the newest first: neither
// those that expired nor those issued before the user's stamp changed. Of a user
// who may not log in none is: it returns what Config.LoadUser does, such as
// ErrUserInactive.
func (t *Tokens) List(ctx context.Context, userID string) ([]*Token, error) {
	user, err := t.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return nil, err
	}
	records, err := t.config.Store.List(ctx, userID, time.Now())
	if err != nil {
		return nil, backend.Outage(err)
	}
	stamp := backend.Stamp("knox", user)
	tokens := make([]*Token, 0, len(records))
	for _, record := range records {
		if backend.SameStamp(record.Stamp, stamp) {
			tokens = append(tokens, &Token{record, t.config.Name})
		}
	}
	return tokens, nil
}

// Revoke ends the token of a user with this identifier, and reports whether
// there was one.
func (t *Tokens) Revoke(ctx context.Context, userID, id string) (bool, error) {
	return t.revoke(ctx, userID, id, EndRevoked)
}

func (t *Tokens) revoke(ctx context.Context, userID, id string, reason EndReason) (bool, error) {
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
	// If nothing is kept any more, what was kept goes, too.
	ended, err := t.config.Store.PurgeEnded(ctx, ending.At.Add(-t.config.KeepEnded), limit-len(expired))
	if err != nil {
		return len(expired), backend.Outage(err)
	}
	return len(expired) + ended, nil
}
