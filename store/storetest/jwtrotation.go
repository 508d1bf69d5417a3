package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtRotation checks the verdicts of Rotate.
func jwtRotation(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "a token is used once, and its second use ends the family and no other", jwtUsedOnce)
	check(t, open, "a token is good until just before it expires", jwtExpires)
	check(t, open, "a token may expire before its family", jwtTokenExpiresFirst)
	check(t, open, "a refresh removes the expired tokens of its family", jwtForgets)
	check(t, open, "of 32 uses of one token at once one is good, and then the family is dead", jwtRotateRace)
}

func jwtUsedOnce(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	later := noon.Add(time.Minute)
	rotation := s.rotate("1 first", "second", later, 0, jwt.Rotated)
	if f := rotation.Session; f == nil || !f.LastUsed.Equal(later) || !f.ExpiresAt.Equal(later.Add(time.Hour)) ||
		f.ID != "1" {
		t.Errorf("got %+v, want a record and LastUsed %v and ExpiresAt %v and ID \"1\"", rotation.Session, later,
			later.Add(time.Hour))
	}
	r, f := s.find("1 first")
	if !r.Rotated.Equal(later) || r.Successor != "1 second" || !f.LastUsed.Equal(later) ||
		!f.ExpiresAt.Equal(later.Add(time.Hour)) {
		t.Errorf("find: got %+v, %+v, want Rotated %v and Successor \"1 second\" and LastUsed %v and ExpiresAt %v", r,
			f, later, later, later.Add(time.Hour))
	}
	if r, _ := s.find("1 second"); r == nil || !r.Rotated.IsZero() {
		t.Errorf("find: got %+v, want a record and zero Rotated", r)
	}
	rotation = s.rotate("1 first", "third", later.Add(time.Second), 0, jwt.Reused)
	if f := rotation.Session; f == nil || !f.RevokedAt.Equal(later.Add(time.Second)) {
		t.Errorf("got %+v, want a record and RevokedAt %v", rotation.Session, later.Add(time.Second))
	}
	if r, _ := s.find("1 third"); r != nil {
		t.Error("a second use got a successor, want the family to end")
	}
	s.rotate("1 second", "third", later.Add(time.Minute), 0, jwt.Revoked)
	s.rotate("1 first", "third", later.Add(time.Minute), 0, jwt.Revoked)
	if _, f := s.find("1 first"); !f.RevokedAt.Equal(later.Add(time.Second)) {
		t.Error("the family ended again, want it to end once")
	}
	s.revoked("the session", jwt.Claimed{SessionID: "1", UserID: "alice"}, later.Add(time.Minute), true)
	s.revoked("the other", jwt.Claimed{SessionID: "2", UserID: "alice"}, later.Add(time.Minute), false)
	if got := s.list("alice", later); !slices.Equal(got, []string{"2"}) {
		t.Errorf("listed %v, want [2]", got)
	}
}

func jwtExpires(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	s.rotate("2 first", "second", f.ExpiresAt.Add(-time.Microsecond), 0, jwt.Rotated)
	s.rotate("1 first", "second", f.ExpiresAt, 0, jwt.Expired)
	if r, session := s.find("1 first"); !r.Rotated.IsZero() || !session.RevokedAt.IsZero() {
		t.Error("an expired token was used")
	}
	s.revoked("just before", jwt.Claimed{SessionID: "1", UserID: "alice"}, f.ExpiresAt.Add(-time.Microsecond), false)
	s.revoked("then", jwt.Claimed{SessionID: "1", UserID: "alice"}, f.ExpiresAt, true)
	if got := s.list("alice", f.ExpiresAt); !slices.Equal(got, []string{"2"}) {
		t.Errorf("listed %v, want [2]", got)
	}
}

func jwtTokenExpiresFirst(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := jwtSession("alice", "1", 0)
	first := jwtToken(f, "first")
	first.ExpiresAt = noon.Add(time.Minute)
	if _, err := s.Start(t.Context(), f, first, nil, 0, false); err != nil {
		t.Fatal(err)
	}
	s.rotate("1 first", "second", noon.Add(time.Minute), 0, jwt.Expired)
}

func jwtForgets(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	s.rotate("1 first", "second", noon.Add(30*time.Minute), 0, jwt.Rotated)
	gone := noon.Add(time.Hour + jwt.KeepExpired)
	for i, at := range []time.Time{gone.Add(-time.Microsecond), gone} {
		s.rotate([]string{"1 second", "1 third"}[i], []string{"third", "fourth"}[i], at, 0, jwt.Rotated)
		if r, _ := s.find("1 first"); (r != nil) != (i == 0) {
			t.Errorf("%v after noon: found %+v, want found to be %v", at.Sub(noon), r, i == 0)
		}
	}
	for _, kept := range []string{"1 second", "1 third", "1 fourth", "2 first"} {
		if r, _ := s.find(kept); r == nil {
			t.Errorf("the token %s is gone, want it kept", kept)
		}
	}
	s.rotate("1 second", "fifth", gone, 0, jwt.Reused) // used ones are known as long as they count
}

func jwtRotateRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for round := range 5 {
		f := s.start("alice", fmt.Sprint(round), 0)
		verdicts := make([]jwt.Verdict, 32)
		atOnce(len(verdicts), func(i int) {
			rotation, err := s.Rotate(t.Context(), f.ID+" first", noon, 0, jwtToken(f, fmt.Sprint("next", i)))
			if err != nil {
				t.Error(err)
			}
			verdicts[i] = rotation.Verdict
		})
		rotated := 0
		for _, v := range verdicts {
			switch v {
			case jwt.Rotated:
				rotated++
			case jwt.Reused, jwt.Revoked:
			default:
				t.Errorf("got verdict %d, want Rotated, Reused or Revoked", v)
			}
		}
		if rotated != 1 {
			t.Errorf("%d of 32 uses were good, want 1", rotated)
		}
		s.revoked("the session", jwt.Claimed{SessionID: f.ID, UserID: "alice"}, noon, true)
	}
	if got := s.list("alice", noon); len(got) != 0 {
		t.Errorf("listed %v, want nothing", got)
	}
}

// jwtGrace checks the retries of Rotate.
func jwtGrace(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "within the grace the same successor is given, until it is used", jwtRetries)
	check(t, open, "a grace ends at its instant, and there is no grace without a sealed successor", jwtGraceEnds)
	check(t, open, "of 32 uses at once within a grace all get one successor", jwtGraceRace)
}

func jwtRetries(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	s.rotate("1 first", "second", noon, time.Minute, jwt.Rotated)
	again := s.rotate("1 first", "other", noon.Add(time.Minute-time.Microsecond), time.Minute, jwt.Retried)
	if string(again.Sealed) != "sealed second" || again.Session == nil || again.Session.ID != "1" {
		t.Errorf("rotate: got %+v, want Sealed \"sealed second\" and a Family and ID \"1\"", again)
	}
	if r, _ := s.find("1 other"); r != nil {
		t.Error("a retry made another successor")
	}
	s.rotate("1 second", "third", noon.Add(time.Second), time.Minute, jwt.Rotated)
	if r, _ := s.find("1 second"); r.Sealed != nil {
		t.Error("what was sealed is kept after its use")
	}
	if r, _ := s.find("1 third"); string(r.Sealed) != "sealed third" {
		t.Errorf("find: got %+v, want Sealed \"sealed third\"", r)
	}
	s.rotate("1 first", "other", noon.Add(2*time.Second), time.Minute, jwt.Reused)
	s.rotate("1 second", "other", noon.Add(2*time.Second), time.Minute, jwt.Revoked)
}

func jwtGraceEnds(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for i, row := range []struct {
		after  time.Duration
		grace  time.Duration
		sealed bool
		want   jwt.Verdict
	}{
		{time.Minute, time.Minute, true, jwt.Reused},
		{time.Minute - time.Microsecond, time.Minute, true, jwt.Retried},
		{0, time.Minute, true, jwt.Retried},
		{0, 0, true, jwt.Reused},
		{time.Second, time.Minute, false, jwt.Reused},
		{-time.Second, time.Minute, true, jwt.Retried}, // the first use was served last
		{-time.Minute, time.Minute, true, jwt.Reused},
		{-time.Second, 0, true, jwt.Reused},
	} {
		f := s.start("alice", fmt.Sprint(i), 0)
		next := jwtToken(f, "second")
		if row.sealed {
			next.Sealed = []byte("x")
		}
		if rotation, err := s.Rotate(t.Context(), f.ID+" first", noon, row.grace, next); err != nil ||
			rotation.Verdict != jwt.Rotated {
			t.Fatalf("Rotate: got %v, %v, want verdict Rotated", rotation, err)
		}
		s.rotate(f.ID+" first", "third", noon.Add(row.after), row.grace, row.want)
	}
	f := jwtSession("alice", "short", 0)
	if _, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil {
		t.Fatal(err)
	}
	short := jwtToken(f, "second")
	short.Sealed, short.ExpiresAt = []byte("x"), noon.Add(time.Second)
	if _, err := s.Rotate(t.Context(), "short first", noon, time.Minute, short); err != nil {
		t.Fatal(err)
	}
	if rotation, err := s.Rotate(t.Context(), "short first", noon.Add(time.Second), time.Minute,
		jwtToken(f, "third")); err != nil || rotation.Verdict != jwt.Expired {
		t.Errorf("the session expired with its successor: %+v %v", rotation, err)
	}
}

func jwtGraceRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	successors := make([]string, 32)
	atOnce(len(successors), func(i int) {
		next := jwtToken(f, fmt.Sprint("next", i))
		next.Sealed = []byte(next.Digest)
		rotation, err := s.Rotate(t.Context(), "1 first", noon, time.Minute, next)
		switch {
		case err != nil:
			t.Error(err)
		case rotation.Verdict == jwt.Rotated:
			successors[i] = next.Digest
		case rotation.Verdict == jwt.Retried:
			successors[i] = string(rotation.Sealed)
		}
	})
	if one := slices.Compact(slices.Sorted(slices.Values(successors))); len(one) != 1 || one[0] == "" {
		t.Errorf("got the successors %q, want one for all", one)
	}
	s.revoked("the session", jwt.Claimed{SessionID: "1", UserID: "alice"}, noon, false)
}
