package knox_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/gatewarden/auth/knox"
)

func TestUnitIdentifiers(t *testing.T) {
	s := start(t, nil)
	last := ""
	for range 20 {
		issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		id, err := uuid.Parse(issued.ID())
		if err != nil || id.Version() != 7 || issued.ID() <= last {
			t.Errorf("got the identifier %q after %q, want a larger UUID of version 7", issued.ID(), last)
		}
		if _, err := uuid.Parse(issued.Secret.Reveal()); err == nil || len(issued.Secret.Reveal()) != 40 {
			t.Errorf("got the secret %q, want a random one of 40 characters", issued.Secret.Reveal())
		}
		last = issued.ID()
	}
}
