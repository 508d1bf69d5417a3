package opaque_test

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/opaque"
)

func TestATokenIsPrefixShardRandomAndChecksum(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, length := range []int{opaque.MinLength, opaque.DefaultLength, opaque.MaxLength} {
		token := opaque.New("acme_", "alice", length)
		body, sum := token[:len(token)-6], uint32(0)
		for i := len(token) - 1; i >= len(body); i-- {
			sum = sum*62 + uint32(strings.IndexByte(alphabet, token[i]))
		}
		if len(token) != len("acme_")+length || !strings.HasPrefix(token, "acme_"+opaque.Shard("alice")) || sum != crc32.ChecksumIEEE([]byte(body)) {
			t.Errorf("%q", token)
		}
		if !opaque.Owns(token, "acme_") {
			t.Errorf("%q is not owned", token)
		}
	}
}

func TestTokensOfEveryLengthHaveTheirChecksum(t *testing.T) {
	for length := opaque.MinLength; length <= opaque.MaxLength; length++ {
		token := opaque.New("", "alice", length)
		if !opaque.Owns(token, "") || opaque.Owns("0"+token, "") {
			t.Errorf("%q", token)
		}
	}
}

func TestTheDigestIsTheShardAndTheHashOfAll(t *testing.T) {
	token := opaque.New("acme_", "alice", opaque.DefaultLength)
	sum := sha256.Sum256([]byte(token))
	if got, want := opaque.Digest(token, "acme_"), opaque.Shard("alice")+base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNoTokenComesTwiceAndEveryCharacterCounts(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		seen[opaque.New("", "alice", opaque.MinLength)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different of 1000", len(seen))
	}
	token := opaque.New("p_", "alice", opaque.DefaultLength)
	for i := range len(token) {
		changed := []byte(token)
		if changed[i]++; opaque.Owns(string(changed), "p_") {
			t.Errorf("character %d may be another", i)
		}
	}
}

func TestATokenWithAPrefixIsNoneWithout(t *testing.T) {
	if token := opaque.New("acme_", "alice", opaque.DefaultLength); opaque.Owns(token, "") || opaque.Owns(token, "acm") {
		t.Error("a shorter prefix owns it")
	}
}

func TestRandomCharactersAreAlikeLikely(t *testing.T) {
	counts := map[byte]int{}
	const tokens, random = 2000, 27
	for range tokens {
		token := opaque.New("", "alice", opaque.MinLength)
		for i := 3; i < 3+random; i++ {
			counts[token[i]]++
		}
	}
	// The mean is 871 with a deviation of 29: six of them are 177.
	for c, n := range counts {
		if mean := tokens * random / 62; n < mean-177 || n > mean+177 {
			t.Errorf("%c came %d times, the mean is %d", c, n, mean)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters of 62", len(counts))
	}
}

func FuzzOwns(f *testing.F) {
	f.Add(opaque.New("acme_", "alice", opaque.DefaultLength), "acme_")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, token, prefix string) {
		if opaque.Owns(token, prefix) && (len(token) < len(prefix)+opaque.MinLength || !strings.HasPrefix(token, prefix) || opaque.Digest(token, prefix) == "") {
			t.Errorf("%q owned with %q", token, prefix)
		}
	})
}
