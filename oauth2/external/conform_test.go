package external_test

import (
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// adas are the profiles of Ada Lovelace, by the names of the presets. Issuers are without
// the URL of the double.
func adas() map[string]external.Profile {
	verified := external.Email{Address: "ada@example.com", Verified: true}
	return map[string]external.Profile{
		"acme":   {Name: "Ada Lovelace", Username: "ada", Email: verified},
		"google": {Name: "Ada Lovelace", Username: "ada", Tenant: tenant, Email: verified},
		"github": {Name: "Ada Lovelace", Username: "ada", Picture: "https://avatars.example/1", Email: verified},
		"microsoft": {Issuer: "/" + tenant + "/v2.0", Name: "Ada Lovelace", Username: "ada", Tenant: tenant,
			Email: external.Email{Address: "ada@example.com"}},
		"facebook": {Name: "Ada Lovelace", Email: external.Email{Address: "ada@example.com"}},
		"gitlab":   {Name: "Ada Lovelace", Username: "ada", Email: verified},
		"apple":    {Name: "Ada Lovelace", Email: verified},
	}
}

func TestUnitPresetsConform(t *testing.T) {
	for name, want := range adas() {
		t.Run(name, func(t *testing.T) {
			idp := authtest.NewProvider(t)
			want.Subject, want.Issuer = "42", idp.URL()+want.Issuer
			authtest.External(t, authtest.ExternalCases{Provider: presets(t, idp)[name], At: idp,
				NumericSubjects: name == "github",
				Person:          authtest.Person{Tenant: tenant}, Want: want})
		})
	}
}
