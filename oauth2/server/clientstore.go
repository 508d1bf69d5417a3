package server

import (
	"context"
	"time"
)

// ClientStore keeps clients (RFC 6749 §2). See [Store].
type ClientStore interface {
	// AddClient adds a client. It is Refused if there is one with its ID. It is OverLimit
	// if there are limit clients with its Owner. A limit of 0 is no limit. However many are
	// added at once, there are never more. Nothing was changed unless it is [Added.OK].
	AddClient(ctx context.Context, client *Client, limit int) (Added, error)

	// Client returns the client with this identifier, or nil and nil.
	Client(ctx context.Context, id string) (*Client, error)

	// Clients returns at most limit clients in order of ID, from the first one
	// after the identifier after: those of owner or, if that is "", all.
	Clients(ctx context.Context, owner, after string, limit int) ([]*Client, error)

	// ChangeClient puts client in place of the one with its ID if that was
	// last changed at was, and reports whether it did: otherwise it would undo what somebody
	// else has changed meanwhile. If client is Disabled, or public where the
	// one before was not ([Client.EndsGrants]), its grants end at client.Updated in the same
	// step, and it returns those that were live, in order of ID.
	ChangeClient(ctx context.Context, client *Client, was time.Time) (bool, []EndedGrant, error)

	// RemoveClient removes a client and all consents to it, ends its grants at
	// now, and reports whether there was one. It returns the grants that were live, in
	// order of ID.
	RemoveClient(ctx context.Context, id string, now time.Time) (bool, []EndedGrant, error)
}

// EndedGrant says which grant has ended. A store returns this instead of the grants, because
// there may be very many.
type EndedGrant struct{ ID, UserID string }
