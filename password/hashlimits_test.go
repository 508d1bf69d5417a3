package password_test

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
	"golang.org/x/crypto/bcrypt"
)

// argon2String is a string that asks for memory in KiB and passes. It is of no password.
func argon2String(memory, passes int) string {
	const rest = "c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s", memory, passes, rest)
}

func pbkdf2String(t testing.TB, given string, iterations int) string {
	t.Helper()
	key, err := pbkdf2.Key(sha256.New, given, []byte("seasalt"), iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$seasalt$%s", iterations, base64.StdEncoding.EncodeToString(key))
}

func bcryptString(t testing.TB, given string, cost int) string {
	t.Helper()
	encoded, err := bcrypt.GenerateFromPassword([]byte(given), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// What follows the cost in strings of bcrypt and PBKDF2, and the parameters in those of scrypt.
const (
	bcryptRest = "$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	pbkdf2Rest = "$salt$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc="
	scryptKey  = "$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw=="
)

// One row of the table asks for what would end the process or hold a slot for half a
// minute. It costs what any other costs, and the operator reads which setting refused it.
func TestAStoredStringThatIsTooCostly(t *testing.T) {
	for _, row := range []struct{ sentence, stored, setting string }{
		{"argon2 of 1 GiB", argon2String(1<<20, 4), "MaxMemory is 131072 KiB"},
		{"argon2 of 4 TiB", argon2String(1<<32-1, 1), "MaxMemory"},
		{"argon2 of many passes", argon2String(1<<16, 100), "it takes about 6.25s, and HasherConfig.Limits.MaxTime " +
			"is 2s"},
		{"argon2 of all passes", argon2String(1<<17, 1<<32-1), "MaxTime"},
		{"Django's argon2 of 1 GiB", "argon2" + argon2String(1<<20, 1), "MaxMemory"},
		{"scrypt of 1 GiB", "scrypt$1048576$seasalt$8$4" + scryptKey, "MaxMemory"},
		{"scrypt of a large buffer", "scrypt$2$seasalt$1024$10240" + scryptKey, "MaxMemory"},
		{"scrypt of large blocks", "scrypt$2$seasalt$330000$1" + scryptKey, "MaxMemory"},
		{"scrypt of much work", "scrypt$131072$seasalt$8$6" + scryptKey, "MaxTime"},
		{"scrypt of all there is", "scrypt$2147483648$seasalt$1$1" + scryptKey, "MaxMemory"},
		{"bcrypt of cost 15", "$2b$15" + bcryptRest, "MaxTime"},
		{"bcrypt of cost 31", "$2b$31" + bcryptRest, "MaxTime"},
		{"PBKDF2 of 10 million", "pbkdf2_sha256$10000000" + pbkdf2Rest, "MaxTime"},
		{"PBKDF2 of 2^32 - 1", "pbkdf2_sha256$4294967295" + pbkdf2Rest, "MaxTime"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var log bytes.Buffer
			var work []string
			hasher := newHasher(t, password.HasherConfig{})
			password.CountWork(hasher, func(algorithm string) { work = append(work, algorithm) })
			l := newLogin(t, func(c *password.Config) {
				c.Hasher, c.Decoy, c.AllowUnthrottled = hasher, "", true
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
				c.Account = func(context.Context, string) (auth.User, string, error) {
					return user("alice"), row.stored, nil
				}
			})
			for range 2 {
				work = nil
				_, _, err := l.Authenticate(byBasic("alice", "password"))
				var stated *auth.Error
				if !errors.As(err, &stated) || !errors.Is(err, auth.ErrInvalid) ||
					stated.Detail != "Invalid username/password." {
					t.Fatalf("got %v, want ErrInvalid with \"Invalid username/password.\"", err)
				}
				cause := stated.Cause.Error()
				if !strings.Contains(cause, "user alice: the stored string is too costly") ||
					!strings.Contains(cause, row.setting) || !strings.Contains(cause, "HasherConfig.Limits.") {
					t.Errorf("the cause is %s", cause)
				}
				if len(work) != 1 || work[0] != "argon2id" {
					t.Errorf("work done: %q, want that of one of our own", work)
				}
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), row.setting) {
				t.Errorf("%d warnings, want 1 with %q: %s", n, row.setting, &log)
			}
			if strings.Contains(log.String(), row.stored[len(row.stored)-10:]) {
				t.Errorf("the stored string is in %s", &log)
			}
		})
	}
}

func TestWhatIsInUseIsWithinTheLimits(t *testing.T) {
	h := newHasher(t, password.HasherConfig{})
	for sentence, stored := range map[string]string{
		"bcrypt of cost 14":                        "$2b$14" + bcryptRest,
		"Django's bcrypt of cost 14":               "bcrypt_sha256$$2b$14" + bcryptRest,
		"PBKDF2 of Django 5.2":                     "pbkdf2_sha256$1000000" + pbkdf2Rest,
		"PBKDF2 of twice what Django 6 has":        "pbkdf2_sha256$2400000" + pbkdf2Rest,
		"Django's argon2":                          "argon2" + argon2String(102400, 2),
		"the second choice of RFC 9106 §4":         argon2String(64<<10, 3),
		"argon2 of 128 MiB and 16 passes":          argon2String(128<<10, 16),
		"Django's scrypt":                          "scrypt$16384$seasalt$8$5" + scryptKey,
		"the first choice of OWASP for scrypt":     "scrypt$131072$seasalt$8$1" + scryptKey,
		"the last choice of OWASP for scrypt":      "scrypt$8192$seasalt$8$10" + scryptKey,
		"the first choice of OWASP for argon2":     argon2String(46<<10, 1),
		"what Hash writes with the default config": argon2String(19456, 2),
	} {
		if err := password.Reads(h, stored); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestALimitThatIsRaisedReadsMore(t *testing.T) {
	const large, slow = "scrypt$262144$seasalt$8$1" + scryptKey, "$2b$16" + bcryptRest
	for _, row := range []struct {
		sentence, stored string
		config           password.HasherConfig
		read             bool
	}{
		{"the memory, by its setting", large,
			password.HasherConfig{Limits: password.HashLimits{MaxMemory: 256 << 10}}, true},
		{"the memory, by what Hash needs", large, password.HasherConfig{Memory: 256 << 10}, true},
		{"the memory, by nothing", large, password.HasherConfig{}, false},
		{"the time, by its setting", slow,
			password.HasherConfig{Limits: password.HashLimits{MaxTime: 5 * time.Second}}, true},
		{"the time, by what Hash needs", slow,
			password.HasherConfig{Format: password.FormatDjangoPBKDF2, Iterations: 11_000_000}, true},
		{"the time, by nothing", slow, password.HasherConfig{}, false},
	} {
		if err := password.Reads(newHasher(t, row.config), row.stored); (err == nil) != row.read {
			t.Errorf("%s: %v", row.sentence, err)
		}
	}
}

func TestADecoyThatIsTooCostlyNamesTheSetting(t *testing.T) {
	hasher := newHasher(t, password.HasherConfig{})
	_, err := password.New(password.Config{Hasher: hasher, Account: find, Decoy: argon2String(1<<20, 1)})
	if err == nil || !strings.Contains(err.Error(), "HasherConfig.Limits.MaxMemory") {
		t.Error(err)
	}
}

// Eight slots, but memory for two: the others wait, and all are verified.
func TestHashesShareTheirMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(t, password.HasherConfig{Concurrent: 8, MaxWait: time.Minute,
			Limits: password.HashLimits{MaxMemory: 64 << 10, TotalMemory: 150 << 10}})
		var running, most atomic.Int32
		password.CountWork(h, func(string) {
			now := running.Add(1)
			for have := most.Load(); now > have && !most.CompareAndSwap(have, now); have = most.Load() {
			}
			time.Sleep(time.Second) // of the bubble: all others have come meanwhile
			running.Add(-1)
		})
		stored := argon2String(64<<10, 1)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got, err := h.Verify(t.Context(), "x", stored); err != nil || got.OK {
					t.Errorf("got %+v, %v, want no match and no error", got, err)
				}
			})
		}
		wg.Wait()
		if most.Load() != 2 {
			t.Errorf("%d at once, want 2", most.Load())
		}
	})
}

func sha256Hex(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
