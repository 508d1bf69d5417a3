package backend

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync/atomic"

	"github.com/gatewarden/auth"
)

// StampCache remembers the AuthStamp that matched the stamp of one record last, so that
// the next check of that record compares two strings instead of hashing. It belongs to
// one stamp of one issuer: a record that gets another stamp needs a new cache. It holds the
// text of the AuthStamp, if that has at most 1 KiB. The zero value is ready. It is safe for
// concurrent use, and must not be copied.
type StampCache struct{ matched atomic.Pointer[string] }

// maxRemembered is the longest AuthStamp that a StampCache keeps, in bytes.
const maxRemembered = 1 << 10

// MatchesStamp reports whether stamp is what [Stamp] returns for this issuer and user, as
// [SameStamp] does. memo may be nil. MatchesStamp does not allocate, except for an issuer
// and AuthStamp of more than 255 bytes together, and where it puts a text into memo.
func MatchesStamp(stamp, issuer string, user auth.User, memo *StampCache) bool {
	stamper, ok := user.(auth.Stamper) // the usual case, found faster than by As
	if !ok {
		if stamper, ok = auth.As[auth.Stamper](user); !ok {
			return stamp == ""
		}
	}
	text := stamper.AuthStamp()
	if memo.has(text) {
		return true
	}
	var kept, want [stampLength]byte
	if len(stamp) != len(kept) {
		return false
	}
	copy(kept[:], stamp)
	hash := stampHash(issuer, text)
	base64.RawURLEncoding.Encode(want[:], hash[:])
	if subtle.ConstantTimeCompare(kept[:], want[:]) != 1 {
		return false
	}
	memo.remember(text)
	return true
}

// has reports whether text matched last. The application made both texts, so the
// comparison need not take constant time.
func (m *StampCache) has(text string) bool {
	if m == nil {
		return false
	}
	matched := m.matched.Load()
	return matched != nil && *matched == text
}

// CopyFrom makes m remember what other does. Both must belong to the same stamp, such as those
// of a record and of its copy.
func (m *StampCache) CopyFrom(other *StampCache) { m.matched.Store(other.matched.Load()) }

func (m *StampCache) remember(text string) {
	if m != nil && len(text) <= maxRemembered {
		kept := text // or every call would allocate
		m.matched.Store(&kept)
	}
}

// stampLength is the length of a stamp in characters.
const stampLength = 43

// stampHash returns the SHA-256 of an issuer, a zero byte and an AuthStamp.
func stampHash(issuer, text string) [sha256.Size]byte {
	var buf [256]byte
	n := len(issuer) + 1 + len(text)
	if n > len(buf) {
		return sha256.Sum256([]byte(issuer + "\x00" + text))
	}
	copy(buf[:], issuer)
	copy(buf[len(issuer)+1:], text)
	return sha256.Sum256(buf[:n])
}
