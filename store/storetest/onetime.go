package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// OneTime checks a [password.OneTimeStore].
func OneTime(t *testing.T, open func(t *testing.T) password.OneTimeStore) {
	checkAspects(t, func(t *testing.T) oneTimeStore { return oneTimeStore{t, open(t)} }, []aspect[oneTimeStore]{
		{"adding", oneTimeAdding},
		{"redeeming", oneTimeRedeeming},
		{"removing", oneTimeRemoving},
		{"texts", oneTimeTexts},
	})
}

// oneTimeStore is a store with the test that uses it.
type oneTimeStore struct {
	t *testing.T
	password.OneTimeStore
}

func (s oneTimeStore) add(r *password.OneTimeRecord) {
	s.t.Helper()
	if err := s.Add(s.t.Context(), r, 1000, noon); err != nil {
		s.t.Fatalf("Add: %v", err)
	}
}

func (s oneTimeStore) find(digest string) *password.OneTimeRecord {
	s.t.Helper()
	r, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatalf("Find: %v", err)
	}
	return r
}

func (s oneTimeStore) expect(r *password.OneTimeRecord, want bool) {
	s.t.Helper()
	if got := s.find(r.Digest) != nil; got != want {
		s.t.Errorf("%s is there: %v, want %v", r.Digest, got, want)
	}
}

func (s oneTimeStore) redeem(r *password.OneTimeRecord, now time.Time, want password.OneTimeVerdict) {
	s.t.Helper()
	if got, err := s.Redeem(s.t.Context(), r.Digest, now); got != want || err != nil {
		s.t.Errorf("%s: verdict %v, %v, want %v", r.Digest, got, err, want)
	}
}

// race counts the verdicts of n that redeem at once.
func (s oneTimeStore) race(n int, which func(i int) *password.OneTimeRecord) map[password.OneTimeVerdict]int {
	var mu sync.Mutex
	verdicts := make(map[password.OneTimeVerdict]int)
	atOnce(n, func(i int) {
		verdict, err := s.Redeem(s.t.Context(), which(i).Digest, noon)
		if err != nil {
			s.t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		verdicts[verdict]++
	})
	return verdicts
}

// oneTimeRecord returns a record that was created some time after noon and is good
// for an hour.
func oneTimeRecord(user, id string, after time.Duration) *password.OneTimeRecord {
	created := noon.Add(after)
	return &password.OneTimeRecord{Digest: "digest of " + user + id, UserID: user, Purpose: password.PurposeReset,
		Created: created, ExpiresAt: created.Add(time.Hour)}
}

func sameOnce(a, b *password.OneTimeRecord) bool {
	return a.Digest == b.Digest && a.UserID == b.UserID && a.Purpose == b.Purpose && a.About == b.About &&
		a.Stamp == b.Stamp &&
		a.Created.Equal(b.Created) && a.ExpiresAt.Equal(b.ExpiresAt) && a.Used.Equal(b.Used)
}

// removeUnused removes what a user has not used, and returns how many that were.
func (s oneTimeStore) removeUnused(userID string) int {
	s.t.Helper()
	n, err := s.RemoveUnused(s.t.Context(), userID)
	if err != nil {
		s.t.Errorf("RemoveUnused: %v", err)
	}
	return n
}
