package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// touched is a store whose records are touched. Instants are given as the time since noon.
type touched struct {
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
func (s touched) wantUse(t *testing.T, id string, used, expires time.Duration) {
	t.Helper()
	gotUsed, gotExpires, found := s.find("alice", id)
	if !found || gotUsed != used || gotExpires != expires {
		t.Errorf("got a use after %v and an expiry after %v, found: %v, want %v and %v",
			gotUsed, gotExpires, found, used, expires)
	}
}

// checkTouches checks that a store that writes touches later works as if it wrote them at
// once.
func checkTouches(t *testing.T, open func(t *testing.T) touched) {
	const minute, hour = time.Minute, time.Hour
	id := func(i int) string { return fmt.Sprintf("0197-%03d", i) }
	// six has as many records that expire after an hour. The odd ones expire later by a touch.
	six := func(t *testing.T) touched {
		s := open(t)
		for i := range 6 {
			s.add("alice", id(i), hour, 0, 0)
		}
		for _, i := range []int{1, 3, 5} {
			s.touch("alice", id(i), minute, 2*hour, hour)
		}
		return s
	}
	t.Run("a touch is found and listed at once", func(t *testing.T) {
		s := six(t)
		s.wantUse(t, id(1), minute, 2*hour)
		for _, row := range []struct {
			after string
			limit int
			now   time.Duration
			want  string
		}{
			{"", 10, minute, "[[5 4 3 2 1 0]]"},
			{"", 10, hour, "[[5 3 1]]"},
			{"", 2, hour, "[[5 3]]"},
			{"", 3, hour, "[[5 3 1]]"},
			{id(3), 2, hour, "[[1]]"},
			{"", 10, 2*hour - time.Microsecond, "[[5 3 1]]"},
			{"", 10, 2 * hour, "[[]]"},
		} {
			if got := short([][]string{s.list("alice", row.after, row.limit, row.now)}); got != row.want {
				t.Errorf("got %s after %q of at most %d at %v, want %s", got, row.after, row.limit, row.now, row.want)
			}
		}
	})
	t.Run("a record that was touched is not purged before its new expiry, and others are", func(t *testing.T) {
		s := six(t)
		first := s.purge(2, hour)
		second := s.purge(2, hour)
		all := slices.Concat(first, second)
		slices.Sort(all)
		if len(first) != 2 || len(second) != 1 || !slices.Equal(all, []string{id(0), id(2), id(4)}) {
			t.Errorf("got %v and %v, want 2 and 1 of those that were not touched", first, second)
		}
		for _, i := range []int{1, 3, 5} {
			s.wantUse(t, id(i), minute, 2*hour)
		}
		if got := s.purge(10, 2*hour); len(got) != 3 {
			t.Errorf("got %v after the new expiry, want the other three", got)
		}
	})
	t.Run("a record that lives by a touch counts against the limit", func(t *testing.T) {
		s := six(t)
		if s.add("alice", id(7), 9*hour, 3, hour) {
			t.Error("got a fourth record, want a refusal")
		}
		if !s.add("alice", id(7), 9*hour, 4, hour) {
			t.Error("got a refusal, want a fourth record of four")
		}
	})
	t.Run("a record that lives by a touch is touched again", func(t *testing.T) {
		for sentence, expires := range map[string]time.Duration{
			"long before": 9 * hour, "shortly before": hour + 2*minute + time.Second,
		} {
			s := open(t)
			s.add("alice", id(1), hour, 0, 0)
			s.touch("alice", id(1), minute, expires, hour)
			s.touch("alice", id(1), hour+2*minute, 10*hour, expires)
			s.wantUse(t, id(1), hour+2*minute, 10*hour)
			if got := s.purge(10, 10*hour-time.Microsecond); len(got) != 0 {
				t.Errorf("%s: purged %v", sentence, got)
			}
		}
	})
	t.Run("a use after the expiry changes nothing, whatever its caller has read", func(t *testing.T) {
		s := open(t)
		s.add("alice", id(1), hour, 0, 0)
		s.touch("alice", id(1), minute, 0, hour)
		s.touch("alice", id(1), hour, 9*hour, hour)
		s.touch("alice", id(1), 2*hour, 0, hour)
		s.wantUse(t, id(1), minute, hour)
		if got := s.purge(10, hour); len(got) != 1 {
			t.Errorf("got %v, want the record", got)
		}
	})
	t.Run("of uses in any order the last one counts, and the latest expiry", func(t *testing.T) {
		s := open(t)
		s.add("alice", id(1), hour, 0, 0)
		parallel(32, func(i int) {
			s.touch("alice", id(1), time.Duration(i)*time.Second, 2*hour-time.Duration(i)*time.Second, hour)
		})
		s.wantUse(t, id(1), 31*time.Second, 2*hour)
	})
	t.Run("a touch that is pending brings nothing back", func(t *testing.T) {
		s := six(t)
		for _, i := range []int{1, 2} {
			s.end("alice", id(i))
			s.touch("alice", id(i), 2*minute, 3*hour, 2*hour)
			if _, _, found := s.find("alice", id(i)); found {
				t.Errorf("got record %d after it was ended", i)
			}
		}
		if got := short([][]string{s.list("alice", "", 10, hour)}); got != "[[5 3]]" {
			t.Errorf("got %s, want the others", got)
		}
	})
	t.Run("a touch of a record that was ended changes no new record with its digest", func(t *testing.T) {
		s := six(t)
		s.end("alice", id(1))
		s.add("alice", id(1), minute+time.Second, 0, 0)
		unused, _, _ := s.find("alice", id(0)) // was never touched
		s.wantUse(t, id(1), unused, minute+time.Second)
		s.touch("alice", id(1), time.Second, minute+2*time.Second, minute+time.Second)
		s.wantUse(t, id(1), time.Second, minute+2*time.Second)
		if got := s.purge(10, minute+2*time.Second); len(got) != 1 {
			t.Errorf("purged %v, want the new record", got)
		}
	})
	t.Run("uses, ends and purges at once leave no record that was ended", func(t *testing.T) {
		s := open(t)
		for round := range 4 {
			s.add("alice", id(round), hour, 0, 0)
			parallel(24, func(i int) {
				switch {
				case i == 12:
					s.end("alice", id(round))
				case i%8 == 0:
					s.purge(10, minute)
				case i%8 == 1:
					s.list("alice", "", 10, minute)
				default:
					s.touch("alice", id(round), time.Duration(i)*time.Second, 2*hour, hour)
				}
			})
			if _, _, found := s.find("alice", id(round)); found {
				t.Errorf("got record %d after it was ended", round)
			}
		}
	})
}

// knoxTouched is a store of knox for checkTouches.
func knoxTouched(s knoxStore) touched {
	recordOf := func(user, id string, expires time.Duration) *knox.Record {
		r := record(user, id, -time.Hour)
		r.ExpiresAt = noon.Add(expires)
		return r
	}
	return touched{
		add: func(user, id string, expires time.Duration, limit int, now time.Duration) bool {
			ending := knox.Ending{At: noon.Add(now)}
			added, err := s.Add(s.t.Context(), recordOf(user, id, expires), limit, false, ending)
			if err != nil {
				s.t.Error(err)
			}
			return !added.OverLimit
		},
		find: func(user, id string) (used, expires time.Duration, found bool) {
			if r := s.find(recordOf(user, id, 0).Digest); r != nil {
				return r.LastUsed.Sub(noon), r.ExpiresAt.Sub(noon), true
			}
			return 0, 0, false
		},
		touch: func(user, id string, used, expires, liveUntil time.Duration) {
			s.touch(recordOf(user, id, liveUntil), noon.Add(used), noon.Add(expires))
		},
		list: func(user, after string, limit int, now time.Duration) []string {
			return s.page(user, after, limit, noon.Add(now))
		},
		end: func(user, id string) {
			if found, err := s.Revoke(s.t.Context(), user, id, none); !found || err != nil {
				s.t.Errorf("Revoke: %v, %v", found, err)
			}
		},
		purge: func(limit int, now time.Duration) (ids []string) {
			purged, err := s.Purge(s.t.Context(), limit, knox.Ending{Reason: knox.EndExpired, At: noon.Add(now)})
			if err != nil {
				s.t.Error(err)
			}
			for _, r := range purged {
				ids = append(ids, r.ID)
			}
			return ids
		},
	}
}

// sessionTouched is a store of sessions for checkTouches.
func sessionTouched(s sessionStore) touched {
	recordOf := func(user, id string, expires time.Duration) *session.Record {
		r := sessionRecord(user, id, -time.Hour)
		r.ExpiresAt = noon.Add(expires)
		return r
	}
	return touched{
		add: func(user, id string, expires time.Duration, limit int, now time.Duration) bool {
			added, err := s.Add(s.t.Context(), recordOf(user, id, expires), "", limit, false, noon.Add(now))
			if err != nil {
				s.t.Error(err)
			}
			return !added.OverLimit
		},
		find: func(user, id string) (used, expires time.Duration, found bool) {
			if r := s.find(recordOf(user, id, 0).Digest); r != nil {
				return r.LastUsed.Sub(noon), r.ExpiresAt.Sub(noon), true
			}
			return 0, 0, false
		},
		touch: func(user, id string, used, expires, liveUntil time.Duration) {
			s.touch(recordOf(user, id, liveUntil), noon.Add(used), noon.Add(expires))
		},
		list: func(user, after string, limit int, now time.Duration) []string {
			return s.page(user, after, limit, noon.Add(now))
		},
		end: func(user, id string) {
			if found, err := s.Revoke(s.t.Context(), user, id); !found || err != nil {
				s.t.Errorf("Revoke: %v, %v", found, err)
			}
		},
		purge: func(limit int, now time.Duration) (ids []string) {
			purged, err := s.Purge(s.t.Context(), noon.Add(now), limit)
			if err != nil {
				s.t.Error(err)
			}
			for _, r := range purged {
				ids = append(ids, r.ID)
			}
			return ids
		},
	}
}
