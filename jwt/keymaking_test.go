package jwt_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

func TestUnitMakingAKeyHoldsNoRequestUp(t *testing.T) {
	for sentence, act := range map[string]func(ctx context.Context, ring *jwt.Keyring, id string, now time.Time) error{
		"on schedule": func(ctx context.Context, ring *jwt.Keyring, _ string, now time.Time) error {
			return ring.Maintain(ctx, now)
		},
		"after a theft": func(ctx context.Context, ring *jwt.Keyring, id string, now time.Time) error {
			return ring.Retire(ctx, id, now)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			ring := newRing(t, jwt.NewMemoryKeyStore(), nil)
			first, _ := at(t, ring, time.Now())
			due := time.Now().Add(89*day + time.Minute)
			made := 0
			jwt.BeforeKeyIsMade(ring, func() { // as long as it takes to make one of RSA
				made++
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if _, err := ring.Renew(ctx, "unknown", due); err != nil {
					t.Error("a request waits:", err)
				}
			})
			if err := act(t.Context(), ring, first, due); err != nil || made != 1 {
				t.Errorf("%d keys were made, want 1, %v", made, err)
			}
			if infos, err := ring.List(t.Context(), due); err != nil || len(infos) != 2 {
				t.Errorf("%+v, %v", infos, err)
			}
		})
	}
}
