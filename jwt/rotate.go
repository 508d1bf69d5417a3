package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Refresh exchanges a refresh token for the next pair, once. The user is loaded
// first. Errors are ErrInvalid for a token that is no good, or if its user may not
// log in or has another stamp. Code and detail are those of simplejwt. A token
// that was used before ends the session ([auth.EventReuse]), unless Config.Lifetimes.Grace
// gives its successor once more. With Config.Compat.AllowRefreshReuse the token stays good,
// and Refresh of the pair is "".
func (t *Tokens) Refresh(ctx context.Context, refresh string) (*Pair, error) {
	m, err := t.rotate(ctx, refresh, refreshKind)
	if err != nil {
		return nil, inBody(err)
	}
	return m.pair()
}

// RefreshSliding exchanges a sliding token, which must not have expired, for the
// next one, once. It is no good any more after that, but for Config.Lifetimes.Grace. With
// Config.Compat.AllowRefreshReuse it stays good beside the next one.
func (t *Tokens) RefreshSliding(ctx context.Context, token string) (*Sliding, error) {
	m, err := t.rotate(ctx, token, slidingKind)
	if err != nil {
		return nil, inBody(err)
	}
	return m.sliding()
}

// verifyOwn verifies a token of ours of these kinds by itself. An error may be a *refusal.
func (t *Tokens) verifyOwn(ctx context.Context, token string, want wanted, now time.Time) (*Token, error) {
	known, _, err := t.verifier.check(ctx, token, want, now)
	if err != nil {
		return nil, err
	}
	return known.token, nil
}

// rotate uses a token, and returns what the next ones are made of. An error may be a
// *refusal.
func (t *Tokens) rotate(ctx context.Context, token string, k kind) (*newTokens, error) {
	now := backend.StoreTime(time.Now())
	want := wantRefresh
	if k == slidingKind {
		want = wantSliding
	}
	old, err := t.verifyOwn(ctx, token, want, now)
	if err != nil {
		return nil, err
	}
	session, err := t.find(ctx, old)
	if err == nil && session == nil {
		var m *newTokens
		if m, err = t.adopt(ctx, old, k, now); err != errAdoptedMeanwhile {
			return m, err
		}
		session, err = t.find(ctx, old)
	}
	switch {
	case err != nil:
		return nil, err
	case session == nil: // purged since
		return nil, errUnknown
	case !session.RevokedAt.IsZero():
		return nil, errEnded
	}
	m, err := t.prepare(ctx, old, session, now)
	if err != nil {
		return nil, err
	}
	if t.config.Compat.AllowRefreshReuse {
		return t.reuse(ctx, old, m, k)
	}
	return t.replace(ctx, old, m, k)
}

// find returns the session of a token, or nil if something else made the token and no session here took it over.
func (t *Tokens) find(ctx context.Context, old *Token) (*Session, error) {
	record, session, err := t.config.Store.Find(ctx, digestOf(old.subject, old.id))
	switch {
	case err != nil:
		return nil, backend.Outage(err)
	case record == nil && old.sessionID == "":
		return nil, nil
	case record == nil:
		return nil, errUnknown
	case session.UserID != old.subject, old.sessionID != "" && session.ID != old.sessionID,
		old.sessionID == "" && !record.Adopted: // the identifier of one of ours
		return nil, errNotTheirs
	}
	return session, nil
}

// prepare loads the user of a session, and gets ready what is made for it.
func (t *Tokens) prepare(ctx context.Context, old *Token, session *Session, now time.Time) (*newTokens, error) {
	user, err := t.config.LoadUser.Load(ctx, session.UserID)
	if auth.KindOf(err) == auth.ErrInvalid {
		return nil, t.noAccount(old, err)
	}
	if err != nil {
		return nil, err
	}
	if !backend.SameStamp(session.Stamp, stampOf(session.ID, user)) {
		if _, err := t.Revoke(ctx, session.UserID, session.ID); err != nil {
			return nil, err
		}
		return nil, errStamp
	}
	return t.make(ctx, session, user, now)
}

// nextExpiry returns when a refresh or sliding token that is made now expires.
func (m *newTokens) nextExpiry(k kind) time.Time {
	ttl := m.t.config.Lifetimes.Refresh
	if k == slidingKind {
		ttl = m.t.config.Lifetimes.Sliding
	}
	return backend.Earlier(m.session.MaxExpiresAt, wholeSecond(m.now.Add(ttl)))
}

// replace uses up a token for the one that m makes.
func (t *Tokens) replace(ctx context.Context, old *Token, m *newTokens, k kind) (*newTokens, error) {
	next := &Refresh{Digest: digestOf(m.session.UserID, m.id), SessionID: m.session.ID, Issued: m.now,
		ExpiresAt: m.nextExpiry(k)}
	if t.config.Lifetimes.Grace > 0 {
		var err error
		if next.Sealed, err = sealID(old.id, m.id); err != nil {
			return nil, err
		}
	}
	rotation, err := t.config.Store.Rotate(ctx, digestOf(old.subject, old.id), m.now, t.config.Lifetimes.Grace, next)
	if err != nil {
		return nil, backend.Outage(err)
	}
	switch rotation.Verdict {
	case Rotated:
		t.sendRefreshed(ctx, m.session)
	case Retried:
		// The same successor by its identifier, which is what a store knows.
		if m.id, err = openID(old.id, rotation.Sealed); err != nil {
			return nil, err
		}
	default:
		return nil, t.unusable(ctx, rotation.Verdict, m.session)
	}
	m.session, m.generation = rotation.Session, rotation.Generation
	return m, nil
}

func (t *Tokens) sendRefreshed(ctx context.Context, session *Session) {
	t.events.Send(ctx, auth.Event{Kind: auth.EventRefreshed, UserID: session.UserID, CredentialID: session.ID})
}

// unusable returns the refusal for the verdict of a store about a token of a session.
func (t *Tokens) unusable(ctx context.Context, verdict Verdict, session *Session) error {
	switch verdict {
	case Reused:
		t.events.Send(ctx, auth.Event{Kind: auth.EventReuse, UserID: session.UserID, CredentialID: session.ID})
		return errReused
	case Revoked:
		return errEnded
	case Expired:
		return errOld
	}
	return errUnknown // purged since
}

// adopt starts a session with a token that something else made with the same
// keys, and takes over what it says. Its identifier is used up with it.
func (t *Tokens) adopt(ctx context.Context, old *Token, k kind, now time.Time) (*newTokens, error) {
	claimed := t.issuer.claimed(old)
	claimed.Digest = "" // whether it was used, Start says, and does what follows
	void, err := t.config.Store.Revoked(ctx, claimed, now)
	switch {
	case err != nil:
		return nil, backend.Outage(err)
	case void:
		return nil, errRevoked
	}
	options, err := t.adoptedOptions(old, k, now)
	if err != nil {
		return nil, err
	}
	if _, err := t.newSession(old.subject, now, options, k); err != nil {
		return nil, errAdopted
	}
	adopted := &Refresh{Digest: digestOf(old.subject, old.id), Issued: old.issued, ExpiresAt: old.expires}
	m, err := t.start(ctx, old.subject, options, k, adopted)
	if auth.KindOf(err) == auth.ErrInvalid && (errors.Is(err, auth.ErrUserNotFound) ||
		errors.Is(err, auth.ErrUserInactive)) {
		return nil, t.noAccount(old, err)
	}
	if err != nil {
		return nil, err
	}
	// What was voided since the first look must not go on in a login of now.
	switch void, err := t.config.Store.Revoked(ctx, claimed, now); {
	case err != nil:
		return nil, backend.Outage(err)
	case void:
		if _, err := t.Revoke(ctx, m.session.UserID, m.session.ID); err != nil {
			return nil, err
		}
		return nil, errRevoked
	}
	return m, nil
}

// adoptedOptions are the particulars of a login that starts with a token of something else.
func (t *Tokens) adoptedOptions(old *Token, k kind, now time.Time) (Options, error) {
	options := Options{Scopes: old.scopes, Limited: old.limited, ClientID: old.clientID, AuthInfo: old.login,
		Claims: map[string]any{}}
	var all map[string]json.RawMessage
	if err := old.Decode(&all); err != nil {
		return options, errAdopted
	}
	for name, value := range all {
		if t.checkClaims(map[string]any{name: nil}) == nil {
			options.Claims[name] = value
		}
	}
	if t.config.Compat.AllowRefreshReuse {
		options.kept, options.end = old.id, old.expires
	}
	if k == slidingKind {
		options.end = time.Unix(old.refreshEnd, 0).UTC() // as it says, without a claim long ago
		if !now.Before(options.end) {
			return options, errSlidEnd
		}
	}
	return options, nil
}

// noAccount refuses a token by what a loader says of its user.
func (t *Tokens) noAccount(old *Token, err error) *refusal {
	c := t.issuer.cause(t.config.Compat.Format.UserClaim, "is refused as a user", "LoadUser")
	c.Came, c.Err = []string{old.subject}, err
	return saysNoAccount.because(c)
}
