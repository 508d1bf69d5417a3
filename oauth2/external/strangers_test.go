package external_test

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

func TestUnitWhatStrangersLeaveInTheStore(t *testing.T) {
	t.Run("a person that NewUser refuses leaves no reservation for more than a day", func(t *testing.T) {
		s := newSignups(t)
		s.after = func(string) error { return external.ErrNotAllowed }
		s.browser().visit("/login/acme/")
		tomorrow := time.Now().Add(24 * time.Hour)
		id, _, err := s.store.Reserve(t.Context(), &external.Reservation{ID: "probe", Issuer: s.idp.URL(), Subject: "1",
			ExpiresAt: tomorrow.Add(time.Hour)}, tomorrow)
		if err != nil || id != "probe" {
			t.Errorf("got %q, %v: the row of a person who was refused is still there", id, err)
		}
	})
}
