package jwt

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth/backend"
)

// This file has what Config.Compat.AllowRefreshReuse changes: a session has one refresh token,
// which stays good. The store keeps one record of it, whatever is made for it.

// errAdoptedMeanwhile is the error of a token of others that another request took over at the same time.
var errAdoptedMeanwhile = errors.New("jwt: the token was taken over meanwhile")

// reuse uses a token that stays good, and makes what is given for it: an access token, or a
// sliding token with the same identifier and a later end.
func (t *Tokens) reuse(ctx context.Context, old *Token, m *newTokens, k kind) (*newTokens, error) {
	var ends time.Time // a refresh token keeps its own
	if k == slidingKind {
		ends = m.nextExpiry(k)
	}
	rotation, err := t.config.Store.Use(ctx, digestOf(old.subject, old.id), m.now, ends)
	if err != nil {
		return nil, backend.Outage(err)
	}
	if rotation.Verdict != Kept {
		return nil, t.unusable(ctx, rotation.Verdict, m.session)
	}
	t.sendRefreshed(ctx, m.session)
	m.id, m.kept, m.session, m.generation = old.id, true, rotation.Session, rotation.Generation
	return m, nil
}

// keepAdopted makes the adopted token the first one of a session that is about to start: it stays good.
// The store remembers it until it, and what is made for it, cannot be used any more.
func (m *newTokens) keepAdopted(id string, adopted *Refresh) *Refresh {
	m.id, m.kept = id, true
	first := *adopted
	first.SessionID = m.session.ID
	if m.session.ExpiresAt.After(first.ExpiresAt) {
		first.ExpiresAt = m.session.ExpiresAt
	}
	return &first
}

// checkReuse refuses settings that Compat.AllowRefreshReuse contradicts.
func (c Config) checkReuse(s *backend.Settings) {
	s.Refuse(c.Compat.AllowRefreshReuse && c.Lifetimes.Grace != 0,
		"Config.Lifetimes.Grace with Compat.AllowRefreshReuse, which replaces no refresh token")
	s.Refuse(c.Compat.AllowRefreshReuse && c.Lifetimes.Session != c.Lifetimes.Refresh,
		"Config.Lifetimes.Session is not Refresh: with Compat.AllowRefreshReuse a login ends with its refresh token")
}

// errBrowserReuse is the error of BrowserHandlers with AllowRefreshReuse.
var errBrowserReuse = errors.New("jwt: BrowserHandlers with Config.Compat.AllowRefreshReuse: a browser takes each " +
	"new refresh token from its cookie by itself, so give pages Tokens of their own, without it")
