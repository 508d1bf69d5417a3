package knox

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Authenticate proves a request by the token in its Authorization header; see
// [auth.Authenticator]. Unknown, revoked and expired tokens and those whose
// user's stamp has changed are ErrInvalid, "Invalid token."; an inactive user
// is ErrInvalid, "User inactive or deleted.".
func (t *Tokens) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, token, err := auth.TokenFrom(r, t.config.Schemes...)
	if err != nil {
		return nil, nil, err
	}
	return t.VerifyToken(r.Context(), token)
}

// VerifyToken proves a bare token. It is ErrUnrecognized if it does not have the
// shape of those that Tokens issues, and ErrInvalid if it starts with Config.Prefix
// and the rest is broken. No store is asked about either.
func (t *Tokens) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	digest, err := t.digest(token)
	if err != nil {
		return nil, nil, err
	}
	record, err := t.config.Store.Find(ctx, digest)
	if err != nil {
		return nil, nil, backend.Outage(err)
	}
	now := time.Now()
	if record == nil {
		return nil, nil, errUnknown
	}
	if !record.Live(now) {
		return nil, nil, record.refuse(errExpired)
	}
	user, err := t.config.LoadUser.Load(ctx, record.UserID)
	if err != nil {
		return nil, nil, record.refuseUser(err)
	}
	if !backend.SameStamp(record.Stamp, backend.Stamp("knox", user)) {
		return nil, nil, record.refuse(errStamp)
	}
	// Nothing is written before the user is known to be active.
	record = t.touch(ctx, record, now)
	return user, &Token{record, t.config.Name}, nil
}

// digest returns the store's key of a token, or an error if it has none.
func (t *Tokens) digest(token string) (string, error) {
	digest, err := t.format.Read(token)
	if err == nil {
		return digest, nil
	}
	for _, format := range t.config.Formats {
		if digest, ok := format(token); ok {
			return digest, nil
		}
	}
	if auth.KindOf(err) == auth.ErrInvalid {
		return "", errBroken
	}
	return "", t.unrecognized
}

// touchTimeout is how long a request waits for its last use to be written.
const touchTimeout = time.Second

// touch writes the last use and a slide, if either is due, and returns the
// record as it then is. A touch that fails fails no request: the token is good,
// and the next use tries again.
func (t *Tokens) touch(ctx context.Context, record *Record, now time.Time) *Record {
	expires := t.slidExpiry(record, now)
	due := t.config.TouchInterval > 0 && now.Sub(record.LastUsed) >= t.config.TouchInterval
	if !due && expires.Equal(record.ExpiresAt) {
		return record
	}
	now = backend.StoreTime(now)
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	if err := t.config.Store.Touch(ctx, record.Digest, now, expires); err != nil {
		return record
	}
	touched := *record
	touched.LastUsed = now
	if touched.ExpiresAt.Before(expires) {
		touched.ExpiresAt = expires
		t.events.Send(ctx, auth.Event{Kind: auth.EventRefreshed, UserID: record.UserID, CredentialID: record.ID})
	}
	return &touched
}

// slidExpiry returns when the record expires if it is used now. It never comes
// earlier: a token issued with a longer life than sliding gives keeps it.
func (t *Tokens) slidExpiry(record *Record, now time.Time) time.Time {
	if record.Slide <= 0 || record.ExpiresAt.IsZero() {
		return record.ExpiresAt
	}
	expires := backend.StoreTime(now.Add(record.Slide))
	if !record.MaxExpiresAt.IsZero() && expires.After(record.MaxExpiresAt) {
		expires = record.MaxExpiresAt
	}
	if expires.Sub(record.ExpiresAt) <= min(t.config.MinRefreshInterval, record.Slide/10) {
		return record.ExpiresAt
	}
	return expires
}
