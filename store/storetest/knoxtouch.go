package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// knoxTouching checks the last use and the expiry of a record.
func knoxTouching(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "a touch moves the last use and the end forward, never back", knoxTouchForward)
	checkTouches(t, func(t *testing.T) touchStore { return knoxTouched(open(t)) })
	check(t, open, "what is kept of a token has the last use and the expiry of its last touch", knoxTouchKept)
	check(t, open, "a touch gives no end to a record that has none", knoxTouchNoEnd)
	check(t, open, "a touch brings back no record that was revoked or has expired", knoxTouchEnded)
	check(t, open, "no touch in flight brings a record back after it was revoked", knoxTouchRace)
}

func knoxTouchForward(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	r := record("alice", "1", 0)
	s.add(r)
	for _, step := range []struct {
		used        time.Duration
		expires     time.Duration
		wantUsed    time.Duration
		wantExpires time.Duration
	}{
		{time.Minute, 0, time.Minute, 10 * time.Hour},
		{2 * time.Minute, 11 * time.Hour, 2 * time.Minute, 11 * time.Hour},
		{time.Minute, 10 * time.Hour, 2 * time.Minute, 11 * time.Hour},
	} {
		s.touch(r, noon.Add(step.used), noon.Add(step.expires))
		got := s.find(r.Digest)
		if used, expires := got.LastUsed.Sub(noon), got.ExpiresAt.Sub(noon); used != step.wantUsed ||
			expires != step.wantExpires {
			t.Errorf("touched %v, %v: used %v, expires %v, want %v and %v", step.used, step.expires, used, expires,
				step.wantUsed, step.wantExpires)
		}
	}
}

func knoxTouchKept(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	r := record("alice", "1", 0)
	s.add(r)
	s.touch(r, noon.Add(time.Minute), noon.Add(20*time.Hour))
	end := knox.Ending{Reason: knox.EndLoggedOut, At: noon.Add(15 * time.Hour), Keep: true}
	if found, err := s.Revoke(t.Context(), "alice", "1", end); !found || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
	got := s.ended("alice")
	if len(got) != 1 || !got[0].LastUsed.Equal(noon.Add(time.Minute)) || got[0].Reason != end.Reason ||
		!got[0].EndedAt.Equal(end.At) {
		t.Errorf("got %+v, want a logout after 15h of a token used after 1m", got)
	}
}

func knoxTouchNoEnd(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	r := record("alice", "1", 0)
	r.ExpiresAt = time.Time{}
	s.add(r)
	s.touch(r, noon.Add(time.Minute), noon.Add(time.Hour))
	if got := s.find(r.Digest); !got.ExpiresAt.IsZero() || got.LastUsed.IsZero() {
		t.Errorf("find: got %+v, want zero ExpiresAt and LastUsed to be set", got)
	}
}

func knoxTouchEnded(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	revoked, expired := record("alice", "1", 0), record("alice", "2", 0)
	s.add(revoked)
	s.add(expired)
	if found, err := s.Revoke(t.Context(), "alice", "1", revokedAtNoon); !found || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
	s.touch(revoked, noon.Add(time.Minute), noon.Add(time.Hour))
	s.touch(expired, expired.ExpiresAt, expired.ExpiresAt.Add(time.Hour))
	if s.find(revoked.Digest) != nil {
		t.Error("the revoked record is back")
	}
	if got := s.find(expired.Digest); !got.ExpiresAt.Equal(expired.ExpiresAt) {
		t.Errorf("the expired record lives until %v, want its expiry unchanged", got.ExpiresAt)
	}
}

func knoxTouchRace(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for round := range 8 {
		r := record("alice", fmt.Sprint(round), 0)
		s.add(r)
		atOnce(24, func(i int) {
			if i == 12 {
				if _, err := s.RevokeAll(t.Context(), "alice", "", "", revokedAtNoon); err != nil {
					t.Error(err)
				}
				return
			}
			s.touch(r, noon.Add(time.Duration(i)*time.Second), noon.Add(20*time.Hour))
		})
		if s.find(r.Digest) != nil {
			t.Fatal("the record is back after its end")
		}
	}
}
