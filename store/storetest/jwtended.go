package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

func jwtPurgeEnded(t *testing.T, open func(t *testing.T) jwt.Store) {
	gone := noon.Add(jwt.KeepEnded)
	purge := func(s jwtStore, now time.Time, limit, want int) {
		s.t.Helper()
		if n, err := s.Purge(s.t.Context(), now, limit); n != want || err != nil {
			s.t.Errorf("got %d, %v at %v, want %d", n, err, now.Sub(noon), want)
		}
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	// start starts a family that expires much later than what ended is kept.
	start := func(s jwtStore, user, id string, created time.Time, limit int, adopted *jwt.Refresh) jwt.Started {
		f := jwtFamily(user, id, created.Sub(noon))
		f.ExpiresAt = noon.Add(900 * time.Hour)
		started, err := s.Start(s.t.Context(), f, jwtToken(f, "first"), adopted, limit, limit > 0)
		must(err)
		return started
	}
	t.Run("families that ended are purged KeepEnded later, whatever ended them", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			start(s, "alice", id, noon, 0, nil)
		}
		start(s, "bob", "b", noon, 0, nil)
		_, err := s.Store.End(t.Context(), "alice", "2", noon)
		must(err)
		s.rotate("3 first", "second", noon.Add(time.Second), 0, jwt.Rotated)
		s.rotate("3 first", "again", noon, 0, jwt.Reused)
		if started := start(s, "alice", "6", noon, 3, nil); len(started.Evicted) != 1 {
			t.Fatalf("got %+v, want one evicted", started)
		}
		_, err = s.EndAll(t.Context(), "alice", "6", "", noon)
		must(err)
		purge(s, gone.Add(-time.Microsecond), 9, 0)
		s.rotate("3 second", "again", noon, 0, jwt.Revoked)
		for _, want := range []int{2, 2, 1, 0} {
			purge(s, gone, 2, want)
		}
		if rotation, err := s.Rotate(t.Context(), "3 second", noon, 0, &jwt.Refresh{}); rotation.Verdict != jwt.Unknown ||
			err != nil {
			t.Errorf("got %+v, %v for a token that is gone, want Unknown", rotation, err)
		}
		s.revoked("an access token", jwt.Claimed{UserID: "alice", SessionID: "1", Generation: 9}, noon, true)
		for _, kept := range []string{"6 first", "b first"} {
			if r, _ := s.find(kept); r == nil {
				t.Errorf("%s is gone", kept)
			}
		}
	})
	t.Run("a login loop leaves as many families as the limit", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for i := range 20 {
			start(s, "alice", fmt.Sprintf("%02d", i), noon.Add(time.Duration(i)*time.Second), 3, nil)
		}
		purge(s, gone.Add(20*time.Second), 99, 17)
	})
	t.Run("one that ended with an adopted token stays until nobody can present that", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		foreign := &jwt.Refresh{Digest: "foreign", Issued: noon.Add(-time.Hour), ExpiresAt: noon.Add(90 * time.Hour)}
		start(s, "alice", "1", noon, 0, foreign)
		s.rotate("1 first", "second", noon.Add(time.Minute), 0, jwt.Rotated)
		_, err := s.Store.End(t.Context(), "alice", "1", noon)
		must(err)
		purge(s, gone, 9, 0)
		if started := start(s, "alice", "2", noon, 0, foreign); !started.Seen {
			t.Errorf("got %+v for the adopted token, want Seen", started)
		}
		purge(s, foreign.ExpiresAt.Add(jwt.KeepExpired-time.Microsecond), 9, 0)
		purge(s, foreign.ExpiresAt.Add(jwt.KeepExpired), 9, 1)
	})
	t.Run("one that ended and has expired is purged as one that expired", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		end := noon.Add(time.Hour + jwt.KeepExpired)
		_, err := s.Store.End(t.Context(), "alice", "1", noon.Add(time.Hour-time.Second))
		must(err)
		purge(s, end, 9, 1)
	})
}
