package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// Throttle checks a [password.ThrottleStore].
func Throttle(t *testing.T, open func(t *testing.T) password.ThrottleStore) {
	checkAspects(t, func(t *testing.T) throttleStore { return throttleStore{t, open(t)} }, []aspect[throttleStore]{
		{"counters", throttleCounters},
		{"many at once", throttleRaces},
		{"purging", throttlePurging},
		{"texts", throttleTexts},
	})
}

// throttleStore is a store with the test that uses it.
type throttleStore struct {
	t *testing.T
	password.ThrottleStore
}

func (s throttleStore) update(now time.Time, change func([]password.Counter), keys ...string) {
	s.t.Helper()
	if err := s.Update(s.t.Context(), keys, now, change); err != nil {
		s.t.Fatalf("Update: %v", err)
	}
}

func (s throttleStore) write(now time.Time, counters []password.Counter, keys ...string) {
	s.t.Helper()
	s.update(now, func(to []password.Counter) { copy(to, counters) }, keys...)
}

func (s throttleStore) expect(now time.Time, key string, want password.Counter) {
	s.t.Helper()
	s.update(now, func(counters []password.Counter) {
		if got := counters[0]; !same(got, want) {
			s.t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}, key)
}

func (s throttleStore) purge(now time.Time, limit int) int {
	s.t.Helper()
	n, err := s.Purge(s.t.Context(), now, limit)
	if err != nil {
		s.t.Fatalf("Purge: %v", err)
	}
	return n
}

func same(a, b password.Counter) bool {
	return a.Failures == b.Failures && a.Until.Equal(b.Until) && a.ExpiresAt.Equal(b.ExpiresAt)
}
