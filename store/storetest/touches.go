package storetest

import (
	"slices"
	"testing"
	"time"
)

// checkTouches checks that a store that writes touches later works as if it wrote them at
// once.
func checkTouches(t *testing.T, open openFunc[touchStore]) {
	check(t, open, "a touch is found and listed at once", touchFound)
	check(t, open, "a record that was touched is not purged before its new expiry, and others are", touchPurge)
	check(t, open, "a record that lives by a touch counts against the limit", touchLimit)
	check(t, open, "a record that lives by a touch is touched again", touchAgain)
	check(t, open, "a use after the expiry changes nothing, whatever its caller has read", touchExpired)
	check(t, open, "of uses in any order the last one counts, and the latest expiry", touchOrder)
	check(t, open, "a touch that is pending brings nothing back", touchPending)
	check(t, open, "a touch of a record that was ended changes no new record with its digest", touchNewRecord)
	check(t, open, "uses, ends and purges at once leave no record that was ended", touchRace)
}

func touchFound(t *testing.T, open openFunc[touchStore]) {
	s := sixTouched(t, open)
	s.wantUse(t, shortID(1), time.Minute, 2*time.Hour)
	for _, row := range []struct {
		after string
		limit int
		now   time.Duration
		want  string
	}{
		{"", 10, time.Minute, "[[5 4 3 2 1 0]]"},
		{"", 10, time.Hour, "[[5 3 1]]"},
		{"", 2, time.Hour, "[[5 3]]"},
		{"", 3, time.Hour, "[[5 3 1]]"},
		{shortID(3), 2, time.Hour, "[[1]]"},
		{"", 10, 2*time.Hour - time.Microsecond, "[[5 3 1]]"},
		{"", 10, 2 * time.Hour, "[[]]"},
	} {
		if got := short([][]string{s.list("alice", row.after, row.limit, row.now)}); got != row.want {
			t.Errorf("got %s after %q of at most %d at %v, want %s", got, row.after, row.limit, row.now, row.want)
		}
	}
}

func touchPurge(t *testing.T, open openFunc[touchStore]) {
	s := sixTouched(t, open)
	first := s.purge(2, time.Hour)
	second := s.purge(2, time.Hour)
	all := slices.Concat(first, second)
	slices.Sort(all)
	if len(first) != 2 || len(second) != 1 || !slices.Equal(all, []string{shortID(0), shortID(2), shortID(4)}) {
		t.Errorf("got %v and %v, want 2 and 1 of those that were not touched", first, second)
	}
	for _, i := range []int{1, 3, 5} {
		s.wantUse(t, shortID(i), time.Minute, 2*time.Hour)
	}
	if got := s.purge(10, 2*time.Hour); len(got) != 3 {
		t.Errorf("got %v after the new expiry, want the other three", got)
	}
}

func touchLimit(t *testing.T, open openFunc[touchStore]) {
	s := sixTouched(t, open)
	if s.add("alice", shortID(7), 9*time.Hour, 3, time.Hour) {
		t.Error("got a fourth record, want a refusal")
	}
	if !s.add("alice", shortID(7), 9*time.Hour, 4, time.Hour) {
		t.Error("got a refusal, want a fourth record of four")
	}
}

func touchAgain(t *testing.T, open openFunc[touchStore]) {
	for sentence, expires := range map[string]time.Duration{
		"long before": 9 * time.Hour, "shortly before": time.Hour + 2*time.Minute + time.Second,
	} {
		s := open(t)
		s.add("alice", shortID(1), time.Hour, 0, 0)
		s.touch("alice", shortID(1), time.Minute, expires, time.Hour)
		s.touch("alice", shortID(1), time.Hour+2*time.Minute, 10*time.Hour, expires)
		s.wantUse(t, shortID(1), time.Hour+2*time.Minute, 10*time.Hour)
		if got := s.purge(10, 10*time.Hour-time.Microsecond); len(got) != 0 {
			t.Errorf("%s: purged %v, want nothing", sentence, got)
		}
	}
}

func touchExpired(t *testing.T, open openFunc[touchStore]) {
	s := open(t)
	s.add("alice", shortID(1), time.Hour, 0, 0)
	s.touch("alice", shortID(1), time.Minute, 0, time.Hour)
	s.touch("alice", shortID(1), time.Hour, 9*time.Hour, time.Hour)
	s.touch("alice", shortID(1), 2*time.Hour, 0, time.Hour)
	s.wantUse(t, shortID(1), time.Minute, time.Hour)
	if got := s.purge(10, time.Hour); len(got) != 1 {
		t.Errorf("got %v, want the record", got)
	}
}

func touchOrder(t *testing.T, open openFunc[touchStore]) {
	s := open(t)
	s.add("alice", shortID(1), time.Hour, 0, 0)
	atOnce(32, func(i int) {
		s.touch("alice", shortID(1), time.Duration(i)*time.Second, 2*time.Hour-time.Duration(i)*time.Second, time.Hour)
	})
	s.wantUse(t, shortID(1), 31*time.Second, 2*time.Hour)
}

func touchPending(t *testing.T, open openFunc[touchStore]) {
	s := sixTouched(t, open)
	for _, i := range []int{1, 2} {
		s.end("alice", shortID(i))
		s.touch("alice", shortID(i), 2*time.Minute, 3*time.Hour, 2*time.Hour)
		if _, _, found := s.find("alice", shortID(i)); found {
			t.Errorf("got record %d after it was ended", i)
		}
	}
	if got := short([][]string{s.list("alice", "", 10, time.Hour)}); got != "[[5 3]]" {
		t.Errorf("got %s, want the others", got)
	}
}

func touchNewRecord(t *testing.T, open openFunc[touchStore]) {
	s := sixTouched(t, open)
	if s.pair {
		t.Skip("a store drops its own touches of a record alone, and a digest is never used again")
	}
	s.end("alice", shortID(1))
	s.add("alice", shortID(1), time.Minute+time.Second, 0, 0)
	unused, _, _ := s.find("alice", shortID(0)) // was never touched
	s.wantUse(t, shortID(1), unused, time.Minute+time.Second)
	s.touch("alice", shortID(1), time.Second, time.Minute+2*time.Second, time.Minute+time.Second)
	s.wantUse(t, shortID(1), time.Second, time.Minute+2*time.Second)
	if got := s.purge(10, time.Minute+2*time.Second); len(got) != 1 {
		t.Errorf("purged %v, want the new record", got)
	}
}

func touchRace(t *testing.T, open openFunc[touchStore]) {
	s := open(t)
	for round := range 4 {
		s.add("alice", shortID(round), time.Hour, 0, 0)
		atOnce(24, func(i int) {
			switch {
			case i == 12:
				s.end("alice", shortID(round))
			case i%8 == 0:
				s.purge(10, time.Minute)
			case i%8 == 1:
				s.list("alice", "", 10, time.Minute)
			default:
				s.touch("alice", shortID(round), time.Duration(i)*time.Second, 2*time.Hour, time.Hour)
			}
		})
		if _, _, found := s.find("alice", shortID(round)); found {
			t.Errorf("got record %d after it was ended", round)
		}
	}
}

// touchStore is a store with records that are touched. Instants are given as the time since noon.
type touchStore struct {
	// pair is set if there are two stores, and either one may have touches that the other does not know of.
	pair bool
	// add adds a record of a user that expires then, if the user has less than limit that
	// are live at now, and reports whether it did.
	add func(user, id string, expires time.Duration, limit int, now time.Duration) bool
	// find returns the last use and the expiry of a record, and whether it is there.
	find func(user, id string) (used, expires time.Duration, found bool)
	// touch touches a record that its caller has read as one that expires at liveUntil.
	touch func(user, id string, used, expires, liveUntil time.Duration)
	// list returns the identifiers of a page of the records that are live at now.
	list func(user, after string, limit int, now time.Duration) []string
	// end ends a record of a user.
	end func(user, id string)
	// purge removes at most limit records that have expired at now.
	purge func(limit int, now time.Duration) []string
}

// wantUse fails if a record has another last use or expiry.
func (s touchStore) wantUse(t *testing.T, id string, used, expires time.Duration) {
	t.Helper()
	gotUsed, gotExpires, found := s.find("alice", id)
	if !found || gotUsed != used || gotExpires != expires {
		t.Errorf("got a use after %v and an expiry after %v, found: %v, want %v and %v",
			gotUsed, gotExpires, found, used, expires)
	}
}

// sixTouched returns a store with six records that expire after an hour. The odd ones expire later
// by a touch.
func sixTouched(t *testing.T, open openFunc[touchStore]) touchStore {
	t.Helper()
	s := open(t)
	for i := range 6 {
		s.add("alice", shortID(i), time.Hour, 0, 0)
	}
	for _, i := range []int{1, 3, 5} {
		s.touch("alice", shortID(i), time.Minute, 2*time.Hour, time.Hour)
	}
	return s
}
