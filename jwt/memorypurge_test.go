package jwt_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

func TestUnitMemoryPurge(t *testing.T) {
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	refresh := func(session, digest string, expires time.Time) *jwt.Refresh {
		return &jwt.Refresh{Digest: digest, SessionID: session, Issued: noon, ExpiresAt: expires}
	}
	// filled has n logins of three each user, which expire an hour after noon.
	filled := func(t *testing.T, n int) *jwt.MemoryStore {
		t.Helper()
		s := jwt.NewMemoryStore()
		for i := range n {
			f := &jwt.Session{ID: fmt.Sprint(i), UserID: fmt.Sprint(i / 3), Created: noon,
				ExpiresAt: noon.Add(time.Hour)}
			if _, err := s.Start(t.Context(), f, refresh(f.ID, f.ID+" first", f.ExpiresAt), nil, 0, false); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	purge := func(t *testing.T, s *jwt.MemoryStore, now time.Time, want int) {
		t.Helper()
		if n, err := s.Purge(t.Context(), now, 100); n != want || err != nil {
			t.Errorf("got %d, %v, want %d", n, err, want)
		}
	}
	gone := noon.Add(time.Hour + jwt.KeepExpired)
	t.Run("of many live logins a purge looks at none, and at each expired one once", func(t *testing.T) {
		const logins = 20_000
		s := filled(t, logins)
		purge(t, s, gone.Add(-1), 0)
		if looked := s.Looked(); looked != 0 {
			t.Errorf("got looks at %d, want none", looked)
		}
		if _, err := s.RevokeAll(t.Context(), "7", "", "", gone.Add(-time.Minute)); err != nil {
			t.Fatal(err)
		}
		for range logins / 100 {
			purge(t, s, gone, 100)
		}
		purge(t, s, gone, 0)
		if looked := s.Looked(); looked != logins {
			t.Errorf("got looks at %d, want one for each of %d", looked, logins)
		}
		if n := s.Owners(); n != 1 {
			t.Errorf("got %d users, want the one whose tokens are void", n)
		}
	})
	t.Run("a login that is refreshed is purged after its last token, and leaves no more entries", func(t *testing.T) {
		s := filled(t, 2)
		const refreshes = 1_000
		for i := range refreshes {
			old, next := fmt.Sprint("0 ", i-1), fmt.Sprint("0 ", i)
			if i == 0 {
				old = "0 first"
			}
			now := noon.Add(time.Duration(i) * time.Minute)
			if got, err := s.Rotate(t.Context(), old, now, 0, refresh("0", next, now.Add(time.Hour))); err != nil ||
				got.Verdict != jwt.Rotated {
				t.Fatal(got.Verdict, err)
			}
		}
		if n := s.Entries(); n > 100 {
			t.Errorf("got %d entries of two logins, want few", n)
		}
		last := gone.Add((refreshes - 1) * time.Minute)
		purge(t, s, last.Add(-1), 1) // the login that was not refreshed
		purge(t, s, last, 1)
		if r, _, err := s.Find(t.Context(), fmt.Sprint("0 ", refreshes-1)); r != nil || err != nil || s.Owners() != 0 {
			t.Errorf("got %v, %v and %d users, want nothing left", r, err, s.Owners())
		}
	})
	t.Run("a login leaves its neighbours of one user when it goes, whichever it is", func(t *testing.T) {
		for first := range 3 {
			s := filled(t, 3)
			for i := range 3 {
				if id := fmt.Sprint(i); i != first {
					now := noon.Add(time.Minute)
					if _, err := s.Rotate(t.Context(), id+" first", now, 0,
						refresh(id, id+" second", now.Add(time.Hour))); err != nil {
						t.Fatal(err)
					}
				}
			}
			purge(t, s, gone, 1)
			left, err := s.List(t.Context(), "0", "", 9, noon)
			if err != nil || len(left) != 2 || left[0].ID == fmt.Sprint(first) || left[1].ID == fmt.Sprint(first) {
				t.Errorf("without login %d: got %d, %v, want the two others", first, len(left), err)
			}
			purge(t, s, gone.Add(time.Minute), 2)
			if left, err = s.List(t.Context(), "0", "", 9, noon); len(left) != 0 || err != nil {
				t.Errorf("got %d, %v, want none", len(left), err)
			}
		}
	})
}
