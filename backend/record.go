package backend

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/gatewarden/auth"
)

// NewID returns the identifier of a record that people and tables see: a version
// 7 UUID (RFC 9562 §5.7). Identifiers that are made later are larger, which keeps
// the index of a table in order. They are unique, and not secret: use a token of
// [TokenFormat] where knowing it must prove something.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// NewIDOf is NewID for a record of an owner, which is a user, or a client that acts for itself. Its last 18 bits are
// the [Shard] of the owner, and the rest is as random as before. So a clustered store that is asked for the record by
// its identifier alone knows where all that the owner has is.
func NewIDOf(owner string) string {
	id := uuid.Must(uuid.NewV7())
	n := shardNumber(owner)
	id[13] = id[13]&^3 | byte(n>>16)
	id[14], id[15] = byte(n>>8), byte(n)
	return id.String()
}

// IDShard returns the shard in an identifier of NewIDOf. Other identifiers that look like one have a shard by chance;
// ok is false if text cannot be one.
func IDShard(text string) (shard string, ok bool) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 || id.Version() != 7 {
		return "", false
	}
	n := uint32(id[13]&3)<<16 | uint32(id[14])<<8 | uint32(id[15])
	if n >= allShards {
		return "", false
	}
	return shardText(n), true
}

// Stamp returns a hash of a user's [auth.Stamper] stamp, or "" if the user does
// not have one. The issuer's name is part of it, so that no issuer knows another's.
func Stamp(issuer string, user auth.User) string {
	stamper, ok := auth.As[auth.Stamper](user)
	if !ok {
		return ""
	}
	sum := stampHash(issuer, stamper.AuthStamp())
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SameStamp compares two stamps in constant time.
func SameStamp(a, b string) bool {
	return len(a) == len(b) && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// ClientOf returns the address of the client that sent r, as [auth.ClientIP]
// finds it, or "", and the name that the client gives itself.
func ClientOf(r *http.Request) (ip, userAgent string) {
	if addr := auth.ClientIP(r); addr.IsValid() {
		ip = addr.String()
	}
	return ip, r.UserAgent()
}

// CleanText makes text from a client fit for every store and screen: valid UTF-8
// of at most max bytes, without control characters and without characters that
// change the direction of the text after them.
func CleanText(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
	if len(text) > max {
		text = strings.ToValidUTF8(text[:max], "")
	}
	return text
}

// StoreTime returns a time as stores keep it: UTC, in microseconds.
func StoreTime(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// Earlier returns the earlier of two instants. The zero time is never.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Outage returns an error that is answered with 503, whatever err wraps. A
// store's error must not be taken for a statement about the credential.
func Outage(err error) error { return &auth.Error{Cause: err} }
