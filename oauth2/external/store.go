package external

import (
	"context"
	"time"

	"github.com/gatewarden/auth/backend"
)

// Identity is an account elsewhere that a user signs in with.
type Identity struct {
	ID     string // for forms, it is no secret
	UserID string

	// The key. See [Profile].
	Issuer  string
	Subject string

	// What was told at the last login, for people.
	Provider      string
	Email         string
	EmailVerified bool
	Name          string

	Created  time.Time
	LastUsed time.Time
}

// Identity returns a new identity of a user with this account, with an ID of its own. Nothing is stored.
func (p *Profile) Identity(userID string, now time.Time) *Identity {
	now = backend.StoreTime(now)
	return &Identity{ID: backend.NewID(), UserID: userID, Issuer: p.Issuer, Subject: p.Subject, Provider: p.Provider,
		Email: p.Email.Address, EmailVerified: p.Email.Verified, Name: p.Name, Created: now, LastUsed: now}
}

// Code is what an app exchanges for a token: see [Logins.Authenticate].
type Code struct {
	Digest    string // of the code
	UserID    string
	Stamp     string // hash of the user's stamp, or ""
	Challenge string // of PKCE
	Data      []byte // the login, a JSON object
	ExpiresAt time.Time
}

// UnlinkVerdict is what came of [IdentityStore.Unlink].
type UnlinkVerdict int

// The verdicts.
const (
	UnlinkUnknown UnlinkVerdict = iota // the user has no identity of that ID
	UnlinkRemoved
	UnlinkLast // it is the last, and stays
)

// Store keeps identities, and what was used up. NewMemoryStore returns one, package
// sqlstore has one over database/sql, and storetest.External checks yours.
//
// Methods are safe for concurrent use and read no clock: now is an argument. Times are
// in microseconds. Strings are compared byte by byte. Both sides leave what is passed and
// returned as it is. An error says that the store cannot tell, and that nothing has
// changed or, if the connection broke at the wrong moment, all of it.
type Store interface {
	IdentityStore
	ReservationStore
	CodeStore
	ReplayStore

	// RemoveUser removes all identities and codes of a user, with the reservations of their
	// keys, and returns how many identities that were.
	RemoveUser(ctx context.Context, userID string) (int, error)
	// Purge removes at most limit keys, codes and reservations that expired at now or before,
	// and returns how many. If there are fewer than limit, nothing is left to remove.
	Purge(ctx context.Context, now time.Time, limit int) (int, error)
}

// IdentityStore keeps which accounts elsewhere are of which user. See [Store] for what holds for its methods.
type IdentityStore interface {
	// Identity returns the identity with this key, or nil if it is linked to no user.
	Identity(ctx context.Context, issuer, subject string) (*Identity, error)
	// Identities returns those of a user, the oldest first, then by ID.
	Identities(ctx context.Context, userID string) ([]*Identity, error)
	// Link adds an identity unless there is one of its key. It returns the user of identity
	// and true, or the user that has it already and false. It is one step: of many that
	// link one at once, one is told true. If the key is free, another identity with the
	// same ID is an error. An identity that is added drops the reservation of its key.
	Link(ctx context.Context, identity *Identity) (owner string, linked bool, err error)
	// LinkFirst is Link for a user that must have no other identity of the issuer. If the user has one, and the key is
	// free, it adds nothing and returns "" and false. It is one step: of many that link identities of one issuer to one
	// user at once by LinkFirst, one is told true.
	LinkFirst(ctx context.Context, identity *Identity) (owner string, linked bool, err error)
	// Touch writes Provider, Email, EmailVerified, Name and LastUsed of the identity that
	// has the ID, user and key of this one. If there is no such identity, it writes nothing:
	// what was unlinked does not come back.
	Touch(ctx context.Context, identity *Identity) error
	// Unlink removes an identity of a user by its ID and returns it. With keepLast it stays
	// if the user has no other. Unless it was removed, the identity returned is nil. A
	// reservation of its key goes with it, so that what was reserved before links nothing. It
	// is one step: of two that unlink a user's last two at once, one stays.
	Unlink(ctx context.Context, userID, id string, keepLast bool) (*Identity, UnlinkVerdict, error)
}

// CodeStore keeps codes that apps exchange for tokens. See [Store] for what holds for its methods.
type CodeStore interface {
	// AddCode adds a code. One with the same digest is an error.
	AddCode(ctx context.Context, code *Code) error
	// TakeCode removes a code and returns it, or nil if there is no such code or it expired at
	// now or before. Of many at once, one gets it.
	TakeCode(ctx context.Context, digest string, now time.Time) (*Code, error)
}

// ReplayStore remembers what must be used once only, such as an attempt to log in. See [Store] for what holds
// for its method.
type ReplayStore interface {
	// PutOnce notes a key until it expires, and reports whether it was not there. Of
	// many at once, one is told so. A key that expired at now or before is not there.
	PutOnce(ctx context.Context, key string, expires, now time.Time) (fresh bool, err error)
}

// Identities returns the accounts that a user signs in with, the oldest first.
func (l *Logins) Identities(ctx context.Context, userID string) ([]*Identity, error) {
	if !backend.ValidUserID(userID) { // nothing is linked to such a user
		return nil, nil
	}
	return l.config.Store.Identities(ctx, userID)
}

// RemoveUser forgets a deleted user. Call it after Config.LoadUser returns
// [auth.ErrUserNotFound] for the user: a login that is under way then links nothing. The ID
// must not become that of another user. Without RemoveUser, a person that had the account is
// told that it is closed rather than made a new one.
func (l *Logins) RemoveUser(ctx context.Context, userID string) error {
	if !backend.ValidUserID(userID) { // nothing is linked to such a user
		return nil
	}
	_, err := l.config.Store.RemoveUser(ctx, userID)
	return err
}

// Purge implements [auth.Purger]. It removes at most limit attempts, codes and reservations
// that were used up or not used in time.
func (l *Logins) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := l.config.Store.Purge(ctx, time.Now(), limit)
	if err != nil {
		return 0, backend.Outage(err)
	}
	return purged, nil
}
