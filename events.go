package auth

import (
	"context"
	"net/netip"
	"time"
)

// EventKind says what happened.
type EventKind string

// The kinds of events. Guards report success and failure, issuers the rest.
const (
	EventSuccess   EventKind = "success"   // a request was proved
	EventFailure   EventKind = "failure"   // a request was refused, and Err says why
	EventLogin     EventKind = "login"     // a user logged in
	EventLogout    EventKind = "logout"    // a user logged out, of one device or all
	EventIssued    EventKind = "issued"    // a credential was issued
	EventRefreshed EventKind = "refreshed" // a credential was exchanged or its life extended
	EventExpired   EventKind = "expired"   // an expired credential was removed
	EventRevoked   EventKind = "revoked"   // a credential was ended before its time
	EventReuse     EventKind = "reuse"     // a used-up credential came back
)

// Event is something worth counting or keeping. It holds no secret.
type Event struct {
	Kind         EventKind
	Time         time.Time
	Backend      string     // name of the backend, or "" if no single one was concerned
	UserID       string     // empty if not known
	CredentialID string     // of a token that has a public identifier
	ClientIP     netip.Addr // as Config.Proxies sees it, zero if not known
	Method       string     // of the request, of a success or failure of a Guard
	Route        string     // pattern of the route, such as "GET /users/{id}", or "" if the router has no pattern
	Status       int        // of the answer to a failure
	Err          error      // of a failure: KindOf(Err) is its kind, nil for an outage, and its text has the cause
}

// Observer is told every event. Observe is called while a request waits, so it
// must be quick, and from many goroutines.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }
