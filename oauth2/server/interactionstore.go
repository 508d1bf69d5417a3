package server

import (
	"context"
	"time"
)

// InteractionStore keeps pages that wait for a user. See [Store].
type InteractionStore interface {
	// AddInteraction adds an interaction. If its user has limit others or more, those with the
	// least IDs are removed, whether they have expired or not, until the new one makes limit.
	// However many are added at once, there are never more. A limit of 0 is no limit, and so is
	// that of an interaction without a UserID. A digest that is there is an error, and nothing
	// was removed then.
	AddInteraction(ctx context.Context, interaction *Interaction, limit int) error

	// Interaction returns the interaction with this digest, or nil and nil if there
	// is no such interaction, or it has expired at now.
	Interaction(ctx context.Context, digest string, now time.Time) (*Interaction, error)

	// ConsumeInteraction removes and returns the interaction with this digest. Of many calls
	// at once one gets it, the others nil and nil, as if it were not there or
	// has expired at now.
	ConsumeInteraction(ctx context.Context, digest string, now time.Time) (*Interaction, error)
}

// Interaction is a page that waits for a user: what was asked, and so what an
// answer is an answer to. The page carries a random secret, of which the store
// knows the digest.
type Interaction struct {
	ID        string // for tables and logs. It is not secret, and opens nothing
	Digest    string // of the secret, the store's key
	UserID    string // may answer
	SessionID string // in which session, or ""
	Created   time.Time
	ExpiresAt time.Time
	Data      []byte // what was asked, as JSON
}
