package password_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func TestHashWritesTheFormatThatIsSet(t *testing.T) {
	const salt, key = `[A-Za-z0-9+/]{35}`, `[A-Za-z0-9+/]{43}`
	for format, shape := range map[password.Format]string{
		password.FormatPHC:          `\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$` + key,
		password.FormatDjangoArgon2: `argon2\$argon2id\$v=19\$m=102400,t=2,p=8\$` + salt + `\$` + key,
		password.FormatDjangoPBKDF2: `pbkdf2_sha256\$1000000\$[A-Za-z0-9]{26}\$` + key + `=`,
	} {
		h := newHasher(t, password.HasherConfig{Format: format})
		encoded, err := h.Hash(t.Context(), "correct horse")
		if err != nil || !regexp.MustCompile("^"+shape+"$").MatchString(encoded) || len(encoded) > 128 {
			t.Errorf("%q: %q, %v", format, encoded, err)
		}
		if again, _ := h.Hash(t.Context(), "correct horse"); again == encoded {
			t.Errorf("%q: the same salt twice", format)
		}
	}
}

func TestAStringOfAnotherFormatIsVerifiedAndNeedsARehash(t *testing.T) {
	formats := []password.Format{password.FormatPHC, password.FormatDjangoArgon2, password.FormatDjangoPBKDF2}
	hashers, made := map[password.Format]*password.Hasher{}, map[password.Format]string{}
	for _, format := range formats {
		config := password.HasherConfig{Format: format, Memory: 7168, Time: 5}
		if format == password.FormatDjangoPBKDF2 {
			config = password.HasherConfig{Format: format, Iterations: 600_000}
		}
		h := newHasher(t, config)
		encoded, err := h.Hash(t.Context(), "correct horse")
		if err != nil {
			t.Fatal(err)
		}
		hashers[format], made[format] = h, encoded
	}
	for _, by := range formats {
		for _, of := range formats {
			got, err := hashers[by].Verify(t.Context(), "correct horse", made[of])
			if err != nil || got != (password.Result{OK: true, NeedsRehash: by != of}) {
				t.Errorf("%q verified by a Hasher of %q: %+v, %v", of, by, got, err)
			}
		}
		got, err := hashers[by].Verify(t.Context(), "battery staple", made[by])
		if err != nil || got != (password.Result{}) {
			t.Errorf("%q, wrong: %+v, %v", by, got, err)
		}
	}
}

func TestDjangosOwnStringNeedsNoRehashIfItsParametersAreTheSame(t *testing.T) {
	// Made by Django 5.2 with its defaults, of "hunter2".
	const (
		pbkdf2 = "pbkdf2_sha256$1000000$3V1dtAitUezOiifMCEGx16$zV/sTKgWO8rAlIEbj0hQY2VXMs5ujEXaDN4PGc3hqeE="
		argon2 = "argon2$argon2id$v=19$m=102400,t=2," +
			"p=8$TnZTckFydE5uZ1VEVFRaWWFtMVI5WA$LURSLy0nb0fYw81Oano65UTp8ILgMdTqnT+STmMEMBk"
	)
	for _, row := range []struct {
		sentence string
		config   password.HasherConfig
		stored   string
		rehash   bool
	}{
		{"PBKDF2", password.HasherConfig{Format: password.FormatDjangoPBKDF2}, pbkdf2, false},
		{"argon2", password.HasherConfig{Format: password.FormatDjangoArgon2}, argon2, false},
		{"PBKDF2 of other iterations",
			password.HasherConfig{Format: password.FormatDjangoPBKDF2, Iterations: 1_200_000}, pbkdf2, true},
		{"argon2 of other passes",
			password.HasherConfig{Format: password.FormatDjangoArgon2, Time: 3}, argon2, true},
		{"argon2 of an old Django, with a key of 16 bytes", password.HasherConfig{Format: password.FormatDjangoArgon2},
			"argon2$argon2id$v=19$m=102400,t=2,p=8$Y2ZISVNjM0pnTXVQaEREVWdtTEtaVQ$AvXVDTwRTW4YCphRtduNhg", true},
		{"a short salt", password.HasherConfig{Format: password.FormatDjangoPBKDF2},
			pbkdf2String(t, "hunter2", 1_000_000), true},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			t.Parallel()
			got, err := newHasher(t, row.config).Verify(t.Context(), "hunter2", row.stored)
			if err != nil || got != (password.Result{OK: true, NeedsRehash: row.rehash}) {
				t.Errorf("got %+v, %v, want a match, with NeedsRehash as in the row", got, err)
			}
		})
	}
}

// What is upgraded at a login is something Django reads.
func TestAnUpgradeKeepsTheFormatOfDjango(t *testing.T) {
	kept := cheap
	l := newLogin(t, func(c *password.Config) {
		c.Hasher = newHasher(t, password.HasherConfig{Format: password.FormatDjangoPBKDF2})
		c.Account = func(context.Context, string) (auth.User, string, error) { return user("alice"), kept, nil }
		c.Upgrade = func(_ context.Context, _ auth.User, encoded string) error { kept = encoded; return nil }
	})
	_, _, err := l.Authenticate(byBasic("alice", "password"))
	if err != nil || !strings.HasPrefix(kept, "pbkdf2_sha256$1000000$") {
		t.Errorf("%v, now %q", err, kept)
	}
}

// bcrypt looks at 72 bytes. A login with these is let in, with whatever comes after them. A new
// string of all that was typed would lock the user out.
func TestAPasswordThatBcryptReadInPartIsNotUpgraded(t *testing.T) {
	long := strings.Repeat("0123456789", 8)
	for _, row := range []struct {
		sentence, given, stored string
		upgraded                bool
	}{
		{"80 bytes", long, bcryptString(t, long[:72], 4), false},
		{"80 bytes, of which the end is wrong", long[:75] + "wrong", bcryptString(t, long[:72], 4), false},
		{"80 bytes, in Django's form", long, "bcrypt$" + bcryptString(t, long[:72], 4), false},
		{"73 bytes", long[:73], bcryptString(t, long[:72], 4), false},
		{"72 bytes", long[:72], bcryptString(t, long[:72], 4), true},
		{"80 bytes of which Django hashed the SHA-256", long, "bcrypt_sha256$" + bcryptString(t, sha256Hex(long), 4),
			true},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			kept := row.stored
			l := newLogin(t, func(c *password.Config) {
				c.Account = func(context.Context, string) (auth.User, string, error) { return user("alice"), kept, nil }
				c.Upgrade = func(_ context.Context, _ auth.User, encoded string) error { kept = encoded; return nil }
			})
			_, _, err := l.Authenticate(byBasic("alice", row.given))
			if err != nil || (kept != row.stored) != row.upgraded {
				t.Errorf("%v, upgraded %v, want %v", err, kept != row.stored, row.upgraded)
			}
		})
	}
}
