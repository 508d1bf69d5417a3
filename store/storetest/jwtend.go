package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtEnding checks End and EndAll.
func jwtEnding(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "a user ends a family of their own, once", jwtEndsOne)
	check(t, open, "EndAll ends the families of one user, and of no user with a similar name", jwtEndsAll)
	check(t, open, "EndAll except one stamps that login, and revokes the tokens of other issuers", jwtEndsOthers)
	check(t, open, "no call that runs during EndAll restores a family", jwtEndAllRace)
	check(t, open, "a login during EndAll ends or has the new generation", jwtVoidRace)
}

func jwtEndsOne(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	for _, row := range []struct {
		user string
		id   string
		now  time.Time
		want bool
	}{{"bob", "1", noon, false}, {"alice", "3", noon, false}, {"alice", "2", f.ExpiresAt, false},
		{"alice", "1", noon, true}, {"alice", "1", noon.Add(time.Second), false}} {
		if found, err := s.Revoke(t.Context(), row.user, row.id, row.now); found != row.want || err != nil {
			t.Errorf("%+v: End: got %v, %v, want %v", row, found, err, row.want)
		}
	}
	if _, f := s.find("1 first"); !f.RevokedAt.Equal(noon) {
		t.Errorf("find: got %+v, want RevokedAt %v", f, noon)
	}
	s.rotate("1 first", "second", noon, time.Minute, jwt.Revoked)
	s.rotate("2 first", "second", noon, 0, jwt.Rotated)
}

func jwtEndsAll(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	others := []string{"Alice", "alice ", "älice", "alic", "alice2", "' OR ''='", "%"}
	for i, user := range append(others, "alice") {
		s.start(user, fmt.Sprint(user, i), 0)
	}
	s.start("alice", "second", time.Minute)
	expired := s.start("alice", "expired", -2*time.Hour)
	ids, err := s.RevokeAll(t.Context(), "alice", "", "", noon.Add(time.Minute))
	if err != nil || len(ids) != 2 || !slices.Contains(ids, "second") || slices.Contains(ids, expired.ID) {
		t.Errorf("RevokeAll: got %v, %v, want the two live families and not the expired one", ids, err)
	}
	if got := s.list("alice", noon); len(got) != 0 {
		t.Errorf("listed %v, want nothing", got)
	}
	for i, user := range others {
		s.revoked(user, jwt.Claimed{SessionID: fmt.Sprint(user, i), UserID: user}, noon, false)
	}
	s.revoked("another's session claimed", jwt.Claimed{SessionID: "Alice0", UserID: "alice", Generation: 9}, noon, true)
}

func jwtEndsOthers(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	s.start("bob", "3", 0)
	if ids, err := s.RevokeAll(t.Context(), "alice", "1", "new", noon); err != nil ||
		!slices.Equal(ids, []string{"2"}) {
		t.Errorf("RevokeAll: got %v, %v, want ids [2]", ids, err)
	}
	if _, f := s.find("1 first"); f.Stamp != "new" || !f.Live(noon) {
		t.Errorf("find: got %+v, want Stamp \"new\" and it to be live", f)
	}
	s.revoked("the one that is kept", jwt.Claimed{SessionID: "1", UserID: "alice"}, noon, false)
	s.revoked("one of no session", jwt.Claimed{UserID: "alice"}, noon, false)
	s.revoked("issued by others", jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon}, noon, true)
	s.revoked("issued by others later", jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon.Add(time.Second)},
		noon, false)
	if _, err := s.RevokeAll(t.Context(), "carol", "", "", noon); err != nil {
		t.Fatal(err)
	}
	carol := s.start("carol", "4", 0)
	if _, err := s.RevokeAll(t.Context(), "carol", "4", "new", noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.revoked("the generation of a kept one", jwt.Claimed{SessionID: carol.ID, UserID: "carol", Generation: 1}, noon,
		false)
	s.revoked("a generation before", jwt.Claimed{UserID: "carol"}, noon, true)
	if ids, err := s.RevokeAll(t.Context(), "alice", "3", "x", noon); err != nil || !slices.Equal(ids, []string{"1"}) {
		t.Errorf("keeping another's: %v %v, want [1]", ids, err)
	}
	if _, f := s.find("3 first"); f.Stamp != "" || !f.Live(noon) {
		t.Errorf("the family of another user: got %+v, want it live without a stamp", f)
	}
	if _, err := s.RevokeAll(t.Context(), "alice", "1", "later", noon); err != nil {
		t.Fatal(err)
	}
	if _, f := s.find("1 first"); f.Stamp != "new" {
		t.Error("an ended session was stamped")
	}
}

func jwtEndAllRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for round := range 10 {
		for i := range 4 {
			s.start("alice", fmt.Sprint(round, " ", i), 0)
		}
		atOnce(5, func(i int) {
			if i == 4 {
				if _, err := s.RevokeAll(t.Context(), "alice", "", "", noon); err != nil {
					t.Error(err)
				}
				return
			}
			id := fmt.Sprint(round, " ", i)
			if _, err := s.Rotate(t.Context(), id+" first", noon, 0,
				jwtToken(jwtSession("alice", id, 0), "second")); err != nil {
				t.Error(err)
			}
		})
		if got := s.list("alice", noon); len(got) != 0 {
			t.Fatalf("live: %v, want nothing", got)
		}
	}
}

func jwtVoidRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for round := range 20 {
		f := jwtSession("alice", fmt.Sprint(round), 0)
		var started jwt.Started
		atOnce(2, func(i int) {
			var err error
			if i == 0 {
				started, err = s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false)
			} else {
				_, err = s.RevokeAll(t.Context(), "alice", "", "", noon)
			}
			if err != nil {
				t.Error(err)
			}
		})
		s.revoked("a token of it", jwt.Claimed{SessionID: f.ID, UserID: "alice", Generation: started.Generation}, noon,
			started.Generation < int64(round+1))
	}
}

// jwtRevocation checks Revoked.
func jwtRevocation(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "a generation revokes all older ones, and what other issuers issued before it", jwtGenerations)
	check(t, open, "a sliding token is good until it is replaced, and for the grace", jwtSliding)
}

func jwtGenerations(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for n := range int64(3) {
		at := noon.Add(time.Duration(n) * time.Minute)
		id := fmt.Sprint(n)
		f := jwtSession("alice", id, time.Duration(n)*time.Minute)
		if started, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil ||
			started.Generation != n {
			t.Fatalf("Start: got %+v, %v, want Generation %v", started, err, n)
		}
		if rotation := s.rotate(id+" first", "second", at, 0, jwt.Rotated); rotation.Generation != n {
			t.Errorf("rotate: got %+v, want Generation %v", rotation, n)
		}
		s.revoked("the present generation", jwt.Claimed{SessionID: id, UserID: "alice", Generation: n}, at, false)
		s.revoked("one before", jwt.Claimed{UserID: "alice", Generation: n - 1}, at, n > 0)
		s.revoked("one to come", jwt.Claimed{UserID: "alice", Generation: n + 1}, at, false)
		if _, err := s.RevokeAll(t.Context(), "alice", "", "", at); err != nil {
			t.Fatal(err)
		}
		s.revoked("the voided generation", jwt.Claimed{UserID: "alice", Generation: n}, at, true)
		for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Microsecond: false} {
			s.revoked(fmt.Sprint("issued by others ", after),
				jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: at.Add(after)}, at.Add(time.Hour), want)
		}
		s.revoked("bob's", jwt.Claimed{UserID: "bob", Generation: -1, IssuedAt: noon.Add(-time.Hour)}, at, false)
	}
}

func jwtSliding(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	claimed := jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 first"}
	s.revoked("before", claimed, noon, false)
	s.revoked("of another session", jwt.Claimed{SessionID: "2", UserID: "alice", Digest: "1 first"}, noon, true)
	s.revoked("unknown", jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "x"}, noon, true)
	s.rotate("1 first", "second", noon, 0, jwt.Rotated)
	s.revoked("replaced", claimed, noon, true)
	s.revoked("the new one", jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 second"}, noon, false)
	claimed.Grace = time.Minute
	s.revoked("within the grace", claimed, noon.Add(time.Minute-time.Microsecond), false)
	s.revoked("after the grace", claimed, noon.Add(time.Minute), true)
	s.rotate("2 first", "second", noon.Add(30*time.Minute), 0, jwt.Rotated) // the session goes on
	s.revoked("itself expired", jwt.Claimed{SessionID: "2", UserID: "alice", Digest: "2 first", Grace: time.Hour},
		f.ExpiresAt, true)
}
