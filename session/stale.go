package session

import (
	"errors"
	"net/http"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// staleCookie is the error for a cookie that is no good: there are no credentials, the
// answer clears the cookie, and the cause says why, for a log.
type staleCookie struct {
	sessions *Sessions
	stated   *auth.Error
}

var _ auth.HeaderSetter = (*staleCookie)(nil)

func (e *staleCookie) Error() string { return "session: stale cookie: " + e.stated.Cause.Error() }

// Unwrap returns an [auth.Error] of kind ErrNoCredentials with the cause.
func (e *staleCookie) Unwrap() error { return e.stated }

// SetHeaders implements [auth.HeaderSetter].
func (e *staleCookie) SetHeaders(h http.Header) { e.sessions.cookie.Clear(h) }

// stale returns what a cookie that is no good is answered with.
func (s *Sessions) stale(cause error) error {
	return &staleCookie{s, &auth.Error{Kind: auth.ErrNoCredentials, Cause: cause}}
}

func isStale(err error) bool {
	_, ok := err.(*staleCookie)
	return ok
}

// staleCookies are the answers to cookies without a record. They are made once, so that a flood of
// such cookies allocates nothing.
type staleCookies struct {
	twice     error
	malformed error
	unknown   error
	ended     error
}

func (s *Sessions) staleCookies() staleCookies {
	return staleCookies{
		twice: s.stale(errors.New("the cookie came twice, and one of the two may be planted")),
		malformed: s.stale(errors.New("the cookie's value is not one that SignIn makes: it was cut or is of " +
			"another program on this host (see Config.Cookie)")),
		unknown: s.stale(errors.New("the store has no such session: it was ended, or expired and was purged, or " +
			"belongs to another Config.Store")),
		ended: s.stale(errors.New("the session ended or got another cookie during the request")),
	}
}

// without returns the answer to a cookie with a value that the store does not have.
func (c *staleCookies) without(value string) error {
	if backend.OwnsToken(value, "") {
		return c.unknown
	}
	return c.malformed
}

// Reasons for which the cookie of a session that the store has is stale.
var (
	errExpired = errors.New("has expired")
	errStamp   = errors.New("began before the user's AuthStamp changed")
)

// sessionError is why the cookie of a record is stale, with the public identifiers of
// the session and its user.
type sessionError struct {
	record *Record
	reason error
}

func (e *sessionError) Error() string {
	return "session " + e.record.ID + " of user " + e.record.UserID + ": " + e.reason.Error()
}

// refusal is a staleCookie, what it states, and the cause, in one struct and one allocation.
type refusal struct {
	staleCookie
	stated auth.Error
	cause  sessionError
}

// staleRecord returns what the cookie of a session that is no good is answered with.
func (s *Sessions) staleRecord(record *Record, reason error) error {
	refused := &refusal{cause: sessionError{record, reason}}
	refused.stated = auth.Error{Kind: auth.ErrNoCredentials, Cause: &refused.cause}
	refused.staleCookie = staleCookie{s, &refused.stated}
	return &refused.staleCookie
}
