package knox_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

func TestUnitPurge(t *testing.T) {
	t.Run("a batch has at most limit records, first expired tokens and then those kept as ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, keep)
			for range 5 {
				issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{TTL: 48 * time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := s.tokens.Revoke(t.Context(), "alice", issued.ID()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(23 * time.Hour)
			for range 3 {
				if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{TTL: time.Hour}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Hour)
			for i, want := range []int{2, 2, 2, 2, 0} {
				if n, err := s.tokens.Purge(t.Context(), 2); n != want || err != nil {
					t.Errorf("batch %d: got %d, %v, want %d", i, n, err, want)
				}
			}
			if got := s.events.count(auth.EventExpired); got != 3 {
				t.Errorf("got %d events, want one for each expired token", got)
			}
			if ended, err := s.tokens.Ended(t.Context(), "alice"); err != nil || len(ended) != 3 {
				t.Errorf("got %d tokens kept as ended, %v, want the 3 that expired just now", len(ended), err)
			}
		})
	})
}
