package digest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/digest"
)

// of returns the digest of a token with this shard, and the hash in it.
func of(shard, token string) (string, [sha256.Size]byte) {
	hash := sha256.Sum256([]byte(token))
	return shard + base64.RawURLEncoding.EncodeToString(hash[:]), hash
}

func TestUnitHash(t *testing.T) {
	good, want := of("aZ9", "token")
	t.Run("the hash of a digest is the SHA-256 of its token", func(t *testing.T) {
		if got, ok := digest.Hash(good); !ok || got != want {
			t.Errorf("got %x, %v, want %x", got, ok, want)
		}
	})
	// The last of 43 characters has 4 bits of the hash and 2 that are zero.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := alphabet[strings.IndexByte(alphabet, good[45])+1]
	for sentence, text := range map[string]string{
		"an empty text":                       "",
		"a digest without a shard":            good[3:],
		"a shard with a sign":                 "a-9" + good[3:],
		"a digest that is too short":          good[:45],
		"a digest that is too long":           good + "A",
		"a line break in place of a letter":   good[:20] + "\n" + good[21:],
		"a letter of standard base64":         good[:20] + "+" + good[21:],
		"another spelling of the same hash":   good[:45] + string(last),
		"padding in place of the last letter": good[:45] + "=",
	} {
		t.Run(sentence+" has no hash", func(t *testing.T) {
			if got, ok := digest.Hash(text); ok || got != [sha256.Size]byte{} {
				t.Errorf("got %x, %v, want no hash", got, ok)
			}
		})
	}
	t.Run("it does not allocate", func(t *testing.T) {
		if n := testing.AllocsPerRun(100, func() { digest.Hash(good) }); n != 0 {
			t.Errorf("got %v allocations, want 0", n)
		}
	})
}

func TestUnitTable(t *testing.T) {
	one, hash := of("abc", "token")
	other, _ := of("xyz", "token") // the same hash
	const foreign = "of another form"
	table := digest.NewTable(func(digest *string) string { return *digest })
	has := func(t *testing.T, digests ...string) {
		t.Helper()
		if table.Len() != len(digests) {
			t.Errorf("got %d records, want %d", table.Len(), len(digests))
		}
		for _, text := range digests {
			if got := table.Get(text); got == nil || *got != text {
				t.Errorf("got %v for %q, want its record", got, text)
			}
		}
	}
	t.Run("records are found by digest, also of another form and with the same hash", func(t *testing.T) {
		for _, text := range []string{one, other, foreign} {
			table.Put(&text)
		}
		has(t, one, other, foreign)
	})
	t.Run("a record replaces one with the same digest", func(t *testing.T) {
		again := strings.Clone(one)
		if table.Put(&again); table.Get(one) != &again {
			t.Error("got the old record, want the new one")
		}
		has(t, one, other, foreign)
	})
	t.Run("if one of two records with a hash is removed, the hash finds the other one", func(t *testing.T) {
		table.Remove(one)
		has(t, other, foreign)
		if got := table.GetHash(hash); got == nil || *got != other {
			t.Errorf("got %v, want the record %q", got, other)
		}
	})
	t.Run("a record that is not there can be removed", func(t *testing.T) {
		table.Remove(one)
		table.Remove("not there")
		has(t, other, foreign)
	})
	t.Run("a hash without records finds nothing", func(t *testing.T) {
		table.Remove(other)
		has(t, foreign)
		if got := table.GetHash(hash); got != nil {
			t.Errorf("got %v, want no record", *got)
		}
	})
}
