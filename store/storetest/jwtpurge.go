package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtPurging checks Purge of families that expired.
func jwtPurging(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "expired families are purged in batches", jwtPurges)
	check(t, open, "a purge leaves the generation", jwtPurgeKeepsGeneration)
	check(t, open, "purges at once remove each session once", jwtPurgeRace)
}

func jwtPurges(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for i := range 5 {
		s.start("alice", fmt.Sprint(i), 0)
	}
	later := s.start("alice", "later", time.Hour)
	s.rotate("0 first", "second", noon, 0, jwt.Rotated)
	end := noon.Add(time.Hour + jwt.KeepExpired)
	for i, want := range []int{0, 2, 2, 1, 0} {
		now := end
		if i == 0 {
			now = end.Add(-time.Microsecond)
		}
		if purged, err := s.Purge(t.Context(), now, 2); purged != want || err != nil {
			t.Errorf("Purge %d: got %d, %v, want %d", i, purged, err, want)
		}
	}
	for _, digest := range []string{"0 first", "0 second", "1 first", "4 first"} {
		if r, f := s.find(digest); r != nil || f != nil {
			t.Errorf("the token %s was found, want it purged", digest)
		}
	}
	if r, _ := s.find("later first"); r == nil || !later.Live(end) {
		t.Error("a live one was purged")
	}
}

func jwtPurgeKeepsGeneration(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	if _, err := s.RevokeAll(t.Context(), "alice", "", "", noon); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Purge(t.Context(), f.ExpiresAt.Add(jwt.KeepExpired), 10); err != nil {
		t.Fatal(err)
	}
	s.revoked("a token of before", jwt.Claimed{UserID: "alice"}, f.ExpiresAt, true)
}

func jwtPurgeRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for i := range 40 {
		s.start("alice", fmt.Sprint(i), 0)
	}
	var mu sync.Mutex
	total := 0
	purgeAtOnce(func() {
		n, err := s.Purge(t.Context(), noon.Add(time.Hour+jwt.KeepExpired), 7)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		total += n
	})
	if total != 40 {
		t.Errorf("purged %d, want each of 40 once", total)
	}
}

// jwtPurgingEnded checks Purge of families that ended.
func jwtPurgingEnded(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "families that ended are purged KeepEnded later, whatever ended them", jwtPurgesEnded)
	check(t, open, "a login loop leaves as many families as the limit", jwtPurgesLoop)
	check(t, open, "Purge keeps an ended family until its adopted token has expired", jwtPurgesAdopted)
	check(t, open, "Purge removes an ended family that has expired like any expired one", jwtPurgesExpired)
}

func jwtPurgesEnded(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		s.startLong("alice", id, noon, 0, nil)
	}
	s.startLong("bob", "b", noon, 0, nil)
	_, err := s.Store.Revoke(t.Context(), "alice", "2", noon)
	s.must(err)
	s.rotate("3 first", "second", noon.Add(time.Second), 0, jwt.Rotated)
	s.rotate("3 first", "again", noon, 0, jwt.Reused)
	if started := s.startLong("alice", "6", noon, 3, nil); len(started.Evicted) != 1 {
		t.Fatalf("got %+v, want one evicted", started)
	}
	_, err = s.RevokeAll(t.Context(), "alice", "6", "", noon)
	s.must(err)
	s.purge(jwtEndedGone.Add(-time.Microsecond), 9, 0)
	s.rotate("3 second", "again", noon, 0, jwt.Revoked)
	for _, want := range []int{2, 2, 1, 0} {
		s.purge(jwtEndedGone, 2, want)
	}
	if rotation, err := s.Rotate(t.Context(), "3 second", noon, 0, &jwt.Refresh{}); rotation.Verdict != jwt.Unknown ||
		err != nil {
		t.Errorf("got %+v, %v for a token that is gone, want Unknown", rotation, err)
	}
	s.revoked("an access token", jwt.Claimed{UserID: "alice", SessionID: "1", Generation: 9}, noon, true)
	for _, kept := range []string{"6 first", "b first"} {
		if r, _ := s.find(kept); r == nil {
			t.Errorf("the token %s is gone, want it kept", kept)
		}
	}
}

func jwtPurgesLoop(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for i := range 20 {
		s.startLong("alice", fmt.Sprintf("%02d", i), noon.Add(time.Duration(i)*time.Second), 3, nil)
	}
	s.purge(jwtEndedGone.Add(20*time.Second), 99, 17)
}

func jwtPurgesAdopted(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	foreign := &jwt.Refresh{Digest: "foreign", Issued: noon.Add(-time.Hour), ExpiresAt: noon.Add(90 * time.Hour)}
	s.startLong("alice", "1", noon, 0, foreign)
	s.rotate("1 first", "second", noon.Add(time.Minute), 0, jwt.Rotated)
	_, err := s.Store.Revoke(t.Context(), "alice", "1", noon)
	s.must(err)
	s.purge(jwtEndedGone, 9, 0)
	if started := s.startLong("alice", "2", noon, 0, foreign); !started.Seen {
		t.Errorf("got %+v for the adopted token, want Seen", started)
	}
	s.purge(foreign.ExpiresAt.Add(jwt.KeepExpired-time.Microsecond), 9, 0)
	s.purge(foreign.ExpiresAt.Add(jwt.KeepExpired), 9, 1)
}

func jwtPurgesExpired(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	end := noon.Add(time.Hour + jwt.KeepExpired)
	_, err := s.Store.Revoke(t.Context(), "alice", "1", noon.Add(time.Hour-time.Second))
	s.must(err)
	s.purge(end, 9, 1)
}

// jwtEndedGone is when a session that ended at noon is purged.
var jwtEndedGone = noon.Add(jwt.KeepEnded)

func (s jwtStore) purge(now time.Time, limit, want int) {
	s.t.Helper()
	if n, err := s.Purge(s.t.Context(), now, limit); n != want || err != nil {
		s.t.Errorf("got %d, %v at %v, want %d", n, err, now.Sub(noon), want)
	}
}

func (s jwtStore) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// startLong starts a session that expires much later than what ended is kept.
func (s jwtStore) startLong(user, id string, created time.Time, limit int, adopted *jwt.Refresh) jwt.Started {
	s.t.Helper()
	f := jwtSession(user, id, created.Sub(noon))
	f.ExpiresAt = noon.Add(900 * time.Hour)
	started, err := s.Start(s.t.Context(), f, jwtToken(f, "first"), adopted, limit, limit > 0)
	s.must(err)
	return started
}
