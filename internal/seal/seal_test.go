package seal_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/seal"
)

func TestAKeyIsGoodForItsPurposeAlone(t *testing.T) {
	keys := []auth.Secret{auth.Secret(strings.Repeat("a", 32)), auth.Secret(strings.Repeat("b", 40))}
	one, err := seal.NewKeys(keys, "one")
	if err != nil || len(one) != 2 {
		t.Fatal(one, err)
	}
	two, err := seal.NewKeys(keys, "two")
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, one[0].NonceSize())
	sealed := one[0].Seal(nil, nonce, []byte("text"), []byte("bound"))
	if text, err := one[0].Open(nil, nonce, sealed, []byte("bound")); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
	if _, err := one[0].Open(nil, nonce, sealed, nil); err == nil {
		t.Error("opened without what is bound to it")
	}
	if _, err := one[1].Open(nil, nonce, sealed, []byte("bound")); err == nil {
		t.Error("opened by another key")
	}
	if _, err := two[0].Open(nil, nonce, sealed, []byte("bound")); err == nil {
		t.Error("opened for another purpose")
	}
}

// What was sealed before must open after a new version. The text was made by
// Python's cryptography: HKDF(SHA256, 32, None, b"purpose") of 32 times "a",
// AESGCM with a nonce of zeros.
func TestTheKeyIsThatOfRFC5869(t *testing.T) {
	all, err := seal.NewKeys([]auth.Secret{auth.Secret(strings.Repeat("a", 32))}, "purpose")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("42cfd7f5e748c22fdceb2371be958d55877fce48")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := all[0].Open(nil, make([]byte, 12), sealed, nil); err != nil || string(text) != "text" {
		t.Errorf("%q %v", text, err)
	}
}

func TestNoKeyAndAShortOneAreErrors(t *testing.T) {
	for _, keys := range [][]auth.Secret{nil, {auth.Secret(strings.Repeat("a", 31))},
		{auth.Secret(strings.Repeat("a", 32)), ""}} {
		if _, err := seal.NewKeys(keys, "x"); err == nil || strings.Contains(err.Error(), "aaa") {
			t.Errorf("%d keys: %v", len(keys), err)
		}
	}
}

func TestWhatIsSealedIsOpenedByItsKeysUnderItsNameAlone(t *testing.T) {
	old, fresh := auth.Secret(strings.Repeat("a", 32)), auth.Secret(strings.Repeat("b", 32))
	all := func(keys ...auth.Secret) []seal.Key {
		t.Helper()
		seals, err := seal.NewKeys(keys, "test")
		if err != nil {
			t.Fatal(err)
		}
		return seals
	}
	sealed := seal.Seal(all(old), []byte("text"), "name")
	if text, err := seal.Open(all(fresh, old), sealed, "name"); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	for sentence, err := range map[string]error{
		"another name": second(seal.Open(all(old), sealed, "other")),
		"another key":  second(seal.Open(all(fresh), sealed, "name")),
		"changed":      second(seal.Open(all(old), "A"+sealed[1:]+"A", "name")),
		"cut":          second(seal.Open(all(old), sealed[:10], "name")),
		"no base64url": second(seal.Open(all(old), "/+", "name")),
		"empty":        second(seal.Open(all(old), "", "name")),
		"too long":     second(seal.Open(all(old), strings.Repeat("A", 4097), "name")),
	} {
		if err != seal.ErrNotOurs {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func second(_ []byte, err error) error { return err }

func TestUnitAKeyIsNotPrinted(t *testing.T) {
	secret := strings.Repeat("a", 32)
	keys, err := seal.NewKeys([]auth.Secret{auth.Secret(secret)}, "purpose")
	if err != nil {
		t.Fatal(err)
	}
	const derived = "70e29cb4dd9babba" // the first bytes of HKDF of the secret, as in the test above
	for _, value := range []any{keys, keys[0], &keys[0], struct{ x any }{keys}, struct{ x []seal.Key }{keys}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := strings.ToLower(fmt.Sprintf(verb, value))
			for _, hidden := range []string{secret, hex.EncodeToString([]byte(secret)), "97 97 97 97", derived,
				"112 226 156 180"} {
				if strings.Contains(text, hidden) {
					t.Errorf("%s of %T: got %s, want no part of the key", verb, value, text)
				}
			}
		}
	}
}
