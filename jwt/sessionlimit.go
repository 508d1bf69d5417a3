package jwt

import (
	"context"
	"errors"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// NoLimit as a Config.Limit lets a user have any number of sessions.
const NoLimit = backend.NoLimit

// ErrLimit is returned when a user already has Config.Limit sessions.
var ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "login_limit",
	Detail: "Maximum amount of logins allowed per user exceeded.",
	Cause:  errors.New("the user has as many logins as jwt Config.Limit allows")}

// startSession adds a session to the store. Logins from before the user's AuthStamp changed can
// no longer be used, so they are ended before one more is refused for them. With EvictOldest
// they are the oldest ones anyway.
func (t *Tokens) startSession(ctx context.Context, session *Session, first, adopted *Refresh) (Started, error) {
	limit, evict := t.config.Limit, t.config.EvictOldest
	started, err := t.config.Store.Start(ctx, session, first, adopted, limit, evict)
	if err == nil && started.OverLimit {
		ended, fault := t.endOutdated(ctx, session.UserID, session.Created)
		if fault != nil || !ended {
			return started, fault
		}
		started, err = t.config.Store.Start(ctx, session, first, adopted, limit, evict)
	}
	if err != nil {
		return Started{}, backend.Outage(err)
	}
	return started, nil
}

// endOutdated ends the sessions of a user that have another stamp than the user, and reports whether
// there were any. The user is loaded after the sessions were read, so that a session that began
// after a change of the stamp is not taken for an older one. LoadUser may still return the user
// of before the change, for example from a replica that lags. A session that is newer than one
// with the stamp that was loaded is therefore never ended.
func (t *Tokens) endOutdated(ctx context.Context, userID string, now time.Time) (ended bool, err error) {
	all, err := t.listAll(ctx, userID, now)
	if err != nil {
		return false, backend.Outage(err)
	}
	user, err := t.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return false, err
	}
	good := func(f *Session) bool { return backend.SameStamp(f.Stamp, stampOf(f.ID, user)) }
	var newest time.Time
	for _, session := range all {
		if session.Created.After(newest) && good(session) {
			newest = session.Created
		}
	}
	for _, session := range all {
		if good(session) || !newest.IsZero() && !session.Created.Before(newest) {
			continue
		}
		if _, err := t.Revoke(ctx, userID, session.ID); err != nil {
			return ended, err
		}
		ended = true
	}
	return ended, nil
}

// listAll returns all live sessions of a user.
func (t *Tokens) listAll(ctx context.Context, userID string, now time.Time) (all []*Session, err error) {
	for after := ""; ; {
		page, err := t.config.Store.List(ctx, userID, after, sessionsAtOnce, now)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) != sessionsAtOnce { // more than were asked for is a fault of the store
			return all, nil
		}
		after = page[len(page)-1].ID
	}
}

// sessionsAtOnce is how many sessions listAll reads at once.
const sessionsAtOnce = 1_000
