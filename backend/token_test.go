package backend_test

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/gatewarden/auth/backend"
)

func TestATokenIsPrefixShardRandomAndChecksum(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for _, length := range []int{backend.MinTokenLength, backend.DefaultTokenLength, backend.MaxTokenLength} {
		token := backend.NewToken("acme_", "alice", length)
		body, sum := token[:len(token)-6], uint32(0)
		for i := len(token) - 1; i >= len(body); i-- {
			sum = sum*62 + uint32(strings.IndexByte(alphabet, token[i]))
		}
		if len(token) != len("acme_")+length || !strings.HasPrefix(token, "acme_"+backend.Shard("alice")) ||
			sum != crc32.ChecksumIEEE([]byte(body)) {
			t.Errorf("%q", token)
		}
		if !backend.OwnsToken(token, "acme_") {
			t.Errorf("%q is not owned", token)
		}
	}
}

func TestTokensOfEveryLengthHaveTheirChecksum(t *testing.T) {
	for length := backend.MinTokenLength; length <= backend.MaxTokenLength; length++ {
		token := backend.NewToken("", "alice", length)
		if !backend.OwnsToken(token, "") || backend.OwnsToken("0"+token, "") {
			t.Errorf("%q", token)
		}
	}
}

func TestTheDigestIsTheShardAndTheHashOfAll(t *testing.T) {
	token := backend.NewToken("acme_", "alice", backend.DefaultTokenLength)
	sum := sha256.Sum256([]byte(token))
	if got, want := backend.TokenDigest(token, "acme_"), backend.Shard("alice")+base64.RawURLEncoding.EncodeToString(
		sum[:]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNoTokenComesTwiceAndEveryCharacterCounts(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		seen[backend.NewToken("", "alice", backend.MinTokenLength)] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different of 1000", len(seen))
	}
	token := backend.NewToken("p_", "alice", backend.DefaultTokenLength)
	for i := range len(token) {
		changed := []byte(token)
		if changed[i]++; backend.OwnsToken(string(changed), "p_") {
			t.Errorf("character %d may be another", i)
		}
	}
}

func TestATokenWithAPrefixIsNoneWithout(t *testing.T) {
	if token := backend.NewToken("acme_", "alice", backend.DefaultTokenLength); backend.OwnsToken(token, "") ||
		backend.OwnsToken(token, "acm") {
		t.Error("a shorter prefix owns it")
	}
}

func TestRandomCharactersAreAlikeLikely(t *testing.T) {
	counts := map[byte]int{}
	const tokens, random = 2000, 27
	for range tokens {
		token := backend.NewToken("", "alice", backend.MinTokenLength)
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
	f.Add(backend.NewToken("acme_", "alice", backend.DefaultTokenLength), "acme_")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, token, prefix string) {
		if backend.OwnsToken(token, prefix) && (len(token) < len(prefix)+backend.MinTokenLength ||
			!strings.HasPrefix(token, prefix) || backend.TokenDigest(token, prefix) == "") {
			t.Errorf("%q owned with %q", token, prefix)
		}
	})
}
