package storetest

import (
	"reflect"
	"testing"
	"time"
)

// sessionTouching checks the last use and the expiry of a session.
func sessionTouching(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "a touch moves the last use and the end forward, never back", sessionTouchForward)
	checkTouches(t, func(t *testing.T) touchStore { return sessionTouched(open(t)) })
	check(t, open, "a session that lives by a touch is replaced, and its mark is not touched", sessionTouchReplaced)
	check(t, open, "a login in place of a session that lives by a touch returns it so", sessionTouchLogin)
	check(t, open, "a touch brings back no record that was ended or has expired", sessionTouchEnded)
}

func sessionTouchForward(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	r := sessionRecord("alice", "1", 0)
	s.add(r)
	for _, step := range []struct {
		used        time.Duration
		expires     time.Duration
		wantUsed    time.Duration
		wantExpires time.Duration
	}{
		{time.Minute, 0, time.Minute, time.Hour},
		{2 * time.Minute, 90 * time.Minute, 2 * time.Minute, 90 * time.Minute},
		{time.Minute, time.Hour, 2 * time.Minute, 90 * time.Minute},
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

func sessionTouchReplaced(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old := sessionRecord("alice", "1", 0)
	s.add(old)
	s.touch(old, noon.Add(time.Minute), noon.Add(3*time.Hour))
	successor := sessionRecord("alice", "1", 0)
	successor.Digest = "digest of the successor"
	at := noon.Add(2 * time.Hour)
	if replaced, err := s.Replace(t.Context(), old.Digest, successor, at); !replaced || err != nil {
		t.Fatalf("got %v, %v, want it to be replaced", replaced, err)
	}
	s.touch(old, noon.Add(2*time.Minute), noon.Add(4*time.Hour))
	if got, want := s.find(old.Digest), old.Tombstone(at); !reflect.DeepEqual(normalSession(got), normalSession(want)) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func sessionTouchLogin(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	old := sessionRecord("alice", "1", 0)
	s.add(old)
	s.touch(old, noon.Add(time.Minute), noon.Add(3*time.Hour))
	added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), old.Digest, 0, false, noon.Add(2*time.Hour))
	if err != nil || added.Replaced == nil || !added.Replaced.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("got %+v, %v, want the session with the expiry of its touch", added.Replaced, err)
	}
}

func sessionTouchEnded(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	ended, expired := sessionRecord("alice", "1", 0), sessionRecord("alice", "2", 0)
	s.add(ended)
	s.add(expired)
	if found, err := s.Revoke(t.Context(), "alice", "1"); !found || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
	s.touch(ended, noon.Add(time.Minute), noon.Add(2*time.Hour))
	s.touch(expired, expired.ExpiresAt, expired.ExpiresAt.Add(time.Hour))
	if s.find(ended.Digest) != nil {
		t.Error("the ended record is back")
	}
	if got := s.find(expired.Digest); !got.ExpiresAt.Equal(expired.ExpiresAt) {
		t.Errorf("the expired record lives until %v, want its expiry unchanged", got.ExpiresAt)
	}
}
