package jwt_test

import (
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// A changed field of the profile must not take away what limits our own tokens (RFC 9068 §2.2.3, §5).
func TestUnitAChangedOwnProfileStillLimits(t *testing.T) {
	permissions, azp := jwt.Gatewarden(), jwt.Gatewarden()
	permissions.ScopeClaims, azp.ClientClaims = []string{"permissions"}, []string{"azp"}
	checkRights(t, []readRights{
		{"scope limits beside other ScopeClaims", permissions, `{"sub":"a","scope":"read"}`,
			jwt.Rights{Limited: true}, ""},
		{"client_id limits beside other ClientClaims", azp, `{"sub":"a","client_id":"app"}`,
			jwt.Rights{Limited: true}, ""},
		{"a subject that is client_id is a machine beside other ClientClaims", azp, `{"sub":"svc","client_id":"svc"}`,
			jwt.Rights{Limited: true, Machine: "svc"}, ""},
		{"so is one that is the named claim", azp, `{"sub":"svc","azp":"svc"}`,
			jwt.Rights{Limited: true, ClientID: "svc", Machine: "svc"}, ""},
		{"a profile of others knows all names of clients as well", jwt.Profile{ClientClaims: []string{"azp"}},
			`{"sub":"svc","client_id":"svc"}`, jwt.Rights{Limited: true, Machine: "svc"}, ""},
		{"without either there is full access", permissions, `{"sub":"a"}`, jwt.Rights{}, ""},
	})
	t.Run("and a route asks for more", func(t *testing.T) {
		key := signing(t, jwt.ES256)
		v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Profile = permissions })
		token := foreignToken(t, key, map[string]any{"scope": "read"})
		if code, log := ask(t, v, token, auth.FullAccessOr("reports:write")); code != 403 {
			t.Errorf("want 403, got %d: %s", code, log)
		}
	})
}
