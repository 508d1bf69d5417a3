package external_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/store/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.External(t, func(*testing.T) external.Store { return external.NewMemoryStore() })
}

func TestUnitMemoryPurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	t.Run("of many live keys and codes a purge looks at none, and at each expired one once", func(t *testing.T) {
		const records = 10_000
		s := external.NewMemoryStore()
		for i := range records {
			if fresh, err := s.PutOnce(t.Context(), fmt.Sprint(i), noon.Add(time.Hour), noon); !fresh || err != nil {
				t.Fatalf("got %v, error %v, want a new key", fresh, err)
			}
			if err := s.AddCode(t.Context(),
				&external.Code{Digest: fmt.Sprint(i), ExpiresAt: noon.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		for batch, now := 0, noon; batch <= 2*records/100+1; batch, now = batch+1, noon.Add(time.Hour) {
			want := 100
			if batch == 0 || batch == 2*records/100+1 {
				want = 0
			}
			if n, err := s.Purge(t.Context(), now, 100); n != want || err != nil {
				t.Errorf("batch %d: got %d, %v, want %d", batch, n, err, want)
			}
			if looked := s.Looked(); looked != min(100*batch, 2*records) {
				t.Fatalf("batch %d: got looks at %d, want %d", batch, looked, min(100*batch, 2*records))
			}
		}
	})
	t.Run("a key that was put again after its expiry is purged at the new one", func(t *testing.T) {
		s := external.NewMemoryStore()
		for i := range 2 {
			now := noon.Add(time.Duration(i) * time.Hour)
			if fresh, err := s.PutOnce(t.Context(), "key", now.Add(time.Hour), now); !fresh || err != nil {
				t.Fatalf("got %v, error %v, want a new key", fresh, err)
			}
		}
		for i, want := range []int{0, 0, 1} {
			if n, err := s.Purge(t.Context(), noon.Add(time.Duration(i)*time.Hour), 100); n != want || err != nil {
				t.Errorf("after %d hours: got %d, %v, want %d", i, n, err, want)
			}
		}
	})
}
