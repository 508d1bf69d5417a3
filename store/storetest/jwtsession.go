package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// jwtFamilies checks what Start writes and Find and List return.
func jwtFamilies(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "a family and its token are found as they were started", jwtFindsAsStarted)
	check(t, open, "a token that was never issued is not found, and counts as unknown and revoked", jwtFindsNothing)
	check(t, open, "what is there already is an error and changes nothing", jwtSameAgain)
	check(t, open, "what was returned does not change", jwtReturnedStays)
	check(t, open, "a context that ended is an error and no verdict", jwtCancelled)
	checkPages(t, jwtPaged(open))
}

func jwtFindsAsStarted(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	full := jwtSession("älice '\"\\% ", "full", 0)
	full.Scopes, full.Limited, full.ClientID = []string{"a", "b:c"}, true, "app"
	full.IP, full.UserAgent, full.Stamp = "2001:db8::1", "Mözilla/5 \"'\\%", "stamp"
	full.AuthInfo = auth.AuthInfo{AuthTime: noon.Add(-time.Hour), AMR: []string{"pwd", "one time"}, ACR: "urn:high"}
	full.Claims = []byte(`{"team":"rød","n":1}`)
	nothing := jwtSession("alice", "limited to nothing", 0)
	nothing.Limited = true
	for _, want := range []*jwt.Session{full, nothing, jwtSession("alice", "bare", 0)} {
		first := jwtToken(want, "first")
		first.Sealed = []byte{0, 255, 1}
		if started, err := s.Start(t.Context(), want, first, nil, 0, false); err != nil ||
			!reflect.DeepEqual(started, jwt.Started{}) {
			t.Fatalf("Start: got %+v, %v, want %+v", started, err, jwt.Started{})
		}
		r, f := s.find(first.Digest)
		if r == nil || !reflect.DeepEqual(*r, *first) {
			t.Errorf("found %+v\nwant  %+v", r, first)
		}
		if f == nil || !reflect.DeepEqual(normalJWTSession(f), normalJWTSession(want)) {
			t.Errorf("found %+v\nwant  %+v", f, want)
		}
	}
}

func jwtFindsNothing(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	if r, f := s.find("nothing"); r != nil || f != nil {
		t.Errorf("found %+v %+v, want nil and nil", r, f)
	}
	rotation, err := s.Rotate(t.Context(), "nothing", noon, 0, jwtToken(jwtSession("alice", "1", 0), "next"))
	if err != nil || rotation.Verdict != jwt.Unknown || rotation.Session != nil {
		t.Errorf("Rotate: got %+v, %v, want verdict Unknown and Family nil", rotation, err)
	}
	s.revoked("a family that is not there", jwt.Claimed{SessionID: "nothing", UserID: "alice"}, noon, true)
	s.revoked("no family, and nothing voided", jwt.Claimed{UserID: "alice"}, noon, false)
	if found, err := s.Revoke(t.Context(), "alice", "nothing", noon); found || err != nil {
		t.Errorf("Revoke: got %v, %v, want false", found, err)
	}
	if ids, err := s.RevokeAll(t.Context(), "nobody", "", "", noon); len(ids) != 0 || err != nil {
		t.Errorf("RevokeAll: got %v, %v, want an empty list", ids, err)
	}
}

func jwtSameAgain(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	one, two := s.start("alice", "1", 0), s.start("alice", "2", 0)
	again := jwtSession("alice", "1", 0)
	again.Stamp = "other"
	if _, err := s.Start(t.Context(), again, jwtToken(again, "new"), nil, 0, false); err == nil {
		t.Error("Start with a stored family: got no error, want one")
	}
	fresh := jwtSession("alice", "3", 0)
	if _, err := s.Start(t.Context(), fresh, &jwt.Refresh{Digest: "1 first", SessionID: "3", Issued: noon,
		ExpiresAt: fresh.ExpiresAt}, nil, 0, false); err == nil {
		t.Error("Start with a stored digest: got no error, want one")
	}
	if _, err := s.Start(t.Context(), fresh, jwtToken(one, "of another family"), nil, 0, false); err == nil {
		t.Error("Start with a first token of another family: got no error, want one")
	}
	if _, err := s.Rotate(t.Context(), "1 first", noon, 0, jwtToken(one, "first")); err == nil {
		t.Error("Rotate to a stored successor: got no error, want one")
	}
	if _, err := s.Rotate(t.Context(), "1 first", noon, 0, jwtToken(two, "next")); err == nil {
		t.Error("Rotate to a successor of another family: got no error, want one")
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("listed %v afterwards, want [2 1]", got)
	}
	if r, f := s.find("1 first"); !r.Rotated.IsZero() || f.Stamp != "" {
		t.Errorf("got %+v and %+v, want the token not rotated and no stamp", r, f)
	}
	s.rotate("1 first", "next", noon, 0, jwt.Rotated)
}

func jwtReturnedStays(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	r, f := s.find("1 first")
	listed, err := s.List(t.Context(), "alice", "", 10, noon)
	if err != nil || len(listed) != 1 {
		t.Fatalf("List: got %v, %v, want 1 entry", listed, err)
	}
	s.rotate("1 first", "second", noon.Add(time.Second), 0, jwt.Rotated)
	if _, err := s.RevokeAll(t.Context(), "alice", "1", "new", noon); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Revoke(t.Context(), "alice", "1", noon); err != nil {
		t.Fatal(err)
	}
	if !r.Rotated.IsZero() || !f.RevokedAt.IsZero() || f.Stamp != "" || !f.LastUsed.Equal(noon) ||
		!listed[0].RevokedAt.IsZero() || listed[0].Stamp != "" {
		t.Errorf("got %+v, %+v, %+v, want zero Rotated and zero RevokedAt and Stamp \"\" and LastUsed %v", r, f,
			listed[0], noon)
	}
}

func jwtCancelled(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := jwtSession("alice", "2", 0)
	for name, call := range map[string]func() error{
		"Start":  func() error { _, err := s.Start(ctx, other, jwtToken(other, "first"), nil, 0, false); return err },
		"Find":   func() error { _, _, err := s.Find(ctx, "1 first"); return err },
		"Rotate": func() error { _, err := s.Rotate(ctx, "1 first", noon, 0, jwtToken(f, "next")); return err },
		"Revoked": func() error {
			_, err := s.Revoked(ctx, jwt.Claimed{SessionID: "1", UserID: "alice"},
				noon)
			return err
		},
		"List":      func() error { _, err := s.List(ctx, "alice", "", 10, noon); return err },
		"Revoke":    func() error { _, err := s.Revoke(ctx, "alice", "1", noon); return err },
		"RevokeAll": func() error { _, err := s.RevokeAll(ctx, "alice", "", "", noon); return err },
		"Purge":     func() error { _, err := s.Purge(ctx, f.ExpiresAt, 10); return err },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"1"}) {
		t.Errorf("listed %v afterwards, want [1]", got)
	}
	s.rotate("1 first", "second", noon, 0, jwt.Rotated)
}

// jwtLimit checks the limit of Start, and what makes room.
func jwtLimit(t *testing.T, open openFunc[jwtStore]) {
	checkLimitRace(t, jwtLimited(open))
	check(t, open, "over the limit Start adds nothing, or with evict ends the oldest logins", jwtOverLimit)
}

func jwtOverLimit(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "expired", -time.Hour)
	for i := range 4 {
		s.start("alice", fmt.Sprint(i), time.Duration(i-10)*time.Minute)
	}
	s.start("bob", "b", -30*time.Minute)
	f := jwtSession("alice", "new", 0)
	foreign := &jwt.Refresh{Digest: "foreign", Issued: noon, ExpiresAt: f.ExpiresAt}
	started, err := s.Start(t.Context(), f, jwtToken(f, "first"), foreign, 4, false)
	if err != nil || !started.OverLimit || len(started.Evicted) != 0 || started.Seen {
		t.Errorf("got %+v, %v, want OverLimit, nothing evicted, Seen to be false", started, err)
	}
	if r, _ := s.find("foreign"); r != nil || len(s.list("alice", noon)) != 4 {
		t.Errorf("listed %v and adopted %+v, want 4 entries and nil", s.list("alice", noon), r)
	}
	if started, err = s.Start(t.Context(), f, jwtToken(f, "first"), foreign, 3, true); err != nil ||
		started.OverLimit ||
		!slices.Equal(started.Evicted, []string{"0", "1"}) {
		t.Errorf("got %+v, %v, want OverLimit to be false and [0 1]", started, err)
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"new", "3", "2"}) || len(s.list("bob", noon)) != 1 {
		t.Errorf("left %v", got)
	}
	s.rotate("1 first", "next", noon, 0, jwt.Revoked)
}

// jwtPaged opens stores of jwt for checkPages.
func jwtPaged(open openFunc[jwtStore]) openFunc[pageStore] {
	return func(t *testing.T) pageStore {
		s := open(t)
		return pageStore{
			add:  func(user, id string, created time.Time) { s.start(user, id, created.Sub(noon)) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.Revoke(t.Context(), user, id, noon); !found || err != nil {
					t.Errorf("Revoke: got %v, %v, want true", found, err)
				}
			},
		}
	}
}

// jwtLimited opens stores of jwt for checkLimitRace.
func jwtLimited(open openFunc[jwtStore]) openFunc[limitStore] {
	return func(t *testing.T) limitStore {
		s := open(t)
		return limitStore{
			fill: func(i int) { s.start("alice", fmt.Sprint("old", i), -time.Duration(1000-i)*time.Second) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				f := jwtSession("alice", fmt.Sprint(i), 0)
				started, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, limit, evict)
				return !started.OverLimit, started.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	}
}
