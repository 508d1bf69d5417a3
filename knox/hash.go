package knox

import (
	"context"
	"crypto/sha256"
)

// FindHash returns the record of the token with this SHA-256, expired or not, or nil: the
// record that Store.Find returns for the digest with this hash inside (see
// DigestHash of package backend). Two digests can differ in the shard alone. It returns either of
// their records then.
type FindHash func(ctx context.Context, hash [sha256.Size]byte) (*Record, error)

// HashFinder is an optional interface of a [Store] that finds records by hash, as
// [MemoryStore] does. [Tokens] then looks a token up first, and looks at its form only if
// the store does not have it. A look-up must therefore be cheap: a store behind a network
// or on a disk is better asked for tokens of the right form only, and leaves this out.
type HashFinder interface {
	// HashFinder returns the look-up, or nil if store is another value than the receiver.
	// A type that embeds a store and has a Find of its own has this method too. The look-up
	// would pass that Find by, so Tokens goes without.
	HashFinder(store Store) FindHash
}

// hashFinder returns the look-up by hash of a store, or nil.
func hashFinder(store Store) FindHash {
	if by, ok := store.(HashFinder); ok {
		return by.HashFinder(store)
	}
	return nil
}
