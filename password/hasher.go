// Package password keeps and checks passwords. A [Hasher] turns them into
// strings to store and verifies them, also those that Django stored. An [Authenticator]
// is the backend that logs users in by username and password, from JSON, a form
// or HTTP Basic, and slows down guessing.
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
//	guard, err := auth.New(auth.Config{
//		Backends: []auth.Authenticator{tokens},
//		Login:    []auth.Authenticator{passwords},
//	})
//	handlers, err := tokens.Handlers(guard) // knox
//
// [Validators] judge new passwords, [Change] and [Reset] are the handlers that set
// one, and [OneTimeTokens] make the links of mails.
//
// Guessing is slowed down by account, by address and by network. [Limits] say how, and how many
// guesses an hour that leaves. A login under way is no failure: right passwords that come in
// parallel wait for each other and are all let in.
//
// While a Django reads the same table of users, set HasherConfig.Format: Hash then writes
// what Django reads, so a password that is changed here works there.
//
// Hashing is bounded. At most Concurrent hashes run at once, in 512 MiB together. A stored
// string that asks for more than 128 MiB or about 2 seconds is not verified, and the log
// says so. [HashLimits] has the settings.
//
// What a stranger can learn is the same for every failed login: whether the
// username is unknown, the password wrong or the user inactive, the answer and the
// work are one. The operator learns which it was: the cause of the error, which goes to
// the log and the Observer and never to the client, says so.
package password

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ErrBusy is the cause of the error that a [Hasher] returns when too many
// hashes are being computed, and an [Authenticator] when too many logins of one account
// or address are under way: an [auth.Error] without a kind, which is answered
// with 503.
var ErrBusy = errors.New("password: too many hashes at once")

// MaxPassword is the longest password that is hashed, in bytes.
const MaxPassword = 4096

// HasherConfig is the configuration of a [Hasher]. The zero value is right for most.
type HasherConfig struct {
	// Format is what Hash writes. Set it to one of Django's while a Django reads the same
	// table. Django cannot read the default, so users that set a password here would be locked
	// out there.
	Format Format

	// Memory, Time and Threads are the parameters m (in KiB), t (passes) and p
	// (lanes) of argon2id (RFC 9106 §3.1). 0 is 19456 (19 MiB), 2 and 1. With
	// FormatDjangoArgon2 it is what Django has: 102400 (100 MiB), 2 and 8. At
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
	// Iterations are those of FormatDjangoPBKDF2. 0 is 1,000,000, as in Django 5.2. At least
	// 600,000, which is OWASP's minimum. Django makes a string anew at a login there if its
	// own number differs, so set the number of that Django.
	Iterations int

	// Concurrent is how many passwords are hashed at once. 0 is one less than GOMAXPROCS, and at least 1: a hash keeps
	// its processor for a long time, so one processor is left to requests that need no hash, such as those with tokens.
	Concurrent int
	// MaxWait is how long others wait for their turn before [ErrBusy], within
	// the context of their request. 0 is 5 seconds.
	MaxWait time.Duration
	// Limits bound what a stored string may ask for, and the memory of all hashes together.
	Limits HashLimits

	// AllowLegacy names formats that are read although they do not protect:
	// LegacySHA1, LegacyMD5, LegacyUnsaltedSHA1, LegacyUnsaltedMD5, and
	// LegacyPBKDF2SHA1, which is the best of them. A thief of the
	// database tries billions of passwords a second against the first four,
	// without a salt against all users at once. They always need a rehash: set
	// Config.Upgrade, so that each is replaced at the user's next login,
	// and drop the name when there are no such strings any more. MD5 and SHA-1 panic in a program
	// that runs in FIPS 140-only mode. Django's crypt is not read.
	AllowLegacy []string
}

// owaspMinimum is the settings of the OWASP Password Storage Cheat Sheet: KiB
// and passes.
var owaspMinimum = [...]struct{ memory, time uint32 }{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}}

// What Hash may be configured to do.
const (
	largestPasses = 100
	largestWork   = 4 << 20 // KiB times passes
	minIterations = 600_000 // OWASP's, of PBKDF2 with HMAC-SHA-256
)

// Hasher hashes and verifies passwords, a bounded number at once and in bounded memory. It
// is safe for concurrent use.
type Hasher struct {
	own    hashFormat
	decoy  storedHash
	old    legacy
	limits HashLimits
	budget *budget
	wait   time.Duration
	ran    func(algorithm string) // tests count the work, nil otherwise
}

// Result is the outcome of [Hasher.Verify].
type Result struct {
	// OK reports that the password is the right one.
	OK bool
	// NeedsRehash reports that the password is right, and that the stored
	// string has another format or other parameters than Hash writes. It is
	// false if the format looks at a part of the password only.
	NeedsRehash bool
}

// NewHasher returns a Hasher. It refuses parameters weaker than OWASP's minimum, parameters
// of a Format that is not set, Limits that contradict what Hash needs or each other, and
// unknown names in Format and AllowLegacy.
func NewHasher(config HasherConfig) (*Hasher, error) {
	config.Concurrent = cmp.Or(config.Concurrent, max(1, runtime.GOMAXPROCS(0)-1))
	config.MaxWait = cmp.Or(config.MaxWait, 5*time.Second)
	s := backend.Settings{Package: "password"}
	s.Refuse(config.Concurrent < 0 || config.MaxWait < 0, "HasherConfig.Concurrent or MaxWait is negative")
	own := config.hashFormat(&s)
	if own != nil {
		config.Limits.complete(&s, own.cost(), config.Concurrent)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	old, err := newLegacy(config.AllowLegacy)
	if err != nil {
		return nil, err
	}
	return &Hasher{own: own, decoy: own.decoy(), old: old, limits: config.Limits, wait: config.MaxWait,
		budget: newBudget(config.Concurrent, uint64(config.Limits.TotalMemory))}, nil
}

// hashFormat returns how to make strings of c.Format, or nil with what is wrong added to s.
func (c *HasherConfig) hashFormat(s *backend.Settings) hashFormat {
	switch c.Format {
	case FormatPHC, FormatDjangoArgon2:
		s.Refuse(c.Iterations != 0, "HasherConfig.Iterations is for FormatDjangoPBKDF2")
		a := &argon2Format{c.Format == FormatDjangoArgon2,
			cmp.Or(c.Memory, 19456), cmp.Or(c.Time, 2), cmp.Or(c.Threads, 1)}
		if a.django {
			a.memory, a.threads = cmp.Or(c.Memory, 102400), cmp.Or(c.Threads, 8)
		}
		strong := slices.ContainsFunc(owaspMinimum[:], func(least struct{ memory, time uint32 }) bool {
			return a.memory >= least.memory && a.time >= least.time
		})
		valid := a.memory >= 8*uint32(a.threads) && a.memory <= largestMemory && a.time <= largestPasses &&
			uint64(a.memory)*uint64(a.time) <= largestWork
		s.Refuse(!strong, "argon2id with %d KiB and %d passes is weaker than OWASP's minimum, such as 19456 KiB and "+
			"2 passes",
			a.memory, a.time)
		s.Refuse(strong && !valid, "argon2id with %d KiB and %d passes is more than is allowed", a.memory, a.time)
		if strong && valid {
			return a
		}
	case FormatDjangoPBKDF2:
		s.Refuse(c.Memory != 0 || c.Time != 0 || c.Threads != 0,
			"HasherConfig.Memory, Time and Threads are of argon2id, not of FormatDjangoPBKDF2")
		p := &pbkdf2Format{uint64(max(0, cmp.Or(c.Iterations, 1_000_000)))}
		s.Refuse(p.iterations < minIterations, "HasherConfig.Iterations is %d, less than OWASP's minimum, %d",
			c.Iterations, minIterations)
		tooLong := p.cost().time > longestTime
		s.Refuse(tooLong, "HasherConfig.Iterations is %d, which takes minutes", c.Iterations)
		if !tooLong {
			return p
		}
	default:
		s.Refuse(true, "HasherConfig.Format has %q, which is no Format of this package", string(c.Format))
	}
	return nil
}

// Hash returns a string to store for password, in the format of HasherConfig.Format with a
// salt of its own. It has at most 128 characters. It does not judge the password, but one
// longer than [MaxPassword] is [auth.ErrMalformed]. Otherwise errors are those of the
// context and ErrBusy, as [auth.Error] without a kind.
func (h *Hasher) Hash(ctx context.Context, password string) (encoded string, err error) {
	if len(password) > MaxPassword {
		return "", errLongPassword
	}
	err = h.withBudget(ctx, h.own.cost().memory, func() (err error) {
		h.count(h.own.algorithm())
		encoded, err = h.own.encode(password)
		return err
	})
	return encoded, err
}

// Verify reports whether password is the one that encoded was made from, and
// whether it should be hashed anew. These are read:
//
//   - argon2id and argon2i in PHC format, and Django's argon2$argon2id$…
//   - Django's pbkdf2_sha256$…, bcrypt_sha256$$2b$…, bcrypt$$2b$… and scrypt$…
//   - bcrypt as $2a$…, $2b$… and $2y$…. Of a longer password only the first 72
//     bytes count, as wherever such strings were made. Such a password never
//     NeedsRehash, since the rest of it was not verified
//   - what HasherConfig.AllowLegacy names. Where that is a digest, which takes no time,
//     the work of verifying one of our own, or Config.Decoy, is done besides,
//     so that a login does not tell which users still have such a string
//
// A string that is empty, unusable (Django's "!…"), unknown or broken, or asks
// for more than [HashLimits] allow, never matches and is no error: it costs what
// verifying one of our own does, so that a stranger does not learn which users have no
// password. A password longer than [MaxPassword] never matches.
//
// Errors are those of the context and [ErrBusy], as [auth.Error] without a kind.
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (Result, error) {
	return h.verify(ctx, password, encoded, h.decoy)
}

// Decoy does the work of verifying a password of our own and matches nothing.
// Call it where there is no user to verify a password of. Errors are those of
// Verify.
func (h *Hasher) Decoy(ctx context.Context, password string) error {
	_, err := h.verify(ctx, password, "", h.decoy)
	return err
}

// verify is Verify with this decoy. If encoded cannot match, it verifies the decoy. If encoded is a
// fast digest, it verifies the decoy as well (padding), so that the time is that of an unknown user.
// If the decoy is a fast digest too, the padding is the decoy of the Hasher.
func (h *Hasher) verify(ctx context.Context, password, encoded string, decoy storedHash) (result Result, err error) {
	if len(password) > MaxPassword {
		password, encoded = "", ""
	}
	hash, err := h.read(encoded)
	usable := err == nil
	if !usable {
		hash = decoy
	}
	var padding storedHash
	if isDigest(hash) {
		if padding = decoy; isDigest(decoy) {
			padding = h.decoy
		}
	}
	memory := hash.cost().memory
	if padding != nil {
		memory = padding.cost().memory
	}
	err = h.withBudget(ctx, memory, func() error {
		h.count(hash.algorithm())
		ok, err := hash.matches(password)
		if err != nil {
			return err
		}
		if padding != nil {
			h.count(padding.algorithm())
			_, _ = padding.matches(password)
		}
		result.OK = ok && usable
		return nil
	})
	if err != nil {
		return Result{}, err
	}
	result.NeedsRehash = result.OK && !h.own.isCurrent(hash)
	if b, ok := hash.(*bcryptHash); ok && !b.readsAll(password) {
		result.NeedsRehash = false
	}
	return result, nil
}

func isDigest(hash storedHash) bool {
	_, quick := hash.(*digest)
	return quick
}

// read returns what encoded says, or why it can match no password: errFormat or a
// costlyError.
func (h *Hasher) read(encoded string) (storedHash, error) {
	hash := parse(encoded)
	if hash == nil {
		hash = h.old.parse(encoded)
	}
	if hash == nil {
		return nil, errFormat
	}
	if err := h.limits.check(hash.cost()); err != nil {
		return nil, err
	}
	return hash, nil
}

// withBudget waits for a slot and memory KiB of the budget, and calls work.
func (h *Hasher) withBudget(ctx context.Context, memory uint64, work func() error) error {
	if err := h.budget.acquire(ctx, memory, h.wait); err != nil {
		return err
	}
	defer h.budget.release(memory)
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
