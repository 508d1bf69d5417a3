package external_test

import (
	"net/url"
	"testing"

	"github.com/google/uuid"
)

func TestUnitIdentifiers(t *testing.T) {
	a := newApp(t, nil)
	b := a.browser()
	b.visit("/login/acme/")
	identities, err := a.logins.Identities(t.Context(), "acme-1")
	if err != nil || len(identities) != 1 {
		t.Fatalf("got %d identities, %v, want 1", len(identities), err)
	}
	if id, err := uuid.Parse(identities[0].ID); err != nil || id.Version() != 7 {
		t.Errorf("got the identifier %q, want a UUID of version 7", identities[0].ID)
	}
	start, err := url.Parse(b.do("GET", "/login/acme/", nil).location)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "nonce"} {
		// 26 characters of base32 have 130 bits.
		secret := start.Query().Get(name)
		if _, err := uuid.Parse(secret); err == nil || len(secret) != 26 {
			t.Errorf("%s: got %q, want 26 random characters", name, secret)
		}
	}
}
