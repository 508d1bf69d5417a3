package server

import (
	"context"
	"slices"
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
	UserID, ClientID string
	Permissions      Permissions
	Created, Updated time.Time
}

// Covers reports whether the consent is to all of what is asked, pair by pair of a resource and a scope. Where
// offline_access is asked for, the consent must have it at each API that is asked for (OpenID Connect Core §11). A nil
// consent is to nothing.
func (c *Consent) Covers(asked Permissions) bool {
	return c != nil && c.Permissions.Cover(asked.withOffline())
}

// agreedBefore returns what of all the consent has, as a page shows it: offline_access only where the consent has it at
// each API of all.
func (c *Consent) agreedBefore(all Permissions) Permissions {
	if c == nil {
		return nil
	}
	missing := slices.ContainsFunc(all.Resources(), func(resource string) bool {
		agreed, _ := c.Permissions.At(resource)
		return !slices.Contains(agreed, offlineAccess)
	})
	if !missing {
		return c.Permissions
	}
	return c.Permissions.filter(func(resource, scope string) bool { return resource != "" || scope != offlineAccess })
}

// Add returns the consent with what more has, as Approve remembers it. A nil consent is more itself.
func (c *Consent) Add(more *Consent) *Consent {
	if c == nil {
		return more
	}
	sum := *c
	sum.Permissions, sum.Updated = c.Permissions.Add(more.Permissions), more.Updated
	return &sum
}
