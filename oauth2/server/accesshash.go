package server

import (
	"context"
	"crypto/sha256"
)

// FindAccessHash returns the access token with this SHA-256 and its grant, whatever became of
// them, or nil and nil: what Store.FindAccess returns for the digest with this hash inside
// (see backend.DigestHash). Two digests can differ in the shard alone. It returns either of
// their records then.
type FindAccessHash func(ctx context.Context, hash [sha256.Size]byte) (*Access, *Grant, error)

// HashFinder is an optional interface of a [Store] that finds opaque access tokens by hash, as
// [MemoryStore] does. The [Server] then looks a token up first, and looks at its form only if
// the store does not have it. A look-up must therefore be cheap: a store behind a network or
// on a disk is better asked for tokens of the right form only, and leaves this out.
type HashFinder interface {
	// HashFinder returns the look-up, or nil if store is another value than the receiver. A
	// type that embeds a store and has a FindAccess of its own has this method too. The look-up
	// would pass that FindAccess by, so the Server goes without.
	HashFinder(store Store) FindAccessHash
}

// hashFinder returns the look-up by hash of a store, or nil.
func hashFinder(store Store) FindAccessHash {
	if by, ok := store.(HashFinder); ok {
		return by.HashFinder(store)
	}
	return nil
}
