// Package digest reads the digests of tokens that stores keep, which backend.TokenDigest makes. It
// also has a table that finds records by their digest or by its hash.
//
// A digest is the shard of a token (3 characters) and the SHA-256 of the token in base64 (43
// characters). A hash is the SHA-256 alone.
package digest

import (
	"crypto/sha256"
	"encoding/base64"
)

const (
	shard = 3  // characters of the shard, before the hash
	text  = 43 // characters of a SHA-256 in base64 without padding
)

// strict refuses a second spelling of the same hash.
var strict = base64.RawURLEncoding.Strict()

// Hash returns the SHA-256 of the token inside a digest. ok is false for a digest of
// another form. Digests with another shard and the same hash are different digests. Hash
// does not allocate.
func Hash(digest string) (hash [sha256.Size]byte, ok bool) {
	if len(digest) != shard+text {
		return hash, false
	}
	for i := range shard {
		if !isLetterOrDigit(digest[i]) {
			return hash, false
		}
	}
	var source [text]byte
	copy(source[:], digest[shard:])
	n, err := strict.Decode(hash[:], source[:])
	if err != nil || n != len(hash) { // the decoder skips line ends
		return [sha256.Size]byte{}, false
	}
	return hash, true
}

func isLetterOrDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
