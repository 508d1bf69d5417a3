package session

import (
	"context"
	"net/http"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Authenticate proves a request by its session cookie. See
// [auth.Authenticator]. It returns ErrNoCredentials if there is no cookie, or
// one that was replaced within the last minute, and an error that is
// ErrNoCredentials and clears the cookie if it is malformed or twice there, if
// its session is unknown, ended or expired, if the user's stamp has changed, and
// if the user is gone or inactive. Any other error is an outage of the store or
// the loader.
func (s *Sessions) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	value, count := backend.CookieValue(r, s.cookieName)
	if count == 0 {
		return nil, nil, auth.ErrNoCredentials
	}
	if count > 1 {
		return nil, nil, s.staleAnswers.twice
	}
	ctx := r.Context()
	record, err := s.lookUp(ctx, value)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if !record.Live(now) {
		return nil, nil, s.staleRecord(record, errExpired)
	}
	if record.IsTombstone() { // the browser has another cookie by now
		return nil, nil, auth.ErrNoCredentials
	}
	user, err := s.config.LoadUser.Load(ctx, record.UserID)
	if err != nil {
		if auth.KindOf(err) == auth.ErrInvalid { // gone or inactive
			return nil, nil, s.staleRecord(record, err)
		}
		return nil, nil, err
	}
	var memo *backend.StampCache
	if c := s.cacheOf(record); c != nil {
		memo = &c.stamp
	}
	if !backend.MatchesStamp(record.Stamp, stampLabel, user, memo) {
		return nil, nil, s.staleRecord(record, errStamp)
	}
	return user, s.credential(s.touch(ctx, record, now)), nil
}

// lookUp returns the record of a cookie's value, or the answer to a cookie without a record.
func (s *Sessions) lookUp(ctx context.Context, value string) (*Record, error) {
	found, err := s.lookUpHash(ctx, value)
	if err != nil {
		return nil, err
	}
	if found != nil && s.cacheOf(found) != nil {
		return found, nil // so its cookie has our form
	}
	if !backend.OwnsToken(value, "") {
		return nil, s.staleAnswers.malformed
	}
	digest := backend.TokenDigest(value, "")
	if found != nil && found.Digest == digest {
		return found, nil
	}
	record, err := s.config.Store.Find(ctx, digest)
	if err != nil {
		return nil, backend.Outage(err)
	}
	if record == nil {
		return nil, s.staleAnswers.unknown
	}
	return record, nil
}

// lookUpHash returns the record that a [HashFinder] has for a cookie's value, or the answer to a
// cookie without a record. It returns nil and no error if Store.Find has to be asked.
func (s *Sessions) lookUpHash(ctx context.Context, value string) (*Record, error) {
	if s.findHash == nil || len(value) < backend.MinTokenLength {
		return nil, nil
	}
	hash, ok := backend.TokenHash(value)
	if !ok {
		return nil, nil
	}
	record, err := s.findHash(ctx, hash)
	if record == nil && err == nil {
		return nil, s.staleAnswers.without(value)
	}
	return record, nil
}

// stampLabel makes the hash of a stamp this package's own.
const stampLabel = "session"

// touchTimeout is how long a request waits for a store that writes its last use at once.
const touchTimeout = time.Second

// touch writes the last use and the later expiry, if TouchInterval has passed since the last use.
// It returns the record with what was written. An error of the store is ignored: the next use
// tries again.
func (s *Sessions) touch(ctx context.Context, record *Record, now time.Time) *Record {
	if now.Sub(record.LastUsed) < s.config.TouchInterval {
		return record
	}
	now = backend.StoreTime(now)
	expires := backend.Earlier(now.Add(record.Idle), record.MaxExpiresAt)
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	touch := Touch{Digest: record.Digest, Used: now, ExpiresAt: expires, LiveUntil: record.ExpiresAt}
	if err := s.config.Store.Touch(ctx, touch); err != nil {
		return record
	}
	touched := *record
	touched.LastUsed = now
	if expires.After(touched.ExpiresAt) {
		touched.ExpiresAt = expires
	}
	return &touched
}
