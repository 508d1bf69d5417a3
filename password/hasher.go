// Package password hashes and checks passwords, and logs users in by them.
//
// A [Hasher] writes argon2id and reads what Django wrote. A [Login] is the
// backend that takes a username and a password from a JSON body, a form or HTTP
// Basic, slows down guessing, and answers alike whether the user is unknown,
// inactive or mistyped. Its credentials are primary: issuers such as knox turn
// them into tokens.
//
//	hasher, err := password.NewHasher(password.Config{})
//	encoded, err := hasher.Hash(ctx, "correct horse battery staple")
//
//	login, err := password.NewLogin(password.LoginConfig{Hasher: hasher, Account: users.ByName})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{login}})
//	handlers, err := tokens.Handlers(guard)
//
// Use a Login in the guard of login routes only: it reads request bodies.
package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/gatewarden/auth"
)

// Config is the cost of hashes. The zero value is the first choice of the OWASP
// Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane. OWASP
// holds it equal in strength to its choices with more memory; it is the one
// that takes the least, so that a flood of logins costs a server Concurrent
// times 19 MiB. RFC 9106 §4 recommends 64 MiB, 3 passes and 4 lanes where that
// much can be had: Config{Memory: 64 << 10, Time: 3, Threads: 4}.
type Config struct {
	Memory  uint32 // KiB, at least 7168; 0 is 19456
	Time    uint32 // passes; 0 is 2
	Threads uint8  // lanes; 0 is 1

	// Concurrent is how many hashes are computed at once; 0 is
	// runtime.GOMAXPROCS, more than which gains nothing.
	Concurrent int
	// MaxWait is how long a hash waits for its turn before it gives up with
	// [ErrBusy]; 0 is 5 seconds. The request's context ends the wait too.
	MaxWait time.Duration
}

// ErrBusy is the cause when a hash did not get its turn in time. It is answered
// with 503.
var ErrBusy = errors.New("password: too many hashes at once")

// Hasher hashes and verifies passwords. It is safe for concurrent use, and
// bounds how much memory all its callers take together: a program needs one.
type Hasher struct {
	own   argon2Params
	turns chan struct{}
	wait  time.Duration
	decoy string
}

// NewHasher returns a Hasher. It refuses parameters that are weaker than the
// weakest choice of OWASP: 7 MiB, or less memory times passes than 35 MiB.
func NewHasher(config Config) (*Hasher, error) {
	own := argon2Params{id: true, memory: config.Memory, time: config.Time, threads: config.Threads, saltLen: 16, keyLen: 32}
	if own.memory == 0 {
		own.memory = 19 << 10
	}
	if own.time == 0 {
		own.time = 2
	}
	if own.threads == 0 {
		own.threads = 1
	}
	if own.memory < 7<<10 || uint64(own.memory)*uint64(own.time) < 35<<10 {
		return nil, fmt.Errorf("password: %d KiB and %d passes are weaker than OWASP allows", own.memory, own.time)
	}
	if !own.bounded() {
		return nil, fmt.Errorf("password: %d KiB and %d passes are more than any server can spare", own.memory, own.time)
	}
	if config.Concurrent < 0 || config.MaxWait < 0 {
		return nil, errors.New("password: negative Concurrent or MaxWait")
	}
	h := &Hasher{own: own, wait: config.MaxWait}
	if h.wait == 0 {
		h.wait = 5 * time.Second
	}
	if config.Concurrent == 0 {
		config.Concurrent = runtime.GOMAXPROCS(0)
	}
	h.turns = make(chan struct{}, config.Concurrent)
	// A hash of which nobody knows the password.
	salt, key := make([]byte, own.saltLen), make([]byte, own.keyLen)
	_, _ = rand.Read(salt)
	_, _ = rand.Read(key)
	h.decoy = own.encode(salt, key)
	return h, nil
}

// Hash returns the password hashed by argon2id (RFC 9106) with 16 random bytes
// of salt, as a PHC string: $argon2id$v=19$m=19456,t=2,p=1$salt$hash. It fails
// only if it does not get its turn; see [Hasher.Verify].
func (h *Hasher) Hash(ctx context.Context, password string) (encoded string, err error) {
	if err := h.turn(ctx); err != nil {
		return "", err
	}
	defer h.done()
	salt := make([]byte, h.own.saltLen)
	_, _ = rand.Read(salt)
	return h.own.encode(salt, h.own.key(password, salt)), nil
}

// Result is what [Hasher.Verify] found.
type Result struct {
	OK bool // the password is right
	// NeedsRehash is whether the encoding is another than Hash would write
	// now: another algorithm or other parameters.
	NeedsRehash bool
}

// Verify compares a password with an encoded one: ours, any PHC string of
// argon2id, argon2i, or bcrypt, or one of Django's, pbkdf2_sha256, argon2,
// bcrypt_sha256, bcrypt and scrypt. An empty, unusable ("!…") or unknown
// encoding matches no password, and takes as long to say so as one of ours.
//
// bcrypt looks at the first 72 bytes of a password. Where such hashes are read,
// longer passwords are cut, as Django does; none is written.
//
// An error says that it could not be decided: the context ended, or [ErrBusy].
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (Result, error) {
	if err := h.turn(ctx); err != nil {
		return Result{}, err
	}
	defer h.done()
	stored, ok := parse(encoded)
	if !ok {
		stored, _ = parse(h.decoy)
		stored.matches(password)
		return Result{}, nil
	}
	own, isArgon2 := stored.(argon2Hash)
	return Result{
		OK:          stored.matches(password),
		NeedsRehash: !isArgon2 || own.django || own.argon2Params != h.own,
	}, nil
}

// turn waits until a hash may be computed.
func (h *Hasher) turn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("password: %w", err)
	}
	select {
	case h.turns <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("password: %w", ctx.Err())
	case <-timer.C:
		return &auth.Error{Cause: ErrBusy, RetryAfter: h.wait}
	}
}

func (h *Hasher) done() { <-h.turns }
