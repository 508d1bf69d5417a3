package server

import (
	"context"
	"time"
)

// TokenStore keeps the codes and tokens of grants. See [Store].
type TokenStore interface {
	// FindCode returns the code with this digest and its grant, whatever became
	// of them, or nil and nil.
	FindCode(ctx context.Context, digest string) (*Code, *Grant, error)

	// Redeem uses up the code with this digest, adds tokens of its grant, and
	// moves the grant's LastUsed to now and its ExpiresAt to the later one of
	// theirs. Of many calls at once with one digest at most one is Redeemed,
	// and as soon as there was a second nothing of the grant is good: see
	// [Verdict], of which it never returns Retried.
	Redeem(ctx context.Context, digest string, now time.Time, tokens Tokens) (Verdict, error)

	// FindRefresh returns the refresh token with this digest and its grant,
	// whatever became of them, or nil and nil.
	FindRefresh(ctx context.Context, digest string) (*Refresh, *Grant, error)

	// Rotate uses up the refresh token with the digest old: it adds tokens, of
	// the same grant and with a refresh token, moves the grant as Redeem does,
	// and forgets the Sealed of the token that is used. Of many calls at once
	// with one digest, one is Redeemed. What another one answers, and what
	// becomes of the grant, is said at [Verdict].
	Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, tokens Tokens) (Rotation, error)

	// FindAccess returns the access token with this digest and its grant,
	// whatever became of them, or nil and nil. It is asked on every request.
	FindAccess(ctx context.Context, digest string) (*Access, *Grant, error)

	// AddAccess adds an access token to a grant that is live at now, and reports
	// whether it did. If the token expires later than the grant, the grant's
	// ExpiresAt moves there. LastUsed moves to now.
	AddAccess(ctx context.Context, access *Access, now time.Time) (bool, error)

	// RemoveAccess ends an access token alone, and reports whether there was one.
	RemoveAccess(ctx context.Context, digest string) (bool, error)
}

// Code is an authorization code (RFC 6749 §1.3.1) as a store keeps it. What is
// needed to check it is in the same record: nothing of it can be lost apart.
type Code struct {
	Digest      string
	GrantID     string
	RedirectURI string // as it was asked for, "" if it was left out
	Challenge   string // S256 (RFC 7636 §4.2), or "" without PKCE
	Nonce       string // for the ID token (OpenID Connect Core §2), or ""
	ExpiresAt   time.Time
	Redeemed    time.Time // zero until it is used
}

// Access is an access token as a store keeps it.
type Access struct {
	cache *accessCache // of a record that this program made

	Digest    string // of an opaque token, or of the "jti" of a JWT
	ID        string // "jti"
	GrantID   string
	Scopes    []string
	Audience  []string // resources, never empty
	Issued    time.Time
	ExpiresAt time.Time
}

// Refresh is a refresh token as a store keeps it. Its scopes and resources are
// those of its grant.
type Refresh struct {
	Digest    string
	GrantID   string
	Issued    time.Time
	ExpiresAt time.Time
	Rotated   time.Time // zero until it is used
	Successor string    // digest of the token that replaced it, or ""
	// Sealed is this token, encrypted so that only a holder of its predecessor can
	// read it. Nil without a grace. It is forgotten when this token is used.
	Sealed []byte
}

// Tokens are what is issued in one step.
type Tokens struct {
	Access  *Access
	Refresh *Refresh // may be nil
}

// ExpiresAt returns the later expiry.
func (t Tokens) ExpiresAt() time.Time {
	if t.Refresh != nil && t.Refresh.ExpiresAt.After(t.Access.ExpiresAt) {
		return t.Refresh.ExpiresAt
	}
	return t.Access.ExpiresAt
}

// Verdict is the answer of a store to the use of a code or a refresh token.
type Verdict int

// The verdicts, in the order in which they are looked for.
const (
	// Unknown: there is no such code or token. Nothing was changed.
	Unknown Verdict = iota
	// Revoked: its grant was ended. Nothing was changed.
	Revoked
	// Expired: it or its grant has expired. Nothing was changed.
	Expired
	// Redeemed: it was used now, and what comes of it was added.
	Redeemed
	// Retried: the refresh token was used less than grace ago, and its
	// successor, with its Sealed, was not used yet and has not expired.
	// The access token was added, as by AddAccess. No refresh token was. Of two
	// requests the later one may be served first, so less than grace ahead is
	// the same.
	Retried
	// Reused: it was used before, by whomever. Its grant is ended now.
	Reused
)

// Rotation is the outcome of Store.Rotate.
type Rotation struct {
	Verdict Verdict
	Sealed  []byte // of the successor, if Retried
}
