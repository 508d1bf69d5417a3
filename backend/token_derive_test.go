package backend_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/backend"
)

func TestUnitDeriveToken(t *testing.T) {
	key := strings.Repeat("k", 32)
	made := func(owner, key, label string, length int) string {
		return backend.DeriveToken("ac_", owner, length, key, label)
	}
	one := made("alice", key, "one", backend.DefaultTokenLength)
	t.Run("the same arguments make the same token, which is one of ours", func(t *testing.T) {
		if again := made("alice", key, "one", backend.DefaultTokenLength); again != one ||
			!backend.OwnsToken(one, "ac_") ||
			len(one) != len("ac_")+backend.DefaultTokenLength || !strings.HasPrefix(one, "ac_"+backend.Shard("alice")) {
			t.Errorf("got %q and %q", one, again)
		}
	})
	t.Run("another owner, key or label makes another one", func(t *testing.T) {
		for _, other := range []string{made("bob", key, "one", 40), made("alice", "x"+key, "one", 40),
			made("alice", key, "two", 40)} {
			if other[6:30] == one[6:30] {
				t.Errorf("got %q beside %q", other, one)
			}
		}
	})
	t.Run("a long one repeats nothing", func(t *testing.T) {
		long := made("alice", key, "one", backend.MaxTokenLength)
		if strings.Contains(long[20:], long[8:16]) || !backend.OwnsToken(long, "ac_") {
			t.Errorf("got %q", long)
		}
	})
}
