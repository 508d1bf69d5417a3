package backend

import (
	"crypto/sha256"

	"github.com/gatewarden/auth/internal/digest"
)

// TokenHash returns the SHA-256 of a token, for a store that finds records by it. ok is
// false for a text longer than any token of [TokenFormat]. The shape of the token is not
// checked: see [TokenFormat.Check]. TokenHash does not allocate.
func TokenHash(token string) (hash [sha256.Size]byte, ok bool) {
	var buf [MaxTokenPrefix + MaxTokenLength]byte
	if len(token) > len(buf) {
		return hash, false
	}
	return sha256.Sum256(buf[:copy(buf[:], token)]), true
}

// DigestHash returns the hash inside a digest that [TokenDigest] made: what [TokenHash]
// returns of the token. ok is false for a digest of another form. Two digests can have the
// same hash and differ in the shard before it: a store that finds records by the hash keeps
// both. DigestHash does not allocate.
func DigestHash(text string) (hash [sha256.Size]byte, ok bool) { return digest.Hash(text) }
