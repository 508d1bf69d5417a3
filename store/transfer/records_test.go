package transfer_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/transfer"
)

func TestUnitKeys(t *testing.T) {
	t.Run("a space in an identifier makes no two records one", func(t *testing.T) {
		seen := map[string][2]string{}
		for _, of := range [][2]string{{"a", "b c"}, {"a b", "c"}, {`"a b"`, "c"}, {`"a`, `b" c`}, {"", "a b c"}} {
			key := transfer.OAuthConsent{Consent: &server.Consent{UserID: of[0], ClientID: of[1]}}.Key()
			if other, found := seen[key]; found {
				t.Errorf("%q and %q have the key %s, want two", of, other, key)
			}
			seen[key] = of
		}
	})
}
