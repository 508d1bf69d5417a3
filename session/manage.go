package session

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// RevokeOthers implements [auth.Revoker]. The session that proved r gets a new
// identifier. A session that has ended meanwhile stays ended.
func (s *Sessions) RevokeOthers(w http.ResponseWriter, r *http.Request, user auth.User) error {
	kept := ""
	current, ok := auth.CredentialFrom[*Session](r.Context())
	if ok && current.Backend() == s.config.Name && current.UserID() == user.UserID() {
		digest, err := s.renew(w, r, current, user)
		if isStale(err) { // ended, or renewed by a request at the same time
			digest, err = s.successor(w, r, current, user)
		}
		if err != nil {
			return err
		}
		kept = digest
	}
	_, err := s.revokeAll(r.Context(), user.UserID(), kept)
	return err
}

// successor returns the digest that a session has by now, after giving it the
// stamp of user, or "" if it has ended.
func (s *Sessions) successor(w http.ResponseWriter, r *http.Request, session *Session, user auth.User) (string, error) {
	record, err := s.find(r.Context(), user.UserID(), session.ID())
	if err != nil || record == nil {
		return "", err
	}
	if backend.SameStamp(record.Stamp, backend.Stamp(stampLabel, user)) {
		return record.Digest, nil
	}
	digest, err := s.renew(w, r, s.credential(record), user)
	if isStale(err) {
		return "", nil
	}
	return digest, err
}

// find returns the live record of a user with this identifier, or nil. It is the first
// one of the list that begins just above the identifier.
func (s *Sessions) find(ctx context.Context, userID, id string) (*Record, error) {
	records, err := s.config.Store.List(ctx, userID, id+"0", 1, time.Now())
	if err != nil {
		return nil, backend.Outage(err)
	}
	if len(records) == 0 || records[0].ID != id {
		return nil, nil
	}
	return records[0], nil
}

// List returns a page of the sessions of a user that are good, the newest first, and the
// cursor of the next page, or "". It lists no session that has expired or is of before
// the user's stamp changed. Where the user may not log in, no session is good: the error
// is that of Config.LoadUser, such as ErrUserInactive. A page that cannot be meant is
// ErrMalformed.
func (s *Sessions) List(ctx context.Context, userID string,
	page backend.Page) (sessions []*Session, next string, err error) {
	if page, err = page.Checked(); err != nil {
		return nil, "", err
	}
	user, err := s.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return nil, "", err
	}
	now, stamp := time.Now(), backend.Stamp(stampLabel, user)
	records, next, err := backend.ReadPage(page, func(after string, limit int) ([]*Record, error) {
		return s.config.Store.List(ctx, userID, after, limit, now)
	}, func(r *Record) string { return r.ID }, func(r *Record) bool { return backend.SameStamp(r.Stamp, stamp) })
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	for _, record := range records {
		sessions = append(sessions, s.credential(record))
	}
	return sessions, next, nil
}

// Revoke ends the session of a user with this identifier, and reports whether
// there was one. It does not ask the store about an identifier that no store can keep, such as
// one with a NUL.
func (s *Sessions) Revoke(ctx context.Context, userID, id string) (bool, error) {
	if !backend.ValidUserID(userID) || !backend.ValidID(id) {
		return false, nil
	}
	found, err := s.config.Store.Revoke(ctx, userID, id)
	if err != nil {
		return false, backend.Outage(err)
	}
	if found {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return found, nil
}

// RevokeAll ends all sessions of a user and returns how many there were.
func (s *Sessions) RevokeAll(ctx context.Context, userID string) (int, error) {
	return s.revokeAll(ctx, userID, "")
}

func (s *Sessions) revokeAll(ctx context.Context, userID, kept string) (int, error) {
	if !backend.ValidUserID(userID) { // such a user has no sessions, as SignIn refuses it
		return 0, nil
	}
	ids, err := s.config.Store.RevokeAll(ctx, userID, kept)
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return len(ids), nil
}

// Purge implements [auth.Purger]. It removes at most limit expired records, with an
// EventExpired for each session among them. Of a session that got another cookie, the
// tombstone that is kept for a minute is a record, too.
func (s *Sessions) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := s.config.Store.Purge(ctx, time.Now(), limit)
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, record := range purged {
		if !record.IsTombstone() {
			s.events.Send(ctx, auth.Event{Kind: auth.EventExpired, UserID: record.UserID, CredentialID: record.ID})
		}
	}
	return len(purged), nil
}
