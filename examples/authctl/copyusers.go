package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// watched is a source that notes the users that records are of.
type watched struct {
	transfer.Source
	mu    sync.Mutex
	users map[string]string // the kind and the key of a record of the user
}

func (w *watched) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	page, err := w.Source.Export(ctx, kind, after, limit, now)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, record := range page.Records {
		if user := userOf(record); user != "" && w.users[user] == "" {
			w.users[user] = fmt.Sprintf("%s, key %q", kind, record.Key())
		}
	}
	return page, err
}

// userOf returns the user that a record is good for, or "".
func userOf(record transfer.Record) string {
	switch r := record.(type) {
	case transfer.KnoxToken:
		return r.UserID
	case transfer.Session:
		return r.UserID
	case *transfer.JWTLogin:
		return r.UserID
	case *transfer.OAuthGrant:
		return r.UserID
	case transfer.OAuthConsent:
		return r.UserID
	case transfer.Identity:
		return r.UserID
	case transfer.LoginCode:
		return r.UserID
	case transfer.OneTimeToken:
		return r.UserID
	}
	return ""
}

// tellMissing names users that have records and are not in the target. A service refuses what such a user has.
func (c *copying) tellMissing(ctx context.Context, users map[string]string) error {
	there, err := c.target.people.read(ctx)
	if err != nil {
		return fmt.Errorf("-to: reading the users: %w", err)
	}
	for _, p := range there {
		if p.signUp == "" {
			delete(users, p.name)
		}
	}
	missing := slices.Sorted(maps.Keys(users))
	for i, user := range missing {
		if i == mostTold {
			fmt.Fprintf(c.stderr, "and %d more users\n", len(missing)-i)
			break
		}
		fmt.Fprintf(c.stderr, "The store -to has no user %q, and what the user has: %s.\n", user, users[user])
	}
	return nil
}
