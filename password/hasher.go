// Package password keeps and checks passwords. A [Hasher] turns them into
// strings to store and verifies them, also those that Django stored; an [Authenticator]
// is the backend that logs users in by username and password, from JSON, a form
// or HTTP Basic, and slows down whoever guesses.
//
// Choose it where users have passwords of their own here. Put Authenticator into the
// Login of the guard of a program that issues tokens or sessions, so
// that the password travels once:
//
//	hasher, err := password.NewHasher(password.HasherConfig{})
//	passwords, err := password.New(password.Config{
//		Hasher:  hasher,
//		Account: users.FindByName, // (ctx, username) → user, stored hash, error
//	})
//	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}, Login: []auth.Authenticator{passwords}})
//	handlers, err := tokens.Handlers(guard) // knox
//
// [Validators] judge new passwords, [Change] and [Reset] are the handlers that set
// one, and [OneTimeTokens] make the links of mails.
//
// Guessing is slowed down by account, by address and by network; [Limits] say how, and how many
// guesses an hour that leaves. A login under way is no failure: right passwords that come in
// parallel wait for each other and are all let in.
//
// What a stranger can learn is the same for every failed login: whether the
// username is unknown, the password wrong or the user inactive, the answer and the
// work are one. The operator learns which it was: the cause of the error, which goes to
// the log and the Observer and never to the client, says so.
package password

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"golang.org/x/crypto/argon2"
)

// ErrBusy is the cause of the error that a [Hasher] returns when too many
// hashes are being computed, and an [Authenticator] when too many logins of one account
// or address are under way: an [auth.Error] without a kind, which is answered
// with 503.
var ErrBusy = errors.New("password: too many hashes at once")

// MaxPassword is the longest password that is hashed, in bytes.
const MaxPassword = 4096

// Config is the configuration of a [Hasher]. The zero value is right for most.
type HasherConfig struct {
	// Memory, Time and Threads are the parameters m (in KiB), t (passes) and p
	// (lanes) of argon2id (RFC 9106 §3.1). 0 is 19456 (19 MiB), 2 and 1. At
	// most 1 GiB, 100 passes, and 4 GiB of memory times passes.
	//
	// The defaults are from the OWASP Password Storage Cheat Sheet, which
	// names five settings of equal strength: 46 MiB and 1 pass, 19 MiB and 2,
	// 12 MiB and 3, 9 MiB and 4, 7 MiB and 5. The first two it prefers, and of
	// these we take the smaller memory: a flood of logins then holds Concurrent
	// times 19 MiB. The settings of RFC 9106 §4, 2 GiB and 1 pass or 64 MiB and
	// 3, suit services with few logins and memory to spare.
	Memory  uint32
	Time    uint32
	Threads uint8

	// Concurrent is how many passwords are hashed at once, 0 is GOMAXPROCS.
	// It bounds memory: this times Memory, or times what stored strings of
	// other parameters ask for (Django's argon2: 100 MiB each).
	Concurrent int
	// MaxWait is how long others wait for their turn before [ErrBusy], within
	// the context of their request. 0 is 5 seconds.
	MaxWait time.Duration

	// AllowLegacy names formats that are read although they protect nobody:
	// LegacySHA1, LegacyMD5, LegacyUnsaltedSHA1, LegacyUnsaltedMD5, and
	// LegacyPBKDF2SHA1, which is the best of them. Whoever gets hold of the
	// database tries billions of passwords a second against the first four,
	// without a salt against all users at once. They always need a rehash: set
	// Config.Upgrade, so that each is replaced at the user's next login,
	// and drop the name when none are left. MD5 and SHA-1 panic in a program
	// that runs in FIPS 140-only mode. Django's crypt is not read.
	AllowLegacy []string
}

// owaspMinimum is the settings of the OWASP Password Storage Cheat Sheet: KiB
// and passes.
var owaspMinimum = [...]struct{ memory, time uint32 }{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}}

const (
	saltLen = 16 // RFC 9106 §3.1 recommends 16 bytes
	keyLen  = 32 // 256 bits, as RFC 9106 §4 chooses
)

// Hasher hashes and verifies passwords, a bounded number at once. It is safe
// for concurrent use. It writes argon2id (RFC 9106) and nothing else.
type Hasher struct {
	own   argon2Hash // parameters of what Hash writes; no salt and key
	decoy argon2Hash
	old   legacy
	slots chan struct{}
	wait  time.Duration
	ran   func(algorithm string) // tests count the work; else nil
}

// Result is the outcome of [Hasher.Verify].
type Result struct {
	// OK reports that the password is the right one.
	OK bool
	// NeedsRehash reports that the password is right, and that the stored
	// string has another format or other parameters than Hash writes.
	NeedsRehash bool
}

// NewHasher returns a Hasher. It refuses parameters weaker than OWASP's
// minimum, such as no stored string may have, and unknown names in AllowLegacy.
func NewHasher(config HasherConfig) (*Hasher, error) {
	config.Memory, config.Time, config.Threads = cmp.Or(config.Memory, 19456), cmp.Or(config.Time, 2), cmp.Or(config.Threads, 1)
	config.Concurrent = cmp.Or(config.Concurrent, runtime.GOMAXPROCS(0))
	config.MaxWait = cmp.Or(config.MaxWait, 5*time.Second)
	own := argon2Hash{memory: config.Memory, time: config.Time, threads: config.Threads}
	strong := slices.ContainsFunc(owaspMinimum[:], func(least struct{ memory, time uint32 }) bool {
		return config.Memory >= least.memory && config.Time >= least.time
	})
	s := backend.Settings{Package: "password"}
	s.Refuse(config.Concurrent < 0 || config.MaxWait < 0, "HasherConfig.Concurrent or MaxWait is negative")
	s.Refuse(!strong, "argon2id with %d KiB and %d passes is weaker than OWASP's minimum, such as 19456 KiB and 2 passes",
		config.Memory, config.Time)
	s.Refuse(strong && !own.bounded(), "argon2id with %d KiB and %d passes is more than is allowed", config.Memory, config.Time)
	if err := s.Err(); err != nil {
		return nil, err
	}
	old, err := newLegacy(config.AllowLegacy)
	if err != nil {
		return nil, err
	}
	decoy := own
	decoy.salt, decoy.key = make([]byte, saltLen), make([]byte, keyLen)
	return &Hasher{own: own, decoy: decoy, old: old, slots: make(chan struct{}, config.Concurrent), wait: config.MaxWait}, nil
}

// Hash returns a string to store for password: argon2id with a salt of its own
// in the PHC format, $argon2id$v=19$m=…,t=…,p=…$salt$hash, of about 100
// characters. It does not judge the password, but one longer than
// [MaxPassword] is [auth.ErrMalformed]. Otherwise errors are those of the
// context and ErrBusy, as [auth.Error] without a kind.
func (h *Hasher) Hash(ctx context.Context, password string) (encoded string, err error) {
	if len(password) > MaxPassword {
		return "", errLongPassword
	}
	hash := h.own
	hash.salt = make([]byte, saltLen)
	_, _ = rand.Read(hash.salt) // never fails, crypto/rand says
	err = h.turn(ctx, func() error {
		h.count("argon2id")
		hash.key = argon2.IDKey([]byte(password), hash.salt, hash.time, hash.memory, hash.threads, keyLen)
		return nil
	})
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hash.memory, hash.time, hash.threads,
		b64.EncodeToString(hash.salt), b64.EncodeToString(hash.key)), nil
}

// Verify reports whether password is the one that encoded was made from, and
// whether it should be hashed anew. These are read:
//
//   - argon2id and argon2i in PHC format, and Django's argon2$argon2id$…
//   - Django's pbkdf2_sha256$…, bcrypt_sha256$$2b$…, bcrypt$$2b$… and scrypt$…
//   - bcrypt as $2a$…, $2b$… and $2y$…; of a longer password only the first 72
//     bytes count, as wherever such strings were made
//   - what Config.AllowLegacy names; where that is a digest, which takes no time,
//     the work of verifying one of our own, or Config.Decoy, is done besides,
//     so that a login does not tell who still has such a string
//
// A string that is empty, unusable (Django's "!…"), unknown or broken, or asks
// for more work than is allowed (1 GiB or some seconds), never matches and is
// no error: it costs what verifying one of our own does, so that nobody learns
// who has no password. A password longer than [MaxPassword] never matches.
//
// Errors are those of the context and [ErrBusy], as [auth.Error] without a kind.
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (Result, error) {
	return h.verify(ctx, password, encoded, &h.decoy)
}

// Decoy does the work of verifying a password of our own and matches nothing.
// Call it where there is no user to verify a password of. Errors are those of
// Verify.
func (h *Hasher) Decoy(ctx context.Context, password string) error {
	_, err := h.verify(ctx, password, "", &h.decoy)
	return err
}

// verify is Verify that does the work of decoy for what never matches.
func (h *Hasher) verify(ctx context.Context, password, encoded string, decoy stored) (result Result, err error) {
	if len(password) > MaxPassword {
		password, encoded = "", ""
	}
	hash := h.parse(encoded)
	usable := hash != nil
	if !usable {
		hash = decoy
	}
	err = h.turn(ctx, func() error {
		h.count(hash.algorithm())
		ok, err := hash.matches(password)
		if err != nil {
			return err
		}
		if _, quick := hash.(*digest); quick {
			slow := decoy // what a user who is unknown takes
			if _, quick := decoy.(*digest); quick {
				slow = &h.decoy
			}
			h.count(slow.algorithm())
			_, _ = slow.matches(password)
		}
		result.OK = ok && usable
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	result.NeedsRehash = result.OK && !h.isOwn(hash)
	return result, nil
}

// parse returns what encoded says, or nil if it can match no password.
func (h *Hasher) parse(encoded string) stored {
	if hash := parse(encoded); hash != nil {
		return hash
	}
	return h.old.parse(encoded)
}

// isOwn reports whether hash is as Hash would have written it.
func (h *Hasher) isOwn(hash stored) bool {
	a, ok := hash.(*argon2Hash)
	return ok && !a.django && !a.independent && a.memory == h.own.memory && a.time == h.own.time &&
		a.threads == h.own.threads && len(a.salt) == saltLen && len(a.key) == keyLen
}

// turn calls work when it is its turn.
func (h *Hasher) turn(ctx context.Context, work func() error) error {
	if err := ctx.Err(); err != nil {
		return &auth.Error{Cause: err}
	}
	select {
	case h.slots <- struct{}{}:
	default:
		timer := time.NewTimer(h.wait)
		defer timer.Stop()
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return &auth.Error{Cause: ctx.Err()}
		case <-timer.C:
			return &auth.Error{Cause: ErrBusy}
		}
	}
	defer func() { <-h.slots }()
	if err := work(); err != nil {
		return &auth.Error{Cause: err}
	}
	return nil
}

func (h *Hasher) count(algorithm string) {
	if h.ran != nil {
		h.ran(algorithm)
	}
}
