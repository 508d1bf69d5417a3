package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/password"
)

// OneTime checks a [password.OneTimeStore].
func OneTime(t *testing.T, open func(t *testing.T) password.OneTimeStore) {
	t.Run("a record is found as it was added", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		full := onceRecord("älice", "full", 0)
		full.About, full.Stamp, full.Used = `'; DROP TABLE onetime; -- "%_\ `+"\u2028 日本", "stamp", noon.Add(time.Second)
		bare := &password.OneTimeRecord{Digest: "bare", UserID: "alice", Purpose: "p", Created: noon, ExpiresAt: noon.Add(time.Microsecond)}
		for _, want := range []*password.OneTimeRecord{full, bare} {
			s.add(want)
			if got := s.find(want.Digest); got == nil || !sameOnce(got, want) {
				t.Errorf("found %+v\nwant  %+v", got, want)
			}
		}
		if got := s.find("nothing"); got != nil {
			t.Errorf("found %+v, which was never added", got)
		}
	})
	t.Run("a digest that is there already is an error and changes nothing", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		s.add(onceRecord("alice", "1", 0))
		s.add(onceRecord("bob", "b", 0))
		other := onceRecord("bob", "2", 0)
		other.Digest = onceRecord("alice", "1", 0).Digest
		if err := s.Add(t.Context(), other, 1, noon); err == nil {
			t.Error("no error")
		}
		if got := s.find(other.Digest); got == nil || got.UserID != "alice" {
			t.Errorf("now %+v", got)
		}
		s.expect(onceRecord("bob", "b", 0), true)
	})

	t.Run("over the limit the oldest live of that user and purpose go", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		otherPurpose, used, expired := onceRecord("alice", "o", -time.Hour), onceRecord("alice", "u", -time.Hour), onceRecord("alice", "e", -time.Hour)
		otherPurpose.Purpose, used.Used, expired.ExpiresAt = "other", noon, noon
		bob := onceRecord("bob", "b", -time.Hour)
		records := []*password.OneTimeRecord{otherPurpose, used, expired, bob}
		for _, minute := range []int{2, 0, 1} { // not in the order of their ages
			records = append(records, onceRecord("alice", fmt.Sprint(minute), time.Duration(minute)*time.Minute))
		}
		for _, r := range records {
			s.add(r)
		}
		// As old as any, but the one that is wanted.
		fresh := onceRecord("alice", "new", -time.Hour)
		fresh.ExpiresAt = noon.Add(time.Hour)
		if err := s.Add(t.Context(), fresh, 2, noon); err != nil {
			t.Fatal(err)
		}
		for _, r := range append(records, fresh) {
			gone := r.Digest == onceRecord("alice", "0", 0).Digest || r.Digest == onceRecord("alice", "1", 0).Digest
			s.expect(r, !gone)
		}
	})
	t.Run("32 at once never exceed the limit", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		parallel(32, func(i int) {
			if err := s.Add(t.Context(), onceRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 3, noon); err != nil {
				t.Error(err)
			}
		})
		left := 0
		for i := range 32 {
			if s.find(onceRecord("alice", fmt.Sprint(i), 0).Digest) != nil {
				left++
			}
		}
		if left != 3 {
			t.Errorf("%d are left, want 3", left)
		}
	})

	t.Run("the first to redeem is told so, later ones that it was used", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		r := onceRecord("alice", "1", 0)
		s.add(r)
		at := noon.Add(time.Minute)
		s.redeem(r, at, password.OneTimeFirst)
		if got := s.find(r.Digest); got == nil || !got.Used.Equal(at) {
			t.Errorf("now %+v", got)
		}
		s.redeem(r, at, password.OneTimeUsed)
		s.redeem(r, r.ExpiresAt.Add(time.Hour), password.OneTimeUsed)
	})
	t.Run("what is not there is unknown", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		s.redeem(onceRecord("alice", "1", 0), noon, password.OneTimeUnknown)
	})
	t.Run("a record is good until the instant it expires, and not used up then", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		r := onceRecord("alice", "1", 0)
		s.add(r)
		s.redeem(r, r.ExpiresAt, password.OneTimeExpired)
		if got := s.find(r.Digest); got == nil || !got.Used.IsZero() {
			t.Errorf("now %+v", got)
		}
		s.redeem(r, r.ExpiresAt.Add(-time.Microsecond), password.OneTimeFirst)
	})
	t.Run("redeeming ends the unused of that user and purpose, and nothing else", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		r, twin, old := onceRecord("alice", "1", 0), onceRecord("alice", "2", 0), onceRecord("alice", "3", 0)
		otherPurpose, used, bob := onceRecord("alice", "o", 0), onceRecord("alice", "u", 0), onceRecord("bob", "b", 0)
		otherPurpose.Purpose, used.Used = "other", noon
		old.ExpiresAt = noon.Add(time.Second)
		for _, each := range []*password.OneTimeRecord{r, twin, old, otherPurpose, used, bob} {
			s.add(each)
		}
		s.redeem(twin, noon.Add(time.Hour), password.OneTimeExpired) // ends nothing
		s.expect(r, true)
		s.redeem(r, noon.Add(time.Minute), password.OneTimeFirst)
		s.redeem(twin, noon.Add(time.Minute), password.OneTimeUnknown)
		s.expect(old, false)
		for _, each := range []*password.OneTimeRecord{r, otherPurpose, used, bob} {
			s.expect(each, true)
		}
	})
	t.Run("of 32 that redeem one at once, one is the first", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		for round := range 8 {
			r := onceRecord("alice", fmt.Sprint(round), 0)
			s.add(r)
			verdicts := s.race(32, func(int) *password.OneTimeRecord { return r })
			if verdicts[password.OneTimeFirst] != 1 || verdicts[password.OneTimeUsed] != 31 {
				t.Fatalf("%v", verdicts)
			}
		}
	})
	t.Run("of 32 that redeem a user's several at once, one is the first", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		for round := range 8 {
			var all [4]*password.OneTimeRecord
			for i := range all {
				all[i] = onceRecord("alice", fmt.Sprint(round, i), 0)
				s.add(all[i])
			}
			verdicts := s.race(32, func(i int) *password.OneTimeRecord { return all[i%len(all)] })
			if verdicts[password.OneTimeFirst] != 1 || verdicts[password.OneTimeUsed] != 7 || verdicts[password.OneTimeUnknown] != 24 {
				t.Fatalf("%v", verdicts)
			}
		}
	})

	t.Run("a user's unused are removed, whatever their purpose, and counted", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		otherPurpose, used, expired := onceRecord("alice", "o", 0), onceRecord("alice", "u", 0), onceRecord("alice", "e", -2*time.Hour)
		otherPurpose.Purpose, used.Used = "other", noon
		unused := []*password.OneTimeRecord{onceRecord("alice", "1", 0), otherPurpose, expired}
		bob := onceRecord("bob", "b", 0)
		for _, r := range append(unused, used, bob) {
			s.add(r)
		}
		for _, want := range []int{3, 0} {
			if n, err := s.RemoveUnused(t.Context(), "alice"); n != want || err != nil {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		for _, r := range unused {
			s.expect(r, false)
		}
		s.redeem(used, noon, password.OneTimeUsed)
		s.expect(bob, true)
	})
	t.Run("what is removed is not redeemed, and the other way round", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		for round := range 8 {
			r := onceRecord("alice", fmt.Sprint(round), 0)
			s.add(r)
			var mu sync.Mutex
			ends := 0
			parallel(16, func(i int) {
				if i == 8 {
					n, err := s.RemoveUnused(t.Context(), "alice")
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					ends += n
					return
				}
				verdict, err := s.Redeem(t.Context(), r.Digest, noon)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if verdict == password.OneTimeFirst {
					ends++
				}
			})
			if ends != 1 {
				t.Fatalf("it ended %d times", ends)
			}
		}
	})
	t.Run("Purge removes what has expired, used or not, at most limit, and counts it", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		at := noon.Add(time.Minute)
		for i := range 5 {
			r := onceRecord("alice", fmt.Sprint(i), 0)
			if r.ExpiresAt = at; i == 0 {
				r.Used = noon
			}
			s.add(r)
		}
		live, used := onceRecord("alice", "live", 0), onceRecord("alice", "used", 0)
		used.Used = noon
		s.add(live)
		s.add(used)
		for i, want := range []int{2, 2, 1, 0} {
			if n, err := s.Purge(t.Context(), at, 2); n != want || err != nil {
				t.Errorf("batch %d: %d, %v, want %d", i, n, err, want)
			}
		}
		s.expect(live, true)
		s.expect(used, true)
	})
	t.Run("a cancelled request changes nothing by half", func(t *testing.T) {
		s := oneTimeStore{t, open(t)}
		r, twin := onceRecord("alice", "1", 0), onceRecord("alice", "2", 0)
		s.add(r)
		s.add(twin)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Redeem(ctx, r.Digest, noon)
		used := !s.find(r.Digest).Used.IsZero()
		if used != (err == nil) || used == (s.find(twin.Digest) != nil) {
			t.Errorf("error %v, used %v, the other: %+v", err, used, s.find(twin.Digest))
		}
		s.add(onceRecord("alice", "after", 0)) // the store still works
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
	parallel(n, func(i int) {
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

// onceRecord returns a record that was created some time after noon and is good
// for an hour.
func onceRecord(user, id string, after time.Duration) *password.OneTimeRecord {
	created := noon.Add(after)
	return &password.OneTimeRecord{Digest: "digest of " + user + id, UserID: user, Purpose: password.PurposeReset, Created: created, ExpiresAt: created.Add(time.Hour)}
}

func sameOnce(a, b *password.OneTimeRecord) bool {
	return a.Digest == b.Digest && a.UserID == b.UserID && a.Purpose == b.Purpose && a.About == b.About && a.Stamp == b.Stamp &&
		a.Created.Equal(b.Created) && a.ExpiresAt.Equal(b.ExpiresAt) && a.Used.Equal(b.Used)
}
