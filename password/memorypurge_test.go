package password_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

func TestUnitMemoryThrottlePurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	count := func(t *testing.T, m *password.MemoryThrottle, key string, now, expires time.Time) {
		t.Helper()
		err := m.Update(t.Context(), []string{key}, now, func(c []password.Counter) {
			if c[0] = (password.Counter{}); !expires.IsZero() {
				c[0] = password.Counter{Failures: 1, ExpiresAt: expires}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Run("of many live counters a purge looks at none, and at each expired one once", func(t *testing.T) {
		const counters = 20_000
		m := password.NewMemoryThrottle()
		for i := range counters {
			count(t, m, fmt.Sprint(i), noon, noon.Add(time.Hour))
		}
		for batch, now := 0, noon; batch <= counters/100+1; batch, now = batch+1, noon.Add(time.Hour) {
			want := 100
			if batch == 0 || batch == counters/100+1 {
				want = 0
			}
			if n, err := m.Purge(t.Context(), now, 100); n != want || err != nil {
				t.Errorf("batch %d: got %d, %v, want %d", batch, n, err, want)
			}
			if looked := m.Looked(); looked != min(100*batch, counters) {
				t.Fatalf("batch %d: got looks at %d, want %d", batch, looked, min(100*batch, counters))
			}
		}
	})
	t.Run("a flood of names that come, succeed and fail again keeps its bound", func(t *testing.T) {
		m := password.NewMemoryThrottle()
		for i := range 120_000 {
			now := noon.Add(time.Duration(i) * time.Millisecond)
			count(t, m, fmt.Sprint(i), now, now.Add(time.Hour))
			count(t, m, "alice", now, now.Add(time.Minute))
			count(t, m, "alice", now, time.Time{})
		}
		if n := m.Entries(); n > 250_000 {
			t.Errorf("got %d entries for 100,000 counters, want about two each at most", n)
		}
		if n, err := m.Purge(t.Context(), noon.Add(9*time.Hour), 0); n < 99_000 || n > 100_000 || err != nil {
			t.Errorf("got %d, %v, want nearly 100,000", n, err)
		}
	})
}
