package jwt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitDeriveKeys(t *testing.T) {
	old, fresh := auth.Secret(strings.Repeat("o", 32)), auth.Secret(strings.Repeat("f", 32))
	derived := func(purpose string, keys ...auth.Secret) []auth.Secret {
		t.Helper()
		ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(), Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		all, err := ring.DeriveKeys(purpose)
		if err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprintf("%v %+v %#v", ring, ring, ring); strings.Contains(text, "ooo") ||
			strings.Contains(text, "fff") {
			t.Errorf("got an application key printed: %s", text)
		}
		return all
	}
	one := derived("one", old)
	t.Run("instances with the same application keys get the same keys", func(t *testing.T) {
		if again := derived("one", old); !slices.Equal(one, again) || len(one) != 1 || len(one[0].Reveal()) != 32 {
			t.Error("got other keys, or not one of 32 bytes")
		}
	})
	t.Run("another purpose has another key", func(t *testing.T) {
		if other := derived("two", old); other[0] == one[0] || one[0] == old {
			t.Error("got the same key")
		}
	})
	t.Run("a new application key comes first, and the old one stays", func(t *testing.T) {
		if both := derived("one", fresh, old); len(both) != 2 || both[1] != one[0] || both[0] == one[0] {
			t.Error("got keys in another order")
		}
	})
}
