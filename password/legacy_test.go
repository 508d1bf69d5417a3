package password_test

import (
	"context"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sha1Hex(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// legacyStrings are stored strings of "hunter2" by the format that reads them.
func legacyStrings(t testing.TB) map[string][]string {
	key, err := pbkdf2.Key(sha1.New, "hunter2", []byte("a salt that is text"), 7, sha1.Size)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		password.LegacyPBKDF2SHA1: {
			"pbkdf2_sha1$260000$c3wFF2D53ziLStTS6tJCds$+M4RhwmsRGQe3dEQnoRqg6jtEQQ=", // made by Django
			"pbkdf2_sha1$7$a salt that is text$" + base64.StdEncoding.EncodeToString(key),
		},
		password.LegacySHA1:         {"sha1$seasalt$" + sha1Hex("seasalthunter2"), "sha1$x$" + sha1Hex("xhunter2")},
		password.LegacyMD5:          {"md5$seasalt$" + md5Hex("seasalthunter2"), "md5$ä$" + md5Hex("ähunter2")},
		password.LegacyUnsaltedSHA1: {"sha1$$" + sha1Hex("hunter2")},
		password.LegacyUnsaltedMD5:  {md5Hex("hunter2"), "md5$$" + md5Hex("hunter2")},
	}
}

func TestLegacyFormatsMatchWhereTheyAreAllowed(t *testing.T) {
	all := legacyStrings(t)
	none := newHasher(t, password.HasherConfig{})
	rest := func(without string) (names []string) {
		for name := range all {
			if name != without {
				names = append(names, name)
			}
		}
		return names
	}
	for name, strings := range all {
		t.Run(name, func(t *testing.T) {
			allowed := newHasher(t, password.HasherConfig{AllowLegacy: []string{name}})
			others := newHasher(t, password.HasherConfig{AllowLegacy: rest(name)})
			for _, encoded := range strings {
				if got, err := allowed.Verify(t.Context(), "hunter2", encoded); err != nil ||
					got != (password.Result{OK: true, NeedsRehash: true}) {
					t.Errorf("%s: %+v, %v", encoded, got, err)
				}
				if got, err := allowed.Verify(t.Context(), "hunter3", encoded); err != nil ||
					got != (password.Result{}) {
					t.Errorf("%s, wrong password: %+v, %v", encoded, got, err)
				}
				if got, err := none.Verify(t.Context(), "hunter2", encoded); err != nil || got.OK {
					t.Errorf("%s, not allowed: %+v, %v", encoded, got, err)
				}
				if got, err := others.Verify(t.Context(), "hunter2", encoded); err != nil || got.OK {
					t.Errorf("%s, others allowed: %+v, %v", encoded, got, err)
				}
			}
		})
	}
}

func TestPBKDF2WithSHA1IsThatOfRFC6070(t *testing.T) {
	h := newHasher(t, password.HasherConfig{AllowLegacy: []string{password.LegacyPBKDF2SHA1}})
	key, _ := hex.DecodeString("4b007901b765489abead49d926f721d065a429c1")
	got, err := h.Verify(t.Context(), "password", "pbkdf2_sha1$4096$salt$"+base64.StdEncoding.EncodeToString(key))
	if err != nil || !got.OK {
		t.Errorf("got %+v, %v, want a match and no error", got, err)
	}
}

func TestBrokenLegacyStringsNeverMatch(t *testing.T) {
	h := newHasher(t, password.HasherConfig{AllowLegacy: slices.Collect(maps.Keys(legacyStrings(t)))})
	md5, sha1 := md5Hex("hunter2"), sha1Hex("hunter2")
	for name, encoded := range map[string]string{
		"hexadecimal in capitals":           strings.ToUpper(md5),
		"one digit short":                   md5[1:],
		"one digit more":                    md5 + "0",
		"no hexadecimal":                    "g" + md5[1:],
		"SHA-1 without its name":            sha1,
		"MD5 under the name of SHA-1":       "sha1$$" + md5,
		"SHA-1 under the name of MD5":       "md5$$" + sha1,
		"no sum":                            "md5$salt$",
		"no sum and no salt":                "md5$$",
		"no second dollar":                  "md5$" + md5,
		"something after the sum":           "md5$$" + md5 + "$",
		"a salt with a dollar":              "md5$a$b$" + md5Hex("a$bhunter2"),
		"the name in capitals":              "MD5$$" + md5,
		"the name of the unsalted format":   "unsalted_md5$$" + md5,
		"crypt":                             "crypt$$12njPtNiV8Xyw",
		"a space before":                    " " + md5,
		"PBKDF2 with a key of another size": "pbkdf2_sha1$1$salt$beyo2eKbDpleeyy4Va3VYZNar654NNEm/uhzwXffsDc=",
		"PBKDF2 without a salt":             "pbkdf2_sha1$1$$+M4RhwmsRGQe3dEQnoRqg6jtEQQ=",
		"longer than any format": "md5$" + strings.Repeat("s", 512) + "$" +
			md5Hex(strings.Repeat("s", 512)+"hunter2"),
	} {
		if got, err := h.Verify(t.Context(), "hunter2", encoded); err != nil || got.OK {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestALegacyStringCostsWhatOneOfOurOwnDoes(t *testing.T) {
	h := newHasher(t, password.HasherConfig{AllowLegacy: []string{password.LegacyMD5}})
	for _, given := range []string{"hunter2", "wrong"} {
		var work []string
		password.CountWork(h, func(algorithm string) { work = append(work, algorithm) })
		if _, err := h.Verify(t.Context(), given, "md5$seasalt$"+md5Hex("seasalthunter2")); err != nil ||
			!slices.Equal(work, []string{"md5", "argon2id"}) {
			t.Errorf("%s: work done: %q, %v", given, work, err)
		}
	}
}

// With a decoy of what most users have, those who have a digest would stand out
// if they cost what one of our own does.
func TestALegacyStringCostsWhatAnUnknownUserDoes(t *testing.T) {
	const pbkdf2 = "pbkdf2_sha256$1000$seasalt$aZOLUDnbVq4qfmIhIFCkAqvDNHspRzj9l43SgVe7GOM="
	for name, row := range map[string]struct {
		decoy         string
		known, nobody []string
	}{
		"none":          {"", []string{"md5", "argon2id"}, []string{"argon2id"}},
		"Django's":      {pbkdf2, []string{"md5", "pbkdf2_sha256"}, []string{"pbkdf2_sha256"}},
		"a digest, too": {md5Hex("x"), []string{"md5", "argon2id"}, []string{"unsalted_md5", "argon2id"}},
	} {
		h := newHasher(t, password.HasherConfig{AllowLegacy: []string{password.LegacyMD5, password.LegacyUnsaltedMD5}})
		l := newLogin(t, func(c *password.Config) {
			c.Hasher, c.Decoy = h, row.decoy
			c.Account = func(_ context.Context, username string) (auth.User, string, error) {
				if username != "alice" {
					return nil, "", auth.ErrUserNotFound
				}
				return user("alice"), "md5$seasalt$" + md5Hex("seasalthunter2"), nil
			}
		})
		for username, want := range map[string][]string{"alice": row.known, "nobody": row.nobody} {
			var work []string
			password.CountWork(h, func(algorithm string) { work = append(work, algorithm) })
			if _, _, err := l.Authenticate(byBasic(username, "wrong")); !errors.Is(err, auth.ErrInvalid) ||
				!slices.Equal(work, want) {
				t.Errorf("decoy %s, %s: work done: %q, want %q, %v", name, username, work, want, err)
			}
		}
	}
}

func TestOnlyAllowedAndKnownFormatsAreConfigured(t *testing.T) {
	for _, name := range []string{"", "crypt", "MD5", "argon2", "pbkdf2_sha256"} {
		if _, err := password.NewHasher(
			password.HasherConfig{AllowLegacy: []string{password.LegacyMD5, name}}); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	decoy := "sha1$$" + sha1Hex("x")
	config := password.Config{Hasher: newHasher(t, password.HasherConfig{}), Account: find, Decoy: decoy}
	if _, err := password.New(config); err == nil {
		t.Error("a decoy that is not allowed: no error")
	}
	config.Hasher = newHasher(t, password.HasherConfig{AllowLegacy: []string{password.LegacyUnsaltedSHA1}})
	if _, err := password.New(config); err != nil {
		t.Error(err)
	}
}

func TestALegacyPasswordIsReplacedAtLogin(t *testing.T) {
	kept := md5Hex("hunter2")
	l := newLogin(t, func(c *password.Config) {
		c.Hasher = newHasher(t, password.HasherConfig{AllowLegacy: []string{password.LegacyUnsaltedMD5}})
		c.Account = func(context.Context, string) (auth.User, string, error) { return user("alice"), kept, nil }
		c.Upgrade = func(_ context.Context, _ auth.User, encoded string) error { kept = encoded; return nil }
	})
	if _, _, err := l.Authenticate(byBasic("alice", "hunter2")); err != nil || !strings.HasPrefix(kept, "$argon2id$") {
		t.Errorf("%v, now %q", err, kept)
	}
}
