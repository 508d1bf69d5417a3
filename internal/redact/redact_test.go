package redact_test

import (
	"fmt"
	"testing"

	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/internal/redact"
)

// credential is a struct as the packages of this module have them.
type credential struct{ password redact.Secret }

func (credential) Format(f fmt.State, _ rune) { redact.WriteType(f, "redact_test.credential") }

func TestUnitSecret(t *testing.T) {
	const secret = "recognizable-secret"
	c := credential{redact.New(secret)}
	t.Run("Reveal returns the text", func(t *testing.T) {
		if got := c.password.Reveal(); got != secret {
			t.Errorf("got %q, want %q", got, secret)
		}
	})
	t.Run("a nil Secret is empty", func(t *testing.T) {
		if got := redact.Secret(nil).Reveal(); got != "" {
			t.Errorf("got %q, want an empty text", got)
		}
	})
	t.Run("no verb prints the text, in exported and unexported fields", func(t *testing.T) {
		leaktest.CheckAllFields(t, []string{secret}, c)
		leaktest.CheckAllFields(t, []string{secret}, c.password)
	})
	t.Run("WriteType prints the name of the type", func(t *testing.T) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
			if got, want := fmt.Sprintf(verb, c), "redact_test.credential[redacted]"; got != want {
				t.Errorf("%s: got %q, want %q", verb, got, want)
			}
		}
	})
}
