package remember_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/remember"
)

func TestUnitKey(t *testing.T) {
	tokens, others := remember.New[int](10), remember.New[int](10)
	t.Run("tokens of any length have keys of their own", func(t *testing.T) {
		seen := make(map[remember.Key]int)
		for _, length := range []int{0, 1, 40, 495, 496, 497, 511, 512, 513, 1007, 1008, 1009, 2032, 8192} {
			for _, token := range []string{strings.Repeat("a", length), strings.Repeat("a", length) + "b"} {
				key := tokens.Key(token)
				if other, ok := seen[key]; ok {
					t.Errorf("tokens of %d and %d bytes have one key", other, len(token))
				}
				if key != tokens.Key(strings.Clone(token)) || key == (remember.Key{}) {
					t.Errorf("a token of %d bytes has another key the second time, or none", len(token))
				}
				if key == others.Key(token) {
					t.Errorf("a token of %d bytes has the same key elsewhere", len(token))
				}
				seen[key] = len(token)
			}
		}
	})
	t.Run("no length allocates", func(t *testing.T) {
		for _, length := range []int{40, 300, 496, 8192} {
			token := strings.Repeat("a", length)
			if n := testing.AllocsPerRun(100, func() { tokens.Key(token) }); n != 0 {
				t.Errorf("%d bytes: want no allocation, got %v", length, n)
			}
		}
	})
}
