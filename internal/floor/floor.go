// Package floor is the least that every middleware for tokens does. Benchmarks compare the library
// with it, as docs/benchmarks.md says.
//
// A floor reads the header, hashes the token without copying it, looks the hash up in a map with
// locks, finds the user, and calls the next handler with a context that has the user. It checks no
// expiry, sets no header and reports nothing.
package floor

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// shards is the number of locks. The first byte of a hash chooses one.
const shards = 64

// Table maps the hashes of tokens to identifiers of users. It is safe for concurrent use. The zero
// value is ready to use.
type Table struct {
	shards [shards]struct {
		mutex sync.RWMutex
		users map[[sha256.Size]byte]string
	}
}

// Add adds a token of the user with this identifier.
func (t *Table) Add(token, userID string) {
	hash := Hash(token)
	shard := &t.shards[hash[0]%shards]
	shard.mutex.Lock()
	defer shard.mutex.Unlock()
	if shard.users == nil {
		shard.users = make(map[[sha256.Size]byte]string)
	}
	shard.users[hash] = userID
}

// Find returns the identifier of the token's user.
func (t *Table) Find(token string) (userID string, ok bool) {
	hash := Hash(token)
	shard := &t.shards[hash[0]%shards]
	shard.mutex.RLock()
	userID, ok = shard.users[hash]
	shard.mutex.RUnlock()
	return userID, ok
}

// Hash returns the SHA-256 hash of a token. It does not copy the token.
func Hash(token string) [sha256.Size]byte {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// Finder finds the user of a token.
type Finder[U any] func(token string) (user U, ok bool)

// FinderOf returns a Finder that looks a token up in t, and its user in users by identifier.
func FinderOf[U any](t *Table, users map[string]U) Finder[U] {
	return func(token string) (user U, ok bool) {
		id, ok := t.Find(token)
		if !ok {
			return user, false
		}
		user, ok = users[id]
		return user, ok
	}
}

// TenThousand returns a Finder that knows 10,000 tokens. One of them is token, which is user's. The
// tokens of a real service do not fit into the nearest cache of the processor either.
func TenThousand[U any](token string, user U) Finder[U] {
	t, users := new(Table), make(map[string]U)
	for i := range 9_999 {
		id := strconv.Itoa(i)
		t.Add("token "+id, id)
		users[id] = user
	}
	t.Add(token, "holder")
	users["holder"] = user
	return FinderOf(t, users)
}

type contextKey struct{}

// UserFrom returns the user that the handlers of this package found.
func UserFrom[U any](ctx context.Context) (user U, ok bool) {
	user, ok = ctx.Value(contextKey{}).(U)
	return user, ok
}

// Header returns a handler that checks the token in the Authorization header, which has this scheme,
// and then calls next.
func Header[U any](scheme string, find Finder[U], next http.Handler) http.Handler {
	prefix := scheme + " "
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), prefix)
		serve(w, r, token, ok, find, next)
	})
}

// Cookie returns a handler that checks the token in the cookie with this name, and then calls next.
func Cookie[U any](name string, find Finder[U], next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := cookieIn(r.Header.Get("Cookie"), name)
		serve(w, r, token, ok, find, next)
	})
}

// cookieIn returns the value of a cookie in a Cookie header. Unlike [http.Request.Cookie] it allocates nothing
// and checks nothing.
func cookieIn(header, name string) (value string, ok bool) {
	for rest := header; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "; ")
		if found, value, _ := strings.Cut(pair, "="); found == name {
			return value, true
		}
	}
	return "", false
}

func serve[U any](w http.ResponseWriter, r *http.Request, token string, ok bool, find Finder[U], next http.Handler) {
	user, found := find(token)
	if !ok || !found {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, user)))
}
