package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalReservations checks one login after another. externalReservationRaces checks logins at once.
func externalReservations(t *testing.T, open openFunc[externalStore]) {
	for sentence, run := range map[string]func(s externalStore){
		"a key has one reservation, until an identity takes its place":           oneReservation,
		"a reservation is there until the later of the times that were asked":    reservationExpires,
		"after Unlink, Reserve makes a new reservation of the key":               reservedAnew,
		"an identity that is linked without it drops the reservation":            reservationGoes,
		"an identity is confirmed by the reservation of its key, and no other":   otherReservations,
		"keys of reservations are told apart byte by byte":                       reservationKeys,
		"the ID of another reservation or identity is an error, and adds none":   usedIDs,
		"Purge removes and counts reservations that expired, besides the others": purgeReservations,
	} {
		t.Run(sentence, func(t *testing.T) { run(open(t)) })
	}
}

// reserve reserves a key of externalIssuer until an hour after now.
func (s externalStore) reserve(id, subject string, now time.Time, wantID, wantOwner string) {
	s.Helper()
	got, owner, err := s.Reserve(s.Context(), externalReservation(id, subject, now), now)
	if got != wantID || owner != wantOwner || err != nil {
		s.Errorf("Reserve of %q for %q: %q, %q, %v, want %q, %q", subject, id, got, owner, err, wantID, wantOwner)
	}
}

func (s externalStore) confirm(id string, i *external.Identity, now time.Time, wantOwner string, wantLinked bool) {
	s.Helper()
	owner, linked, err := s.Confirm(s.Context(), id, i, now)
	if owner != wantOwner || linked != wantLinked || err != nil {
		s.Errorf("Confirm of %q for %q: %q, %v, %v, want %q, %v", i.Subject, id, owner, linked, err, wantOwner,
			wantLinked)
	}
}

func externalReservation(id, subject string, now time.Time) *external.Reservation {
	return &external.Reservation{ID: id, Issuer: externalIssuer, Subject: subject, ExpiresAt: now.Add(time.Hour)}
}

func oneReservation(s externalStore) {
	s.reserve("r1", "1", noon, "r1", "")
	s.reserve("r2", "1", noon, "r1", "")
	s.reserve("r3", "2", noon, "r3", "")
	if got := s.find("1"); got != nil {
		s.Errorf("reserved, and found %+v, want nil", got)
	}
	s.wantIDs("alice")
	want := externalIdentity("alice", "1")
	s.confirm("r1", want, noon, "alice", true)
	if got := s.find("1"); !sameIdentity(got, want) {
		s.Errorf("confirmed %+v\nfound     %+v", want, got)
	}
	// It is linked, whatever comes after.
	s.confirm("r1", externalIdentity("alice", "1"), noon, "alice", false)
	again := externalIdentity("bob", "again")
	again.Subject = "1"
	s.confirm("r1", again, noon, "alice", false)
	s.confirm("unknown", again, noon, "alice", false)
	s.reserve("r4", "1", noon, "", "alice")
	s.wantIDs("alice", "1")
	s.wantIDs("bob")
	s.confirm("r3", externalIdentity("bob", "2"), noon, "bob", true)
}

func reservationExpires(s externalStore) {
	last := time.Microsecond
	s.reserve("r1", "1", noon, "r1", "")
	s.reserve("r2", "1", noon.Add(-time.Minute), "r1", "") // an hour from then is sooner
	s.reserve("r3", "1", noon.Add(time.Hour-last), "r1", "")
	end := noon.Add(2*time.Hour - last)
	s.confirm("r1", externalIdentity("alice", "1"), end, "", false)
	s.confirm("r1", externalIdentity("alice", "1"), end.Add(time.Hour), "", false)
	s.reserve("r4", "1", end, "r4", "")
	s.confirm("r1", externalIdentity("alice", "1"), end, "", false)
	s.reserve("r5", "1", end, "r4", "")
	s.confirm("r4", externalIdentity("alice", "1"), end.Add(time.Hour-last), "alice", true)
	s.wantIDs("alice", "1")
}

func reservedAnew(s externalStore) {
	s.reserve("r1", "1", noon, "r1", "")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "alice", true)
	s.unlink("alice", "1", false, external.UnlinkRemoved)
	// A login that began before comes too late.
	s.confirm("r1", externalIdentity("alice", "1"), noon, "", false)
	s.reserve("r2", "1", noon, "r2", "")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "", false)
	s.wantIDs("alice")
	s.confirm("r2", externalIdentity("bob", "1"), noon, "bob", true)
	if n, err := s.RemoveUser(s.Context(), "bob"); n != 1 || err != nil {
		s.Errorf("RemoveUser: %d, %v, want 1", n, err)
	}
	s.reserve("r3", "1", noon, "r3", "")
}

func reservationGoes(s externalStore) {
	s.reserve("other", "2", noon, "other", "")
	s.reserve("r1", "1", noon, "r1", "")
	s.link(externalIdentity("bob", "1"), "bob")
	s.reserve("r2", "1", noon, "", "bob")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "bob", false)
	s.unlink("bob", "1", false, external.UnlinkRemoved)
	// A login that began before bob linked it comes too late, also after the next one has begun.
	s.confirm("r1", externalIdentity("alice", "1"), noon, "", false)
	s.reserve("r3", "1", noon, "r3", "")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "", false)
	s.link(externalIdentity("bob", "1"), "bob")
	if n, err := s.RemoveUser(s.Context(), "bob"); n != 1 || err != nil {
		s.Errorf("RemoveUser: %d, %v, want 1", n, err)
	}
	s.confirm("r3", externalIdentity("alice", "1"), noon, "", false)
	s.reserve("r1", "1", noon, "r1", "") // the ID is free
	s.confirm("r1", externalIdentity("alice", "1"), noon, "alice", true)
	s.confirm("other", externalIdentity("alice", "2"), noon, "alice", true)
}

func otherReservations(s externalStore) {
	s.reserve("r1", "1", noon, "r1", "")
	s.reserve("r2", "2", noon, "r2", "")
	for _, id := range []string{"r2", "R1", "r1 ", "r", ""} {
		s.confirm(id, externalIdentity("alice", "1"), noon, "", false)
	}
	s.confirm("r1", externalIdentity("alice", "3"), noon, "", false)
	s.wantIDs("alice")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "alice", true)
	s.confirm("r2", externalIdentity("bob", "2"), noon, "bob", true)
}

func reservationKeys(s externalStore) {
	keys := [][2]string{{externalIssuer, "s"}, {externalIssuer, "S"}, {externalIssuer, "s "}, {externalIssuer, " s"},
		{externalIssuer + "/", "s"}, {"HTTPS://accounts.example", "s"}, {externalIssuer, "\u00e9"},
		{externalIssuer, "e\u0301"}, {externalIssuer + "s", ""}, {"s", externalIssuer}, {externalIssuer, "1"},
		{externalIssuer, "01"},
		{externalIssuer, odd}}
	for range 2 {
		for i, key := range keys {
			r := &external.Reservation{ID: fmt.Sprint(i), Issuer: key[0], Subject: key[1],
				ExpiresAt: noon.Add(time.Hour)}
			if id, owner, err := s.Reserve(s.Context(), r, noon); id != fmt.Sprint(i) || owner != "" || err != nil {
				s.Errorf("%q: %q, %q, %v", key, id, owner, err)
			}
		}
	}
}

func usedIDs(s externalStore) {
	s.reserve("r1", "1", noon, "r1", "")
	if id, _, err := s.Reserve(s.Context(), externalReservation("r1", "2", noon), noon); err == nil {
		s.Errorf("the ID of another reservation was taken, and %q returned, want an error", id)
	}
	s.reserve("r2", "2", noon, "r2", "")
	s.link(externalIdentity("bob", "b"), "bob")
	same := externalIdentity("alice", "b")
	same.Subject = "1"
	if owner, linked, err := s.Confirm(s.Context(), "r1", same, noon); err == nil {
		s.Errorf("the ID of another identity was taken: %q, %v, want an error", owner, linked)
	}
	s.wantIDs("alice")
	s.confirm("r1", externalIdentity("alice", "1"), noon, "alice", true) // the reservation is still there
}

func purgeReservations(s externalStore) {
	for i := range 5 {
		s.reserve(fmt.Sprint("old", i), fmt.Sprint("old", i), noon.Add(-time.Hour), fmt.Sprint("old", i), "")
	}
	s.reserve("r1", "1", noon.Add(time.Microsecond-time.Hour), "r1", "")
	s.reserve("again", "2", noon.Add(-time.Hour), "again", "")
	s.reserve("x", "2", noon.Add(-time.Minute), "again", "") // and so it expires later
	s.put("k", noon, noon.Add(-time.Hour), true)
	for step, want := range []int{4, 2, 0} {
		if n, err := s.Purge(s.Context(), noon, 4); n != want || err != nil {
			s.Errorf("step %d: %d, %v, want %d", step, n, err, want)
		}
	}
	then := noon.Add(-time.Minute)
	s.reserve("y", "1", then, "r1", "")
	s.reserve("y", "2", then, "again", "")
	s.reserve("new", "old0", then, "new", "")
}

func externalReservationRaces(t *testing.T, open openFunc[externalStore]) {
	t.Run("of 60 first logins of one identity at once all have one reservation, and one is told that it linked",
		func(t *testing.T) {
			s := open(t)
			for round := range 4 {
				subject := fmt.Sprint("contended", round)
				firstLogins(s, subject, noon)
			}
		})
	t.Run("of 60 first logins at once all get one reservation, also after an older one expired", func(t *testing.T) {
		s := open(t)
		s.reserve("old", "late", noon, "old", "")
		firstLogins(s, "late", noon.Add(time.Hour))
	})
	t.Run("Purge does not remove a reservation that is renewed at the same time", func(t *testing.T) {
		s := open(t)
		for round := range 8 {
			subject := fmt.Sprint(round)
			s.reserve("old"+subject, subject, noon.Add(-time.Hour), "old"+subject, "")
			atOnce(8, func(i int) {
				var err error
				if i%2 == 0 {
					_, err = s.Purge(s.Context(), noon, 100)
				} else {
					id := "new" + subject
					_, _, err = s.Reserve(s.Context(), externalReservation(id, subject, noon), noon)
				}
				if err != nil {
					t.Error(err)
				}
			})
			s.reserve("later"+subject, subject, noon, "new"+subject, "")
		}
	})
}

// firstLogins has 60 logins reserve and confirm at once. Each makes the user that its reservation names.
func firstLogins(s externalStore, subject string, now time.Time) {
	s.Helper()
	const logins = 60
	var linked atomic.Int32
	owners := make([]string, logins)
	atOnce(logins, func(i int) {
		name := fmt.Sprint(subject, " ", i)
		id, owner, err := s.Reserve(s.Context(), externalReservation(name, subject, now), now)
		if err == nil && owner == "" {
			identity := externalIdentity("user of "+id, "i"+name)
			identity.Subject = subject
			var first bool
			if owner, first, err = s.Confirm(s.Context(), id, identity, now); first {
				linked.Add(1)
			}
		}
		if err != nil {
			s.Error(err)
		}
		owners[i] = owner
	})
	got := s.find(subject)
	if got == nil || linked.Load() != 1 {
		s.Fatalf("found %+v, %d were told that they linked, want 1", got, linked.Load())
	}
	for i, owner := range owners {
		if owner != got.UserID {
			s.Errorf("login %d was told %q, want %q", i, owner, got.UserID)
		}
	}
}
