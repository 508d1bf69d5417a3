package knox

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Authenticate proves a request by the token in its Authorization header. See
// [auth.Authenticator]. A token that is unknown, revoked or expired is ErrInvalid,
// "Invalid token.", and so is a token of a user with another stamp by now. An inactive
// user is ErrInvalid, "User inactive or deleted.".
func (t *Tokens) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	scheme, token, err := auth.Authorization(r)
	if err != nil {
		return nil, nil, err
	}
	if !t.hasScheme(scheme) {
		_, _, err := auth.TokenFrom(r, t.config.Schemes...) // which knows misspelled ones
		return nil, nil, err
	}
	return t.check(r.Context(), token, r)
}

// hasScheme reports whether scheme is one of Config.Schemes.
func (t *Tokens) hasScheme(scheme string) bool {
	for _, s := range t.config.Schemes {
		if len(s) == len(scheme) && strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

// VerifyToken proves a bare token. It is ErrUnrecognized if it does not have the
// shape of those that Tokens issues, and ErrInvalid if it starts with Config.Token.Prefix
// and the rest is broken. No store is asked about either, except for one that is a
// [HashFinder].
func (t *Tokens) VerifyToken(ctx context.Context, token string) (auth.User, auth.Credential, error) {
	return t.check(ctx, token, nil)
}

// check proves a token, which came with r if that is not nil.
func (t *Tokens) check(ctx context.Context, token string, r *http.Request) (auth.User, auth.Credential, error) {
	record, err := t.find(ctx, token, r)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if !record.Live(now) {
		return nil, nil, record.invalidToken(errExpired)
	}
	user, err := t.config.LoadUser.Load(ctx, record.UserID)
	if err != nil {
		return nil, nil, record.invalidUser(err)
	}
	var memo *backend.StampCache
	if c := t.cacheOf(record); c != nil {
		memo = &c.stamp
	}
	if !backend.MatchesStamp(record.Stamp, "knox", user, memo) {
		return nil, nil, record.invalidToken(errStamp)
	}
	// Nothing is written before the user is known to be active.
	return user, t.credential(t.touch(ctx, record, now)), nil
}

// find returns the record of a token, or the refusal of a token that has none.
func (t *Tokens) find(ctx context.Context, token string, r *http.Request) (*Record, error) {
	var found *Record
	if t.findHash != nil && t.format.Fits(token) {
		if hash, ok := backend.TokenHash(token); ok {
			record, err := t.findHash(ctx, hash)
			if record != nil && t.cacheOf(record) != nil {
				return record, nil // so its token has our form
			}
			if record == nil && err == nil {
				return t.findOther(ctx, token, r, t.format.Check(token))
			}
			found = record
		}
	}
	digest, err := t.format.Read(token)
	if err != nil {
		return t.findOther(ctx, token, r, err)
	}
	if found != nil && found.Digest == digest {
		return found, nil
	}
	return t.findDigest(ctx, digest)
}

// findOther returns the record of a token that the store does not have by its hash, or
// that is not of our form. formError says what is wrong with its form, and is nil if the form is
// ours. Only a token of another form can have characters that no token has: ours are all b64tokens.
func (t *Tokens) findOther(ctx context.Context, token string, r *http.Request, formError error) (*Record, error) {
	if formError == nil {
		return nil, errUnknown
	}
	if r != nil && !isPlain(token) {
		if _, _, err := auth.TokenFrom(r, t.config.Schemes...); err != nil {
			return nil, err
		}
	}
	for _, read := range t.config.Token.Foreign {
		if digest, ok := read(token); ok {
			if !backend.ValidID(digest) { // which no store can have
				return nil, errUnknown
			}
			return t.findDigest(ctx, digest)
		}
	}
	if auth.KindOf(formError) == auth.ErrInvalid {
		return nil, errBroken
	}
	return nil, t.unrecognized
}

// isPlain reports whether a token has letters and digits only, and at least one: it is a
// b64token then, and the header need not be read again.
func isPlain(token string) bool {
	for i := range len(token) {
		c := token[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return token != ""
}

func (t *Tokens) findDigest(ctx context.Context, digest string) (*Record, error) {
	record, err := t.config.Store.Find(ctx, digest)
	if err != nil {
		return nil, backend.Outage(err)
	}
	if record == nil {
		return nil, errUnknown
	}
	return record, nil
}

// touchTimeout is how long a request waits for a store that writes its last use at once.
const touchTimeout = time.Second

// touch writes the last use, and a later expiry if the token slides. It does so if TouchInterval
// has passed since the last use, or if nextExpiry returns a later expiry. It returns the
// record with what was written. An error of the store is ignored: the token is good, and the next
// use tries again.
func (t *Tokens) touch(ctx context.Context, record *Record, now time.Time) *Record {
	expires := t.nextExpiry(record, now)
	due := t.config.TouchInterval > 0 && now.Sub(record.LastUsed) >= t.config.TouchInterval
	if !due && expires.Equal(record.ExpiresAt) {
		return record
	}
	now = backend.StoreTime(now)
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	touch := Touch{Digest: record.Digest, Used: now, ExpiresAt: expires, LiveUntil: record.ExpiresAt}
	if err := t.config.Store.Touch(ctx, touch); err != nil {
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

// nextExpiry returns when the record expires if it is used now. It is ExpiresAt unless that gains
// more than Config.Sliding.MinGain. It never comes earlier: a token issued with a longer life than
// sliding gives keeps it.
func (t *Tokens) nextExpiry(record *Record, now time.Time) time.Time {
	if record.Slide <= 0 || record.ExpiresAt.IsZero() {
		return record.ExpiresAt
	}
	expires := backend.StoreTime(now.Add(record.Slide))
	if !record.MaxExpiresAt.IsZero() && expires.After(record.MaxExpiresAt) {
		expires = record.MaxExpiresAt
	}
	if expires.Sub(record.ExpiresAt) <= min(t.config.Sliding.MinGain, record.Slide/10) {
		return record.ExpiresAt
	}
	return expires
}
