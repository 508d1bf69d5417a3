package knox

import (
	"context"
	"time"

	"github.com/gatewarden/auth/backend"
)

// EndReason says why a token ended.
type EndReason string

// The reasons there are.
const (
	EndExpired    EndReason = "expired"     // its time was up
	EndLoggedOut  EndReason = "logged_out"  // Handlers.Logout, with the token itself
	EndRevoked    EndReason = "revoked"     // Tokens.Revoke, Handlers.Token
	EndRevokedAll EndReason = "revoked_all" // with the user's others: RevokeAll, RevokeOthers, Handlers.LogoutAll
	EndEvicted    EndReason = "evicted"     // a newer one took its place, see Config.EvictOldest
)

// EndedToken is what is kept of a token that ended, for Config.KeepEnded.
// Nothing in it can be used as a token. Times are UTC, with microseconds.
type EndedToken struct {
	ID     string // that of the token
	UserID string

	Name    string
	Scopes  []string // what it was limited to, if Limited
	Limited bool

	Created  time.Time
	LastUsed time.Time // zero is never, as exactly as Token.LastUsed
	EndedAt  time.Time
	Reason   EndReason

	IP        string // where it was issued to
	UserAgent string
}

// Ending is an end of tokens: what a [Store] is told when it removes records.
type Ending struct {
	Reason EndReason
	At     time.Time // the method's now, in UTC with microseconds
	Keep   bool      // keep an EndedToken of each, in the same step
	// KeepFor is for how long at least, from At. It is for a store that forgets by itself. 0 is not known.
	KeepFor time.Duration
	// Exempt is for Store.Add: the identifier of a record that is not evicted. With a limit of 1
	// it is evicted all the same. It is the token that asks for the new one.
	Exempt string
}

// Of returns what is kept of a record. One that had expired before has ended
// when it did, and for that reason.
func (e Ending) Of(record *Record) *EndedToken {
	ended := &EndedToken{ID: record.ID, UserID: record.UserID, Name: record.Name, Scopes: record.Scopes,
		Limited: record.Limited,
		Created: record.Created, LastUsed: record.LastUsed, EndedAt: e.At, Reason: e.Reason, IP: record.IP,
		UserAgent: record.UserAgent}
	if !record.Live(e.At) {
		ended.EndedAt, ended.Reason = record.ExpiresAt, EndExpired
	}
	return ended
}

// ending is an end of tokens now, as Config would have it kept.
func (t *Tokens) ending(reason EndReason) Ending {
	return Ending{Reason: reason, At: backend.StoreTime(time.Now()), Keep: t.config.KeepEnded > 0,
		KeepFor: t.config.KeepEnded}
}

// maxEnded is how many ended tokens are listed.
const maxEnded = 100

// Ended returns the tokens of a user that ended within the last
// Config.KeepEnded, the last of them first and at most 100. Tokens that expired
// are among them once Purge has removed them.
func (t *Tokens) Ended(ctx context.Context, userID string) ([]*EndedToken, error) {
	if !backend.ValidUserID(userID) {
		return nil, nil
	}
	ended, err := t.config.Store.Ended(ctx, userID, time.Now().Add(-t.config.KeepEnded), maxEnded)
	if err != nil {
		return nil, backend.Outage(err)
	}
	return ended, nil
}
