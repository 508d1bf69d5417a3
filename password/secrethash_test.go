package password_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/password"
)

func TestUnitHashesOfClientSecrets(t *testing.T) {
	h, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	// A string that Django 5.2 made.
	const secret = "demo-web-secret"
	const encoded = "pbkdf2_sha256$1000$FQi5vhWeGkP3FA3yyfWfLu$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0="
	t.Run("a hash of Django is read, and the right secret verified", func(t *testing.T) {
		if err := h.CheckHash(encoded); err != nil {
			t.Error(err)
		}
		for text, want := range map[string]bool{secret: true, "demo-web-secre": false, "": false} {
			if ok, err := h.VerifySecret(t.Context(), text, encoded); ok != want || err != nil {
				t.Errorf("%q: %v %v", text, ok, err)
			}
		}
	})
	for encoded, says := range map[string]string{
		"demo-web-secret": "no format", "": "no format", "!unusable": "no format",
		"pbkdf2_sha1$1000$a$YQ==":                            "no format",
		strings.Replace(encoded, "$1000$", "$900000000$", 1): "HasherConfig.Limits.MaxTime",
	} {
		t.Run("a string that is not read is told why, and is not shown: "+encoded, func(t *testing.T) {
			err := h.CheckHash(encoded)
			if err == nil || !strings.Contains(err.Error(), says) || encoded != "" &&
				strings.Contains(err.Error(), encoded) {
				t.Errorf("want %q, got %v", says, err)
			}
			if ok, err := h.VerifySecret(t.Context(), secret, encoded); ok || err != nil {
				t.Errorf("got %v %v, want no match and no error", ok, err)
			}
		})
	}
}
