package password_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// cheap is argon2id of "password" from the tests of the reference
// implementation (test.c), with so little memory that it costs nothing.
const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func newHasher(t testing.TB, config password.HasherConfig) *password.Hasher {
	t.Helper()
	h, err := password.NewHasher(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHashIsVerifiedAndNeedsNoRehash(t *testing.T) {
	h := newHasher(t, password.HasherConfig{})
	one, err := h.Hash(t.Context(), "correct horse")
	if err != nil || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") || len(one) > 128-len("argon2") {
		t.Fatalf("got %q, %v, want a string of argon2id with m=19456,t=2,p=1 and no error", one, err)
	}
	part := strings.Split(one, "$")
	salt, _ := base64.RawStdEncoding.DecodeString(part[4])
	key, _ := base64.RawStdEncoding.DecodeString(part[5])
	if len(salt) != 16 || len(key) != 32 {
		t.Errorf("salt of %d and key of %d bytes", len(salt), len(key))
	}
	if two, _ := h.Hash(t.Context(), "correct horse"); two == one {
		t.Error("the same salt twice")
	}
	if got, err := h.Verify(t.Context(), "correct horse", one); err != nil || got != (password.Result{OK: true}) {
		t.Errorf("right: %+v, %v", got, err)
	}
	if got, err := h.Verify(t.Context(), "correct horse ", one); err != nil || got != (password.Result{}) {
		t.Errorf("wrong: %+v, %v", got, err)
	}
	other := newHasher(t, password.HasherConfig{Memory: 9216, Time: 4})
	if got, err := other.Verify(t.Context(), "correct horse", one); err != nil ||
		got != (password.Result{OK: true, NeedsRehash: true}) {
		t.Errorf("by a hasher of other parameters: %+v, %v", got, err)
	}
	django := "argon2" + one
	if got, err := h.Verify(t.Context(), "correct horse", django); err != nil ||
		got != (password.Result{OK: true, NeedsRehash: true}) {
		t.Errorf("in Django's format: %+v, %v", got, err)
	}
}

func TestStoredFormatsMatchTheirPassword(t *testing.T) {
	h := newHasher(t, password.HasherConfig{MaxWait: 10 * time.Minute}) // with the race detector bcrypt takes long
	long := "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored"
	for _, row := range []struct{ name, password, encoded string }{
		// Made by Django.
		{"Django's PBKDF2", "hunter2", "pbkdf2_sha256$260000$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/" +
			"uhzwXffsDc="},
		{"Django's argon2", "hunter2",
			"argon2$argon2id$v=19$m=102400,t=2,p=8$Y2ZISVNjM0pnTXVQaEREVWdtTEtaVQ$AvXVDTwRTW4YCphRtduNhg"},
		{"Django's bcrypt of SHA-256", "hunter2",
			"bcrypt_sha256$$2b$12$T4Cev75v3uxqphCq6SpZ3eKbfFimgPracBLCqNg.NSL3PryerQkYe"},
		{"Django's bcrypt", "hunter2", "bcrypt$$2b$12$LIPb.9Tind8vXQQI6LrCbOWmmv0HC6rfqKDg6Zn1/PCFqfXlq4AB2"},
		{"Django's scrypt", "hunter2", "scrypt$16384$seasalt$8$1$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
			"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw=="},
		// From the reference implementation of argon2, test.c.
		{"argon2id", "password", cheap},
		{"argon2i", "password", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8"},
		// From crypt_blowfish, wrapper.c.
		{"bcrypt", "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"bcrypt under its other letter", "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"bcrypt of more than 72 bytes", long, "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"},
		{"bcrypt of just the 72 bytes", long[:72], "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got, err := h.Verify(t.Context(), row.password, row.encoded)
			rehash := row.name != "bcrypt of more than 72 bytes" // of which the rest was not verified
			if err != nil || got != (password.Result{OK: true, NeedsRehash: rehash}) {
				t.Errorf("right: %+v, %v", got, err)
			}
			got, err = h.Verify(t.Context(), "x"+row.password, row.encoded)
			if err != nil || got != (password.Result{}) {
				t.Errorf("wrong: %+v, %v", got, err)
			}
		})
	}
}

// neverMatch is what no password may match, each for its reason.
var neverMatch = map[string]string{
	"empty":                        "",
	"unusable":                     "!Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6",
	"unknown":                      "md5$salt$b305cadbb3bce54f3aa59c64fec00dea",
	"the password itself":          "password",
	"no passes":                    strings.Replace(cheap, "t=2", "t=0", 1),
	"no lanes":                     strings.Replace(cheap, "p=1", "p=0", 1),
	"256 lanes":                    strings.Replace(cheap, "p=1", "p=256", 1),
	"less than 8 KiB a lane":       strings.Replace(cheap, "p=1", "p=33", 1),
	"more than 128 MiB":            strings.Replace(cheap, "m=256", "m=132097", 1),
	"memory over 32 bits":          strings.Replace(cheap, "m=256", "m=4294967552", 1),
	"too many passes":              strings.Replace(cheap, "t=2", "t=4294967295", 1),
	"too much work":                strings.Replace(cheap, "m=256,t=2", "m=131072,t=17", 1),
	"negative memory":              strings.Replace(cheap, "m=256", "m=-256", 1),
	"version 16":                   strings.Replace(cheap, "v=19", "v=16", 1),
	"argon2d":                      strings.Replace(cheap, "argon2id", "argon2d", 1),
	"parameters in another order":  strings.Replace(cheap, "m=256,t=2", "t=2,m=256", 1),
	"no key, which all would have": cheap[:strings.LastIndex(cheap, "$")+1],
	"a key of one byte":            cheap[:strings.LastIndex(cheap, "$")+1] + "nQ",
	"something after the key":      cheap + "$x",
	"PBKDF2 without iterations": "pbkdf2_sha256$0$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/" +
		"uhzwXffsDc=",
	"PBKDF2 of 2^31 iterations": "pbkdf2_sha256$2147483648$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/" +
		"uhzwXffsDc=",
	"PBKDF2 without a key":       "pbkdf2_sha256$1$salt$",
	"PBKDF2 without a salt":      "pbkdf2_sha256$1$$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc=",
	"bcrypt of cost 31":          "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	"bcrypt of cost 3":           "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	"bcrypt 2x":                  "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	"bcrypt cut off":             "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
	"bcrypt of other characters": "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO=W",
	"scrypt of 2 GiB": "scrypt$16777216$seasalt$1$1$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==",
	"scrypt of much work": "scrypt$1048576$seasalt$8$16$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==",
	"scrypt, N no power of 2": "scrypt$1000$seasalt$8$1$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==",
	"scrypt, r p of 2^30": "scrypt$2$seasalt$32768$32768$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==",
	"scrypt, r of 0": "scrypt$1024$seasalt$0$1$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==",
	"a line end after the key":     "scrypt$1024$seasalt$8$1" + scryptKey + "\n",
	"a line end in the key":        cheap[:len(cheap)-2] + "\r\n" + cheap[len(cheap)-2:],
	"memory with a zero before it": strings.Replace(cheap, "m=256", "m=0256", 1),
	"bcrypt of cost 00":            "$2b$00$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
	"PBKDF2 with a zero before it": "pbkdf2_sha256$01$DP9M0EQlYL3B2jNj1vTyik$beyo2eKbDpleeyy4Va3VYZNar654NNEm/" +
		"uhzwXffsDc=",
	"longer than any format": cheap + strings.Repeat("A", 512),
}

func TestWhatIsNoStoredPasswordNeverMatchesAndCostsTheSame(t *testing.T) {
	h := newHasher(t, password.HasherConfig{Memory: 7168, Time: 5})
	for name, encoded := range neverMatch {
		t.Run(name, func(t *testing.T) {
			var work []string
			password.CountWork(h, func(algorithm string) { work = append(work, algorithm) })
			got, err := h.Verify(t.Context(), "password", encoded)
			if err != nil || got != (password.Result{}) {
				t.Errorf("got %+v, %v, want no match and no error", got, err)
			}
			if len(work) != 1 || work[0] != "argon2id" {
				t.Errorf("work done: %q, want that of one of our own", work)
			}
		})
	}
}

func TestANULDoesNotEndABcryptPassword(t *testing.T) {
	h := newHasher(t, password.HasherConfig{})
	got, err := h.Verify(t.Context(), "U*U\x00U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	if err != nil || got.OK {
		t.Errorf("got %+v, %v, want no match and no error", got, err)
	}
}

func TestNewHasherRefusesWeakAndHugeParameters(t *testing.T) {
	for _, config := range []password.HasherConfig{
		{Memory: 19455}, {Time: 1}, {Memory: 47103, Time: 1}, {Memory: 7167, Time: 100},
		{Memory: 1<<20 + 1}, {Memory: 1 << 20, Time: 5}, {Time: 101}, {Concurrent: -1}, {MaxWait: -1},
		{Format: "argon2id"}, {Iterations: 1_000_000}, {Format: password.FormatDjangoArgon2, Iterations: 1_000_000},
		{Format: password.FormatDjangoArgon2, Memory: 7168, Time: 2},
		{Format: password.FormatDjangoPBKDF2, Iterations: 599_999},
		{Format: password.FormatDjangoPBKDF2, Iterations: -1},
		{Format: password.FormatDjangoPBKDF2, Iterations: 1 << 30},
		{Format: password.FormatDjangoPBKDF2, Memory: 19456},
		{Format: password.FormatDjangoPBKDF2, Time: 2}, {Format: password.FormatDjangoPBKDF2, Threads: 1},
		{Limits: password.HashLimits{MaxMemory: 19455}}, {Limits: password.HashLimits{MaxMemory: 1<<20 + 1}},
		{Limits: password.HashLimits{MaxTime: time.Millisecond}}, {Limits: password.HashLimits{MaxTime: -1}},
		{Limits: password.HashLimits{MaxTime: time.Minute + 1}}, {Limits: password.HashLimits{TotalMemory: 131071}},
	} {
		if _, err := password.NewHasher(config); err == nil {
			t.Errorf("%+v: no error", config)
		}
	}
	for _, config := range []password.HasherConfig{{Memory: 47104, Time: 1}, {Memory: 12288, Time: 3},
		{Memory: 65536, Time: 3, Threads: 4},
		{Memory: 1 << 20, Time: 4}, {Memory: 1 << 20, Time: 1, Concurrent: 5000}} {
		newHasher(t, config)
	}
}

func TestAPasswordTooLongIsNotHashed(t *testing.T) {
	h := newHasher(t, password.HasherConfig{})
	password.CountWork(h, func(string) { t.Error("hashed") })
	if _, err := h.Hash(t.Context(), strings.Repeat("x", password.MaxPassword+1)); !errors.Is(err, auth.ErrMalformed) {
		t.Error(err)
	}
}

func TestHashesWaitForTheirTurn(t *testing.T) {
	t.Run("for MaxWait at most, then it is an outage", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, password.HasherConfig{Concurrent: 1, MaxWait: 3 * time.Second})
			password.CountWork(h, func(string) { t.Error("hashed") })
			defer password.Occupy(h)()
			start := time.Now()
			_, err := h.Verify(t.Context(), "password", cheap)
			if !errors.Is(err, password.ErrBusy) || auth.KindOf(err) != nil {
				t.Error(err)
			}
			if waited := time.Since(start); waited != 3*time.Second {
				t.Errorf("waited %v", waited)
			}
		})
	})
	t.Run("until their client is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, password.HasherConfig{Concurrent: 1})
			defer password.Occupy(h)()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				synctest.Wait() // until Hash waits
				cancel()
			}()
			if _, err := h.Hash(ctx, "password"); !errors.Is(err, context.Canceled) || auth.KindOf(err) != nil {
				t.Error(err)
			}
			if err := h.Decoy(ctx, "password"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	})
	t.Run("and have it when another ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, password.HasherConfig{Concurrent: 1})
			release := password.Occupy(h)
			time.AfterFunc(time.Second, release)
			if got, err := h.Verify(t.Context(), "password", cheap); err != nil || !got.OK {
				t.Errorf("got %+v, %v, want a match and no error", got, err)
			}
		})
	})
}

func FuzzVerify(f *testing.F) {
	for _, encoded := range neverMatch {
		f.Add(encoded)
	}
	f.Add(cheap)
	f.Add("$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	f.Add("pbkdf2_sha256$1$salt$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc=")
	f.Add("scrypt$2$seasalt$1$1$TzPEcYoMeLU5rWKo7n7L0QkJB6KLt/sHHn25Ev5Os8wSwhD/" +
		"GGjGU5TEfA6gdpD6nCcPKAks9ma5xpkRN9QZLw==")
	var legacy []string
	for name, strings := range legacyStrings(f) {
		legacy = append(legacy, name)
		for _, encoded := range strings {
			f.Add(encoded)
		}
	}
	h := newHasher(f, password.HasherConfig{Memory: 7168, Time: 5, AllowLegacy: legacy})
	f.Fuzz(func(t *testing.T, encoded string) {
		if !password.Cheap(h, encoded) {
			return // read without panic; the work is bounded but long
		}
		got, err := h.Verify(context.Background(), "never this", encoded)
		if err != nil || got.OK {
			t.Errorf("got %+v, %v, want no match and no error", got, err)
		}
	})
}
