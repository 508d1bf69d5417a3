package jwt_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// revokedID revokes what one user or machine has.
type revokedID string

func (id revokedID) Revoked(_ context.Context, claimed jwt.Claimed, _ time.Time) (bool, error) {
	return claimed.UserID == string(id), nil
}

func TestUnitAMachineIsRevokedByItsOwnIdentifier(t *testing.T) {
	key := signing(t, jwt.ES256)
	for _, row := range []struct {
		sentence, revoked string
		profile           jwt.Profile
		claims            map[string]any
		want              error
	}{
		{"the machine itself", "client:m/alice", jwt.Profile{}, map[string]any{"client_id": "alice"}, auth.ErrInvalid},
		{"a user with the same name", "alice", jwt.Profile{}, map[string]any{"client_id": "alice"}, nil},
		{"a machine that is not its subject", "client:m/c9", jwt.Auth0(),
			map[string]any{"azp": "c9", "gty": "client-credentials"}, auth.ErrInvalid},
		{"a user with the subject of a machine", "alice", jwt.Auth0(),
			map[string]any{"azp": "c9", "gty": "client-credentials"}, nil},
		{"a user", "alice", jwt.Profile{}, map[string]any{"client_id": "c9"}, auth.ErrInvalid},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) {
				i.Profile, i.MachinePrefix, i.Revocations = row.profile, "m/", revokedID(row.revoked)
			})
			_, _, err := v.VerifyToken(t.Context(), foreignToken(t, key, row.claims))
			if auth.KindOf(err) != row.want {
				t.Errorf("want %v, got %v", row.want, err)
			}
		})
	}
}
