package external_test

import (
	"slices"
	"testing"

	"github.com/gatewarden/auth/authtest"
)

func TestUnitAnAddressThatIsGivenToAnotherPerson(t *testing.T) {
	t.Run("another subject of the same issuer is another person, whatever the address", func(t *testing.T) {
		f := newFactors(t, nil, nil)
		f.browser().visit("/login/acme/") // Alice, before she leaves the enterprise
		f.idp.SignIn(authtest.Person{Subject: "2", Email: "alice@example.com", EmailVerified: true})
		b := f.browser()
		b.visit("/login/acme/") // another Alice, who is given the address
		if got := f.identities("alice"); b.who() == "alice" || !slices.Equal(got, []string{"1"}) {
			t.Errorf("signed in as %q, whose identities are %q", b.who(), got)
		}
	})
}
