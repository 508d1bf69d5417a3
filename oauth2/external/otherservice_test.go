package external_test

import (
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitPendingOfAnotherService(t *testing.T) {
	t.Run("a pending link of another service with the same keys is refused", func(t *testing.T) {
		f, other := newFactors(t, nil, nil), newFactors(t, nil, nil)
		now := time.Now()
		profile := &external.Profile{Provider: "acme", Issuer: other.idp.URL(), Subject: "1"}
		pending := other.logins.PendingAt(profile.Identity("alice", now), backend.Stamp("login", f.users["alice"]), now)
		if err := f.logins.CompleteLink(t.Context(), f.users["alice"], pending); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("got %v, linked %q", err, f.identities("alice"))
		}
	})
}
