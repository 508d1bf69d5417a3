package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtAdoption checks that Start takes over a token of another issuer once.
func jwtAdoption(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "a token of another issuer is adopted once", jwtAdoptsOnce)
	check(t, open, "of 32 adoptions of one token at once one starts a family, which then ends", jwtAdoptRace)
}

func jwtAdoptsOnce(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	foreign := &jwt.Refresh{Digest: "foreign", Issued: noon.Add(-time.Hour), ExpiresAt: noon.Add(48 * time.Hour)}
	one, two := jwtSession("alice", "1", 0), jwtSession("alice", "2", time.Minute)
	if started, err := s.Start(t.Context(), one, jwtToken(one, "first"), foreign, 0, false); err != nil ||
		started.Seen {
		t.Fatalf("Start: got %v, %v, want Seen false", started, err)
	}
	r, f := s.find("foreign")
	if r == nil || f.ID != "1" || !r.Rotated.Equal(noon) || r.Successor != "1 first" ||
		!r.ExpiresAt.Equal(foreign.ExpiresAt) {
		t.Errorf("find: got %+v, %+v, want family 1, Rotated %v, Successor \"1 first\", ExpiresAt %v",
			r, f, noon, foreign.ExpiresAt)
	}
	if foreign.SessionID != "" {
		t.Error("the argument was changed")
	}
	unknown := jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon, Digest: "x"}
	s.revoked("one that nobody adopted", unknown, noon, false)
	adopted := unknown
	adopted.Digest = "foreign"
	s.revoked("the adopted one", adopted, noon, true)
	adopted.Grace = time.Minute
	s.revoked("the adopted one, within the grace", adopted, noon.Add(time.Minute-time.Microsecond), false)
	s.revoked("the adopted one, after the grace", adopted, noon.Add(time.Minute), true)
	started, err := s.Start(t.Context(), two, jwtToken(two, "first"), foreign, 0, false)
	if err != nil || !started.Seen {
		t.Errorf("Start: got %v, %v, want Seen true", started, err)
	}
	if _, f := s.find("1 first"); !f.RevokedAt.Equal(two.Created) {
		t.Errorf("the family was not revoked: %+v, want RevokedAt", f)
	}
	if r, _ := s.find("2 first"); r != nil {
		t.Error("a second session was started")
	}
	s.revoked("the adopted one of a session that ended", adopted, noon.Add(time.Second), true)
	// It is remembered as long as it could be used.
	if purged, err := s.Purge(t.Context(), one.ExpiresAt.Add(time.Hour), 10); purged != 0 || err != nil {
		t.Errorf("Purge: got %v, %v, want 0", purged, err)
	}
	if purged, err := s.Purge(t.Context(), foreign.ExpiresAt.Add(jwt.KeepExpired-time.Microsecond), 10); purged != 0 ||
		err != nil {
		t.Errorf("Purge: got %v, %v, want 0", purged, err)
	}
	if purged, err := s.Purge(t.Context(), foreign.ExpiresAt.Add(jwt.KeepExpired), 10); purged != 1 || err != nil {
		t.Errorf("Purge: got %v, %v, want 1", purged, err)
	}
}

func jwtAdoptRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	var mu sync.Mutex
	started := 0
	atOnce(32, func(i int) {
		f := jwtSession("alice", fmt.Sprint(i), 0)
		outcome, err := s.Start(t.Context(), f, jwtToken(f, "first"),
			&jwt.Refresh{Digest: "foreign", Issued: noon, ExpiresAt: f.ExpiresAt}, 0, false)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !outcome.Seen {
			started++
		}
	})
	if got := s.list("alice", noon); started != 1 || len(got) != 0 {
		t.Errorf("%d started, listed %v, want 1 and nothing", started, got)
	}
}
