package session

import "time"

// Touch is the use of a session, as [Store].Touch writes it. Times are UTC, with
// microseconds.
type Touch struct {
	Digest string // of the record
	// Used is when the session was used.
	Used time.Time
	// ExpiresAt is when the record expires from now on. If the record expires later
	// already, its expiry stays. Zero moves no expiry.
	ExpiresAt time.Time
	// LiveUntil is when the record expires without this touch, as the caller read it.
	// A store that writes later writes by then.
	LiveUntil time.Time
}
