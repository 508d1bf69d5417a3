package backend_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatewarden/auth/backend"
)

func TestUnitTokenHash(t *testing.T) {
	token := backend.NewToken("acme_", "alice", backend.DefaultTokenLength)
	want := sha256.Sum256([]byte(token))
	t.Run("it is the SHA-256 of the token, and the hash inside its digest", func(t *testing.T) {
		if hash, ok := backend.TokenHash(token); !ok || hash != want {
			t.Errorf("got %x, %v, want %x", hash, ok, want)
		}
		if hash, ok := backend.DigestHash(backend.TokenDigest(token, "acme_")); !ok || hash != want {
			t.Errorf("of the digest: got %x, %v, want %x", hash, ok, want)
		}
	})
	t.Run("a text longer than any token has no hash", func(t *testing.T) {
		longest := strings.Repeat("x", backend.MaxTokenPrefix+backend.MaxTokenLength)
		if hash, ok := backend.TokenHash(longest); !ok || hash != sha256.Sum256([]byte(longest)) {
			t.Errorf("of %d bytes: got %x, %v", len(longest), hash, ok)
		}
		if _, ok := backend.TokenHash(longest + "x"); ok {
			t.Error("of one byte more: got a hash")
		}
	})
	t.Run("digests of another form have no hash", func(t *testing.T) {
		digest := backend.TokenDigest(token, "acme_")
		for sentence, other := range map[string]string{
			"empty": "", "cut": digest[:45], "longer": digest + "A", "hexadecimal": strings.Repeat("0a", 32),
			"a shard of other characters": "a_b" + digest[3:], "standard base64": digest[:3] + "+" + digest[4:],
			"line ends": digest[:44] + "\r\n", "bits after the hash": digest[:3] + strings.Repeat("A", 42) + "B",
		} {
			if hash, ok := backend.DigestHash(other); ok || hash != [32]byte{} {
				t.Errorf("%s: got %x, %v of %q", sentence, hash, ok, other)
			}
		}
	})
	t.Run("nothing allocates", func(t *testing.T) {
		digest := backend.TokenDigest(token, "acme_")
		if n := testing.AllocsPerRun(100, func() {
			backend.TokenHash(token)
			backend.DigestHash(digest)
		}); n != 0 {
			t.Errorf("got %v allocations", n)
		}
	})
}

func FuzzUnitDigestHash(f *testing.F) {
	f.Add("abc" + base64.RawURLEncoding.EncodeToString(make([]byte, 32)))
	f.Add("")
	f.Fuzz(func(t *testing.T, digest string) {
		hash, ok := backend.DigestHash(digest)
		if ok && digest[:3]+base64.RawURLEncoding.EncodeToString(hash[:]) != digest {
			t.Errorf("%q has the hash %x, which is written in another way", digest, hash)
		}
	})
}

// checkFormat has prefixes of each kind: none, one that a "_" ends, and one of letters.
func checkFormat(t testing.TB) *backend.TokenFormat {
	t.Helper()
	format, err := backend.NewTokenFormat("acme_", 0, "", "old.")
	if err != nil {
		t.Fatal(err)
	}
	return format
}

func TestUnitCheck(t *testing.T) {
	format := checkFormat(t)
	token, _ := format.New("alice")
	for _, presented := range []string{token, "acme_x", "old.", "", "?", strings.Repeat("x", 1000)} {
		t.Run("it says what Read says of "+presented[:min(len(presented), 10)], func(t *testing.T) {
			_, want := format.Read(presented)
			if got := format.Check(presented); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if n := testing.AllocsPerRun(100, func() { _ = format.Check(presented) }); n != 0 {
				t.Errorf("got %v allocations", n)
			}
		})
	}
}

func TestUnitFits(t *testing.T) {
	format := checkFormat(t)
	for token, want := range map[string]bool{
		"": false, "acme_": false, strings.Repeat("x", 35): false, strings.Repeat("?", 36): true,
		strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "acme_" + strings.Repeat("x", 128): true, "acme_" + strings.Repeat(
			"x", 129): false,
		"acme-" + strings.Repeat("x", 128): false,
	} {
		t.Run(token, func(t *testing.T) {
			if got := format.Fits(token); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func FuzzUnitCheck(f *testing.F) {
	format := checkFormat(f)
	token, _ := format.New("alice")
	for _, seed := range []string{token, "acme_" + token[:10], "old.", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, want := format.Read(token)
		if format.Check(token) != want {
			t.Errorf("%q: got %v, want %v", token, format.Check(token), want)
		}
		if _, ok := backend.TokenHash(token); want == nil && (!ok || !format.Fits(token)) {
			t.Errorf("%q is of the format, has a hash %v, and fits %v", token, ok, format.Fits(token))
		}
	})
}
