package server

import (
	"context"
	"time"
)

// ConsentStore keeps what users agreed to. See [Store].
type ConsentStore interface {
	// Consent returns what a user agreed to for a client, or nil and nil.
	Consent(ctx context.Context, userID, clientID string) (*Consent, error)

	// Consents returns at most limit consents of a user in order of client ID, from the
	// first one after the client ID after.
	Consents(ctx context.Context, userID, after string, limit int) ([]*Consent, error)

	// Withdraw removes the consent of a user to a client, ends all grants that
	// are live at now that the user gave the client, with consent or without,
	// and returns their identifiers, in order.
	Withdraw(ctx context.Context, userID, clientID string, now time.Time) ([]string, error)
}

// Consent is what a user agreed to for a client, to be remembered. It is not
// what was issued: that is a [Grant].
type Consent struct {
	UserID, ClientID  string
	Scopes, Resources []string
	Created, Updated  time.Time
}

// Covers reports whether the consent is to all these scopes and resources. A nil
// consent is to nothing.
func (c *Consent) Covers(scopes, resources []string) bool {
	return c != nil && containsAll(c.Scopes, scopes) && containsAll(c.Resources, resources)
}
