package header

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/gatewarden/auth"
)

// cachedPassword is a password that was right.
type cachedPassword struct {
	userID string
	stamp  [sha256.Size]byte
	at     time.Time // of the check
}

// maxCachedPasswords is how many passwords are remembered, at most.
const maxCachedPasswords = 10_000

// cachedUser returns the user of a password that was right before, and when it was checked. It returns no user if the
// password is not remembered or the user has changed, and an error if the user cannot be loaded.
func (b *Basic) cachedUser(r *http.Request, digest [sha256.Size]byte) (auth.User, time.Time, error) {
	if b.config.Remember < 0 || !auth.ClientIP(r).IsValid() { // without an address all clients are one
		return nil, time.Time{}, nil
	}
	b.mu.Lock()
	entry, ok := b.passwords[digest]
	b.mu.Unlock()
	if !ok || time.Since(entry.at) >= b.config.Remember {
		return nil, time.Time{}, nil
	}
	user, err := b.load(r.Context(), entry.userID)
	gone := auth.KindOf(err) == auth.ErrInvalid
	if err != nil && !gone {
		return nil, time.Time{}, err
	}
	if !gone {
		if stamp, ok := stampOf(user); ok && hmac.Equal(stamp[:], entry.stamp[:]) {
			return user, entry.at, nil
		}
	}
	b.mu.Lock()
	delete(b.passwords, digest)
	b.mu.Unlock()
	return nil, time.Time{}, err // nil is a new password: Check decides
}

// cachePassword remembers a password that was right, if its user has a stamp.
func (b *Basic) cachePassword(digest [sha256.Size]byte, user auth.User, now time.Time) {
	stamp, ok := stampOf(user)
	if b.config.Remember < 0 || !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.passwords) >= maxCachedPasswords {
		for other, entry := range b.passwords {
			if now.Sub(entry.at) >= b.config.Remember || len(b.passwords) >= maxCachedPasswords {
				delete(b.passwords, other)
			}
		}
	}
	b.passwords[digest] = cachedPassword{user.UserID(), stamp, now}
}

// stampOf returns the hash of a user's stamp, or false for a user that cannot be
// remembered. The Guard judges a user that is nil or has no identifier.
func stampOf(user auth.User) (stamp [sha256.Size]byte, ok bool) {
	if v := reflect.ValueOf(user); v.Kind() == reflect.Pointer && v.IsNil() {
		return stamp, false
	}
	stamper, ok := auth.As[auth.Stamper](user)
	if !ok {
		return stamp, false
	}
	if id := user.UserID(); id == "" || strings.HasPrefix(id, "client:") {
		return stamp, false
	}
	return sha256.Sum256([]byte(stamper.AuthStamp())), true
}
