package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// Sessions checks a [session.Store].
func Sessions(t *testing.T, open func(t *testing.T) session.Store) {
	t.Run("a look-up by hash, if there is one, finds what Find does", func(t *testing.T) { sessionsByHash(t, open) })
	t.Run("a record is found as it was added", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		full := sessionRecord("alice", "full", 0)
		full.Scopes, full.Limited, full.Remembered = []string{"a", "b:c"}, true, true
		full.IP, full.UserAgent, full.Stamp = "2001:db8::1", "Mözilla/5 \"'\\%", "stamp"
		full.LastUsed = noon.Add(time.Second)
		full.AuthInfo = auth.AuthInfo{AuthTime: noon.Add(-time.Hour), ACR: "urn:high",
			AMR: []string{"pwd", "not mfa", "a \"quoted\\ [word]", "line\u2028end", ""}} // a value stays one value
		nothing := sessionRecord("alice", "limited to nothing", 0)
		nothing.Limited = true
		for _, want := range []*session.Record{full, nothing, sessionRecord("alice", "bare", 0)} {
			s.add(want)
			if got := s.find(want.Digest); got == nil || !reflect.DeepEqual(normalSession(got), normalSession(want)) {
				t.Errorf("found %+v\nwant  %+v", got, want)
			}
		}
	})
	t.Run("what was never added is not found and no error", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		if got := s.find("nothing"); got != nil {
			t.Errorf("found %+v", got)
		}
	})
	t.Run("a digest that is there already is an error and changes nothing", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		s.add(sessionRecord("alice", "1", 0))
		s.add(sessionRecord("alice", "2", 0))
		other := sessionRecord("bob", "3", 0)
		other.Digest = sessionRecord("alice", "1", 0).Digest
		if _, err := s.Add(t.Context(), other, sessionRecord("alice", "2", 0).Digest, 0, false, noon); err == nil {
			t.Error("Add: no error")
		}
		if replaced, err := s.Replace(t.Context(), sessionRecord("alice", "2", 0).Digest, other, noon); err == nil || replaced {
			t.Errorf("Replace: %v, %v", replaced, err)
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"2", "1"}) {
			t.Errorf("now %v", got)
		}
	})
	t.Run("an expired record is found but not listed", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		r := sessionRecord("alice", "1", 0)
		s.add(r)
		if got := s.list("alice", r.ExpiresAt.Add(-time.Microsecond)); len(got) != 1 {
			t.Errorf("listed %v just before it expires", got)
		}
		if got := s.list("alice", r.ExpiresAt); len(got) != 0 || s.find(r.Digest) == nil {
			t.Errorf("listed %v at the instant it expires", got)
		}
	})
	checkPages(t, func(t *testing.T) paged {
		s := sessionStore{t, open(t)}
		return paged{
			add:  func(user, id string, created time.Time) { s.add(sessionRecord(user, id, created.Sub(noon))) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.Revoke(t.Context(), user, id); !found || err != nil {
					t.Error(found, err)
				}
			},
		}
	})
	checkLimitRace(t, func(t *testing.T) limited {
		s := sessionStore{t, open(t)}
		return limited{
			fill: func(i int) { s.add(sessionRecord("alice", fmt.Sprint("old", i), time.Duration(i-1000)*time.Second)) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				r := sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second)
				added, err := s.Add(t.Context(), r, "", limit, evict, noon)
				return !added.OverLimit, added.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	})
	t.Run("a session that another took the place of is on no page", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for i := range 4 {
			s.add(sessionRecord("alice", fmt.Sprint(i), 0))
		}
		successor := sessionRecord("alice", "2", 0)
		successor.Digest = "another digest"
		if ok, err := s.Replace(t.Context(), sessionRecord("alice", "2", 0).Digest, successor, noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if got := s.page("alice", "3", 2, noon); !slices.Equal(got, []string{"2", "1"}) {
			t.Errorf("got %v", got)
		}
	})

	t.Run("adding ends the session that the browser had, whoever's it was", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		expired := sessionRecord("carol", "old", -10*time.Hour)
		for _, old := range []*session.Record{sessionRecord("alice", "1", 0), sessionRecord("bob", "2", 0), expired} {
			s.add(old)
			added, err := s.Add(t.Context(), sessionRecord("alice", "after "+old.ID, time.Minute), old.Digest, 0, false, noon)
			if err != nil || added.Replaced == nil || added.Replaced.ID != old.ID || added.Replaced.UserID != old.UserID {
				t.Errorf("%s of %s: %+v, %v", old.ID, old.UserID, added, err)
			}
			if mark := s.find(old.Digest); !reflect.DeepEqual(normalSession(mark), normalSession(old.Moved(noon))) {
				t.Errorf("%s of %s: in its place is %+v", old.ID, old.UserID, mark)
			}
		}
		added, err := s.Add(t.Context(), sessionRecord("alice", "4", 0), "never there", 0, false, noon)
		if err != nil || added.Replaced != nil || len(s.list("alice", noon)) != 4 {
			t.Errorf("%+v, %v", added, err)
		}
	})
	t.Run("over the limit nothing changes", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		s.add(sessionRecord("alice", "1", 0))
		s.add(sessionRecord("alice", "2", 0))
		others := sessionRecord("bob", "b", 0)
		s.add(others)
		added, err := s.Add(t.Context(), sessionRecord("alice", "3", 0), others.Digest, 2, false, noon)
		if err != nil || !added.OverLimit || added.Replaced != nil || len(added.Evicted) != 0 {
			t.Errorf("%+v, %v", added, err)
		}
		if got := s.list("alice", noon); len(got) != 2 || s.find(others.Digest) == nil {
			t.Errorf("now %v", got)
		}
	})
	t.Run("the session that is replaced does not count against the limit", func(t *testing.T) {
		for _, evict := range []bool{false, true} {
			s := sessionStore{t, open(t)}
			s.add(sessionRecord("alice", "1", 0))
			s.add(sessionRecord("alice", "2", time.Minute))
			added, err := s.Add(t.Context(), sessionRecord("alice", "3", time.Hour), sessionRecord("alice", "2", 0).Digest, 2, evict, noon)
			if err != nil || added.OverLimit || len(added.Evicted) != 0 || added.Replaced == nil {
				t.Errorf("evict %v: %+v, %v", evict, added, err)
			}
			if got := s.list("alice", noon); !slices.Equal(got, []string{"3", "1"}) {
				t.Errorf("evict %v: left %v", evict, got)
			}
		}
	})
	t.Run("another user's session that is replaced makes no room", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		s.add(sessionRecord("alice", "1", 0))
		s.add(sessionRecord("bob", "b", 0))
		bobs := sessionRecord("bob", "b", 0).Digest
		if added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), bobs, 1, false, noon); err != nil || !added.OverLimit || added.Replaced != nil {
			t.Errorf("%+v, %v", added, err)
		}
		if got := s.find(bobs); got == nil || got.IsMark() {
			t.Errorf("over the limit bob's became %+v", got)
		}
		added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), bobs, 1, true, noon)
		if err != nil || !slices.Equal(added.Evicted, []string{"1"}) || added.Replaced == nil || added.Replaced.ID != "b" {
			t.Errorf("%+v, %v", added, err)
		}
		if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2"}) {
			t.Errorf("left %v", got)
		}
	})
	t.Run("of many that add in place of one, one replaces it", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		old := sessionRecord("alice", "old", 0)
		s.add(old)
		var mu sync.Mutex
		told := 0
		parallel(16, func(i int) {
			added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), time.Minute), old.Digest, 0, false, noon)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if added.Replaced != nil {
				told++
			}
		})
		if left := s.list("alice", noon); told != 1 || len(left) != 16 {
			t.Errorf("%d were told so, left %v", told, left)
		}
	})
	t.Run("expired records do not count against the limit and are not evicted", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		expired := sessionRecord("alice", "old", -time.Hour)
		expired.ExpiresAt = noon
		s.add(expired)
		for i, evict := range []bool{false, true} {
			added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), 0), "", 2, evict, noon)
			if err != nil || added.OverLimit || len(added.Evicted) != 0 {
				t.Errorf("evict %v: %+v, %v", evict, added, err)
			}
		}
		if s.find(expired.Digest) == nil {
			t.Error("the expired record is gone; it is Purge's")
		}
	})
	t.Run("records of another stamp do not count against the limit and are not evicted", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		void := sessionRecord("alice", "void", 0)
		void.Stamp = "old"
		s.add(void)
		for i, evict := range []bool{false, true} {
			added, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), 0), "", 2, evict, noon)
			if err != nil || added.OverLimit || len(added.Evicted) != 0 {
				t.Errorf("evict %v: %+v, %v", evict, added, err)
			}
		}
	})
	t.Run("eviction ends the oldest until there is room", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for i := range 4 {
			s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
		}
		added, err := s.Add(t.Context(), sessionRecord("alice", "new", time.Hour), "", 3, true, noon)
		slices.Sort(added.Evicted)
		if err != nil || added.OverLimit || !slices.Equal(added.Evicted, []string{"0", "1"}) {
			t.Errorf("%+v, %v", added, err)
		}
		if got, want := s.list("alice", noon), []string{"new", "3", "2"}; !slices.Equal(got, want) {
			t.Errorf("left %v, want %v", got, want)
		}
	})
	t.Run("32 at once never exceed the limit", func(t *testing.T) {
		for _, evict := range []bool{false, true} {
			s := sessionStore{t, open(t)}
			var mu sync.Mutex
			added, evicted := 0, map[string]bool{}
			parallel(32, func(i int) {
				got, err := s.Add(t.Context(), sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Second), "", 3, evict, noon)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if !got.OverLimit {
					added++
				}
				for _, id := range got.Evicted {
					if evicted[id] {
						t.Errorf("%s was evicted twice", id)
					}
					evicted[id] = true
				}
			})
			if left := len(s.list("alice", noon)); left != 3 || added-len(evicted) != 3 {
				t.Errorf("evict %v: %d left of %d added and %d evicted, want 3", evict, left, added, len(evicted))
			}
		}
	})

	t.Run("a touch moves the last use and the end forward, never back", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		r := sessionRecord("alice", "1", 0)
		s.add(r)
		for _, step := range []struct{ used, expires, wantUsed, wantExpires time.Duration }{
			{time.Minute, 0, time.Minute, time.Hour},
			{2 * time.Minute, 90 * time.Minute, 2 * time.Minute, 90 * time.Minute},
			{time.Minute, time.Hour, 2 * time.Minute, 90 * time.Minute},
		} {
			s.touch(r, noon.Add(step.used), noon.Add(step.expires))
			got := s.find(r.Digest)
			if used, expires := got.LastUsed.Sub(noon), got.ExpiresAt.Sub(noon); used != step.wantUsed || expires != step.wantExpires {
				t.Errorf("touched %v, %v: used %v, expires %v", step.used, step.expires, used, expires)
			}
		}
	})
	checkTouches(t, func(t *testing.T) touched { return sessionTouched(sessionStore{t, open(t)}) })
	t.Run("a session that lives by a touch is replaced, and its mark is not touched", func(t *testing.T) {
		s := sessionStore{t, open(t)}
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
		if got, want := s.find(old.Digest), old.Moved(at); !reflect.DeepEqual(normalSession(got), normalSession(want)) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("a login in place of a session that lives by a touch returns it so", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		old := sessionRecord("alice", "1", 0)
		s.add(old)
		s.touch(old, noon.Add(time.Minute), noon.Add(3*time.Hour))
		added, err := s.Add(t.Context(), sessionRecord("alice", "2", 0), old.Digest, 0, false, noon.Add(2*time.Hour))
		if err != nil || added.Replaced == nil || !added.Replaced.ExpiresAt.Equal(noon.Add(3*time.Hour)) {
			t.Errorf("got %+v, %v, want the session with the expiry of its touch", added.Replaced, err)
		}
	})
	t.Run("a touch brings back neither the ended nor the expired", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		ended, expired := sessionRecord("alice", "1", 0), sessionRecord("alice", "2", 0)
		s.add(ended)
		s.add(expired)
		if found, err := s.Revoke(t.Context(), "alice", "1"); !found || err != nil {
			t.Fatal(found, err)
		}
		s.touch(ended, noon.Add(time.Minute), noon.Add(2*time.Hour))
		s.touch(expired, expired.ExpiresAt, expired.ExpiresAt.Add(time.Hour))
		if s.find(ended.Digest) != nil {
			t.Error("the ended record is back")
		}
		if got := s.find(expired.Digest); !got.ExpiresAt.Equal(expired.ExpiresAt) {
			t.Errorf("the expired record lives until %v", got.ExpiresAt)
		}
	})
	t.Run("nothing in flight brings a session back after a logout", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for round := range 8 {
			r := sessionRecord("alice", fmt.Sprint(round), 0)
			s.add(r)
			parallel(24, func(i int) {
				switch {
				case i == 12:
					if found, err := s.Revoke(t.Context(), "alice", r.ID); !found || err != nil {
						t.Error(found, err)
					}
				case i%6 == 0: // the identifier stays: revoking it ends the successor too
					successor := *r
					successor.Digest += fmt.Sprint(" after ", i)
					if _, err := s.Replace(t.Context(), r.Digest, &successor, noon); err != nil {
						t.Error(err)
					}
				default:
					s.touch(r, noon.Add(time.Duration(i)*time.Second), noon.Add(2*time.Hour))
				}
			})
			if left := s.list("alice", noon); len(left) != 0 {
				t.Fatalf("%v is back", left)
			}
		}
	})

	t.Run("nothing in flight brings a session back after all were ended", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for round := range 8 {
			var records []*session.Record
			for i := range 3 {
				r := sessionRecord("alice", fmt.Sprint(round, " ", i), 0)
				s.add(r)
				records = append(records, r)
			}
			var mu sync.Mutex
			ended := map[string]int{}
			parallel(24, func(i int) {
				switch {
				case i == 12:
					ids, err := s.RevokeAll(t.Context(), "alice", "")
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					for _, id := range ids {
						ended[id]++
					}
				case i%2 == 0:
					successor := *records[i%3]
					successor.Digest += fmt.Sprint(" after ", i)
					if _, err := s.Replace(t.Context(), records[i%3].Digest, &successor, noon); err != nil {
						t.Error(err)
					}
				default:
					s.touch(records[i%3], noon.Add(time.Duration(i)*time.Second), noon.Add(2*time.Hour))
				}
			})
			if left := s.list("alice", noon); len(left) != 0 || len(ended) != 3 {
				t.Fatalf("%v is back, %v were ended", left, ended)
			}
		}
	})
	t.Run("a logout beats a replacement, whichever comes first", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for round := range 16 {
			r := sessionRecord("alice", fmt.Sprint(round), 0)
			s.add(r)
			successor := *r
			successor.Digest += " after"
			parallel(2, func(i int) {
				if i == 0 {
					if found, err := s.Revoke(t.Context(), "alice", r.ID); !found || err != nil {
						t.Errorf("revoked %v, %v", found, err)
					}
					return
				}
				replaced, err := s.Replace(t.Context(), r.Digest, &successor, noon)
				if err != nil {
					t.Error(err)
				}
				if mark := s.find(r.Digest); replaced && (mark == nil || !mark.IsMark()) {
					t.Errorf("replaced, and in its place is %+v", mark)
				}
			})
			if got := s.find(successor.Digest); got != nil {
				t.Fatalf("%+v is back", got)
			}
		}
	})

	t.Run("replacing moves a live record under a new digest", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		old, expired := sessionRecord("alice", "1", 0), sessionRecord("alice", "2", -2*time.Hour)
		s.add(old)
		s.add(expired)
		successor := *old
		successor.Digest, successor.Stamp = "successor", "new stamp"
		for _, step := range []struct {
			sentence, digest string
			now              time.Time
			want             bool
		}{
			{"of what is not there", "never there", noon, false},
			{"of an expired one", expired.Digest, noon, false},
			{"at the instant it expires", old.Digest, old.ExpiresAt, false},
			{"of a live one", old.Digest, noon, true},
			{"of one that was replaced", old.Digest, noon, false},
		} {
			if got, err := s.Replace(t.Context(), step.digest, &successor, step.now); got != step.want || err != nil {
				t.Errorf("%s: %v, %v", step.sentence, got, err)
			}
		}
		if !reflect.DeepEqual(normalSession(s.find(old.Digest)), normalSession(old.Moved(noon))) || !reflect.DeepEqual(normalSession(s.find("successor")), normalSession(&successor)) {
			t.Errorf("found %+v", s.find("successor"))
		}
	})
	t.Run("a mark proves nothing and is never prolonged, until it is purged", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		old := sessionRecord("alice", "1", 0)
		s.add(old)
		successor := *old
		successor.Digest = "successor"
		if replaced, err := s.Replace(t.Context(), old.Digest, &successor, noon); !replaced || err != nil {
			t.Fatal(replaced, err)
		}
		mark := old.Moved(noon)
		s.touch(old, noon.Add(time.Second), noon.Add(time.Hour))
		another := *old
		another.Digest = "another"
		if replaced, err := s.Replace(t.Context(), old.Digest, &another, noon); replaced || err != nil {
			t.Errorf("replaced %v, %v", replaced, err)
		}
		if added, err := s.Add(t.Context(), &another, old.Digest, 2, false, noon); added.Replaced != nil || added.OverLimit || err != nil {
			t.Errorf("%+v, %v", added, err)
		}
		if ids, err := s.RevokeAll(t.Context(), "alice", ""); len(ids) != 2 || err != nil {
			t.Errorf("revoked %v, %v", ids, err)
		}
		if got := s.find(old.Digest); got == nil || !got.IsMark() || !reflect.DeepEqual(normalSession(got), normalSession(mark)) {
			t.Errorf("the mark is %+v", got)
		}
		if purged, err := s.Purge(t.Context(), mark.ExpiresAt, 10); len(purged) != 1 || err != nil || s.find(old.Digest) != nil {
			t.Errorf("purged %v, %v", purged, err)
		}
	})
	t.Run("of many that replace one, one does", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		old := sessionRecord("alice", "1", 0)
		s.add(old)
		var mu sync.Mutex
		told := 0
		parallel(16, func(i int) {
			successor := *old
			successor.Digest = fmt.Sprint("successor ", i)
			replaced, err := s.Replace(t.Context(), old.Digest, &successor, noon)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if replaced {
				told++
			}
		})
		if left := s.list("alice", noon); told != 1 || len(left) != 1 {
			t.Errorf("%d were told so, left %v", told, left)
		}
	})

	t.Run("revoking one leaves the others and other users'", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		s.add(sessionRecord("alice", "1", 0))
		s.add(sessionRecord("alice", "2", 0))
		s.add(sessionRecord("bob", "b", 0))
		for _, step := range []struct {
			user, id string
			want     bool
		}{{"bob", "1", false}, {"alice", "b", false}, {"alice", "1", true}, {"alice", "1", false}} {
			if got, err := s.Revoke(t.Context(), step.user, step.id); got != step.want || err != nil {
				t.Errorf("%s of %s: %v, %v", step.id, step.user, got, err)
			}
		}
		if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2", "b"}) {
			t.Errorf("left %v", got)
		}
	})
	t.Run("of many that revoke one, one is told so", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		s.add(sessionRecord("alice", "1", 0))
		var mu sync.Mutex
		told := 0
		parallel(16, func(int) {
			found, err := s.Revoke(t.Context(), "alice", "1")
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if found {
				told++
			}
		})
		if told != 1 {
			t.Errorf("%d were", told)
		}
	})
	t.Run("revoking all leaves other users', and the one that is kept", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for i := range 3 {
			s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(-i)*40*time.Minute)) // the last has expired
		}
		s.add(sessionRecord("bob", "b", 0))
		ids, err := s.RevokeAll(t.Context(), "alice", sessionRecord("alice", "1", 0).Digest)
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, []string{"0", "2"}) {
			t.Errorf("revoked %v, %v", ids, err)
		}
		if ids, err = s.RevokeAll(t.Context(), "alice", sessionRecord("bob", "b", 0).Digest); err != nil || !slices.Equal(ids, []string{"1"}) {
			t.Errorf("then revoked %v, %v", ids, err)
		}
		if ids, err = s.RevokeAll(t.Context(), "alice", ""); err != nil || len(ids) != 0 {
			t.Errorf("then revoked %v, %v", ids, err)
		}
		if len(s.list("alice", time.Time{})) != 0 || len(s.list("bob", noon)) != 1 {
			t.Error("wrong ones are left")
		}
	})

	t.Run("purging removes what has expired, in batches, each once", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for i := range 10 {
			r := sessionRecord("alice", fmt.Sprint(i), 0)
			r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
			s.add(r)
		}
		at := noon.Add(6 * time.Minute) // 0 to 6 have expired
		if first, err := s.Purge(t.Context(), at, 3); err != nil || len(first) != 3 || first[0].UserID != "alice" {
			t.Fatal(first, err)
		}
		var mu sync.Mutex
		seen := map[string]bool{}
		parallel(8, func(int) {
			purged, err := s.Purge(t.Context(), at, 100)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range purged {
				if seen[r.ID] {
					t.Errorf("%s was purged twice", r.ID)
				}
				seen[r.ID] = true
			}
		})
		if left := s.list("alice", time.Time{}); len(seen) != 4 || len(left) != 3 {
			t.Errorf("purged %v after the first three, left %v", seen, left)
		}
	})
	t.Run("text of any shape is data", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		odd := `'; DROP TABLE sessions; -- "%_\ ` + "\u2028" + `日本`
		r := sessionRecord(odd, "1", 0)
		r.Digest, r.ID, r.IP, r.UserAgent, r.Stamp, r.AuthInfo.ACR = odd, odd, odd, odd, odd, odd
		s.add(r)
		if got := s.find(odd); got == nil || !reflect.DeepEqual(normalSession(got), normalSession(r)) {
			t.Errorf("found %+v", got)
		}
		if got := s.list(odd, noon); !slices.Equal(got, []string{odd}) {
			t.Errorf("listed %q", got)
		}
		if found, err := s.Revoke(t.Context(), odd, odd); !found || err != nil {
			t.Error(found, err)
		}
	})
	t.Run("a cancelled request changes nothing by half", func(t *testing.T) {
		s := sessionStore{t, open(t)}
		for i := range 3 {
			s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Add(ctx, sessionRecord("alice", "new", time.Hour), "", 3, true, noon)
		got := s.list("alice", noon)
		if want := []string{"2", "1", "0"}; err != nil && !slices.Equal(got, want) {
			t.Errorf("error %v, but left %v", err, got)
		}
		if want := []string{"new", "2", "1"}; err == nil && !slices.Equal(got, want) {
			t.Errorf("no error, but left %v", got)
		}
		s.add(sessionRecord("alice", "after", 2*time.Hour)) // the store still works

		one := sessionRecord("bob", "1", 0)
		s.add(one)
		s.add(sessionRecord("bob", "2", time.Minute))
		successor := *one
		successor.Digest = "successor"
		replaced, err := s.Replace(ctx, one.Digest, &successor, noon)
		if old, fresh := s.find(one.Digest), s.find("successor"); err != nil && (old.IsMark() || fresh != nil) || err == nil && (!replaced || !old.IsMark() || fresh == nil) {
			t.Errorf("replaced %v with error %v: left %+v and %+v", replaced, err, old, fresh)
		}
		ids, err := s.RevokeAll(ctx, "bob", "")
		if left := s.list("bob", noon); err != nil && len(left) != 2 || err == nil && (len(left) != 0 || len(ids) != 2) {
			t.Errorf("revoked %v with error %v, but left %v", ids, err, left)
		}
		purged, err := s.Purge(ctx, noon.Add(48*time.Hour), 100)
		if left := s.list("alice", time.Time{}); err != nil && (len(left) != 4 || len(purged) != 0) || err == nil && len(left) != 0 {
			t.Errorf("purged %d with error %v, but left %v", len(purged), err, left)
		}
	})
}

// sessionStore is a store with the test that uses it.
type sessionStore struct {
	t *testing.T
	session.Store
}

func (s sessionStore) add(r *session.Record) {
	s.t.Helper()
	if added, err := s.Add(s.t.Context(), r, "", 0, false, noon); err != nil || added.OverLimit {
		s.t.Fatalf("Add: %+v, %v", added, err)
	}
}

func (s sessionStore) find(digest string) *session.Record {
	s.t.Helper()
	r, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatalf("Find: %v", err)
	}
	return r
}

func (s sessionStore) touch(r *session.Record, used, expires time.Time) {
	s.t.Helper()
	touch := session.Touch{Digest: r.Digest, Used: used, ExpiresAt: expires, LiveUntil: r.ExpiresAt}
	if err := s.Touch(s.t.Context(), touch); err != nil {
		s.t.Errorf("Touch: %v", err)
	}
}

func (s sessionStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s sessionStore) page(userID, after string, limit int, now time.Time) []string {
	s.t.Helper()
	records, err := s.List(s.t.Context(), userID, after, limit, now)
	if err != nil {
		s.t.Fatalf("List: %v", err)
	}
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	return ids
}

// sessionRecord returns a session that was started some time after noon, and
// ends an hour later unless it is used.
func sessionRecord(user, id string, after time.Duration) *session.Record {
	created := noon.Add(after)
	return &session.Record{Digest: "digest of " + user + id, ID: id, UserID: user, Created: created, LastUsed: created,
		ExpiresAt: created.Add(time.Hour), Idle: time.Hour, MaxExpiresAt: created.Add(24 * time.Hour)}
}

// normalSession makes records comparable: no slice is an empty one, times are
// UTC.
func normalSession(r *session.Record) session.Record {
	if r == nil {
		return session.Record{}
	}
	n := *r
	if len(n.Scopes) == 0 {
		n.Scopes = nil
	}
	if len(n.AuthInfo.AMR) == 0 {
		n.AuthInfo.AMR = nil
	}
	for _, at := range []*time.Time{&n.Created, &n.ExpiresAt, &n.MaxExpiresAt, &n.LastUsed, &n.AuthInfo.AuthTime} {
		*at = at.UTC()
	}
	return n
}
