package external_test

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitTokensOfAppsBeforeTheSecondFactor(t *testing.T) {
	t.Run("KeepTokens is not called for an account that existed before an app has passed the second factor",
		func(t *testing.T) {
			f := newFactors(t, nil, func(a *app, c *external.Config) { withApp(a, c); c.Apps.SecondFactor = true })
			if _, _, err := f.redeem(f.browser().code(appStart), verifier); err != nil {
				t.Fatal(err)
			}
			if f.tokens != 0 {
				t.Errorf("it was called %d times, and nothing is linked", f.tokens)
			}
		})
	t.Run("nor where the code is never exchanged", func(t *testing.T) {
		f := newFactors(t, nil, withApp)
		f.browser().code(appStart)
		if f.tokens != 0 {
			t.Errorf("it was called %d times", f.tokens)
		}
	})
}
