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
	"github.com/gatewarden/auth/knox"
)

// noon is an instant like any other, with microseconds.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

// none is an end at noon of which nothing is kept.
var none = knox.Ending{Reason: knox.EndRevoked, At: noon}

// Knox checks a [knox.Store].
func Knox(t *testing.T, open func(t *testing.T) knox.Store) {
	t.Run("a look-up by hash, if there is one, finds what Find does", func(t *testing.T) { knoxByHash(t, open) })
	t.Run("a record is found as it was added", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		full := record("alice", "full", 0)
		full.Name, full.IP, full.UserAgent, full.Stamp = "my phöne", "2001:db8::1", "curl/8 \"'\\%", "stamp"
		full.Scopes, full.Limited = []string{"a", "b:c"}, true
		full.Slide, full.MaxExpiresAt = 90*time.Minute, noon.Add(24*time.Hour)
		full.LastUsed = noon.Add(time.Second)
		full.AuthInfo = auth.AuthInfo{AuthTime: noon.Add(-time.Hour), ACR: "urn:high",
			AMR: []string{"pwd", "not mfa", "a \"quoted\\ [word]", "line\u2028end", ""}} // a value stays one value
		bare := &knox.Record{Digest: "bare", ID: "bare", UserID: "alice", Created: noon}
		nothing := record("alice", "limited to nothing", 0)
		nothing.Limited = true
		for _, want := range []*knox.Record{full, bare, nothing} {
			s.add(want)
			if got := s.find(want.Digest); !reflect.DeepEqual(normal(got), normal(want)) {
				t.Errorf("found %+v\nwant  %+v", got, want)
			}
		}
	})
	t.Run("what was never added is not found and no error", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		if got := s.find("nothing"); got != nil {
			t.Errorf("found %+v", got)
		}
	})
	t.Run("a digest that is there already is an error and changes nothing", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "1", 0))
		other := record("bob", "2", 0)
		other.Digest = record("alice", "1", 0).Digest
		if _, err := s.Add(t.Context(), other, 0, false, none); err == nil {
			t.Error("no error")
		}
		if got := s.find(other.Digest); got.UserID != "alice" {
			t.Errorf("now of %s", got.UserID)
		}
		s.add(record("bob", "3", 0))
		if added, err := s.Add(t.Context(), other, 1, true, knox.Ending{At: noon, Keep: true}); err == nil || len(added.Evicted) != 0 {
			t.Errorf("evicting: %+v, %v", added, err)
		}
		if got := s.list("bob", noon); !slices.Equal(got, []string{"3"}) || len(s.ended("bob")) != 0 {
			t.Errorf("evicted all the same: left %v, ended %v", got, s.ended("bob"))
		}
	})
	t.Run("an expired record is found but not listed", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		r := record("alice", "1", 0)
		s.add(r)
		if s.find(r.Digest) == nil {
			t.Error("not found")
		}
		if got := s.list("alice", r.ExpiresAt.Add(-time.Microsecond)); len(got) != 1 {
			t.Errorf("listed %v just before it expires", got)
		}
		if got := s.list("alice", r.ExpiresAt); len(got) != 0 {
			t.Errorf("listed %v at the instant it expires", got)
		}
	})
	checkPages(t, func(t *testing.T) paged {
		s := knoxStore{t, open(t)}
		return paged{
			add:  func(user, id string, created time.Time) { s.add(record(user, id, created.Sub(noon))) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.Revoke(t.Context(), user, id, none); !found || err != nil {
					t.Error(found, err)
				}
			},
		}
	})
	t.Run("pages have no expired record among the others", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i := range 6 {
			r := record("alice", fmt.Sprint(i), 0)
			if i%2 == 0 {
				r.ExpiresAt = noon
			}
			s.add(r)
		}
		if first, second := s.page("alice", "", 2, noon), s.page("alice", "3", 2, noon); !slices.Equal(first, []string{"5", "3"}) ||
			!slices.Equal(second, []string{"1"}) {
			t.Errorf("got %v and %v", first, second)
		}
	})

	t.Run("over the limit nothing is added", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "1", 0))
		never := record("alice", "2", 0)
		never.ExpiresAt = time.Time{}
		s.add(never)
		s.add(record("bob", "b", 0))
		added, err := s.Add(t.Context(), record("alice", "3", 0), 2, false, none)
		if err != nil || !added.OverLimit || len(added.Evicted) != 0 {
			t.Errorf("%+v, %v", added, err)
		}
		if got := s.list("alice", noon); len(got) != 2 {
			t.Errorf("now %v", got)
		}
	})
	t.Run("expired records do not count against the limit and are not evicted", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		expired := record("alice", "old", -2*time.Hour)
		expired.ExpiresAt = noon
		s.add(expired)
		s.add(record("alice", "1", 0))
		for _, evict := range []bool{false, true} {
			added, err := s.Add(t.Context(), record("alice", fmt.Sprint("2", evict), 0), 3, evict, none)
			if err != nil || added.OverLimit || len(added.Evicted) != 0 {
				t.Errorf("evict %v: %+v, %v", evict, added, err)
			}
		}
		if s.find(expired.Digest) == nil {
			t.Error("the expired record is gone; it is Purge's")
		}
	})
	t.Run("eviction ends the oldest until there is room", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i := range 4 {
			s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
		}
		added, err := s.Add(t.Context(), record("alice", "new", time.Hour), 3, true, none)
		slices.Sort(added.Evicted)
		if err != nil || added.OverLimit || !slices.Equal(added.Evicted, []string{"0", "1"}) {
			t.Errorf("%+v, %v", added, err)
		}
		if got, want := s.list("alice", noon), []string{"new", "3", "2"}; !slices.Equal(got, want) {
			t.Errorf("left %v, want %v", got, want)
		}
	})
	t.Run("eviction passes over the spared record, unless it is the only one", func(t *testing.T) {
		for limit, want := range map[int][]string{3: {"1"}, 2: {"1", "2"}, 1: {"0", "1", "2"}} {
			s := knoxStore{t, open(t)}
			for i := range 3 {
				s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
			}
			spared := none
			spared.Spare = "0"
			added, err := s.Add(t.Context(), record("alice", "new", time.Hour), limit, true, spared)
			slices.Sort(added.Evicted)
			if err != nil || added.OverLimit || !slices.Equal(added.Evicted, want) {
				t.Errorf("limit %d: %+v, %v, want %v", limit, added, err, want)
			}
			spared.Spare = "9" // another one's, or gone
			if added, err := s.Add(t.Context(), record("alice", "next", 2*time.Hour), limit, true, spared); err != nil || len(added.Evicted) != 1 {
				t.Errorf("limit %d, no such record: %+v, %v, want one evicted", limit, added, err)
			}
		}
	})
	t.Run("records of another stamp do not count against the limit and are not evicted", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i, stamp := range []string{"", "new ", "old"} {
			dead := record("alice", fmt.Sprint("dead", i), time.Duration(i)*time.Second)
			dead.Stamp = stamp
			s.add(dead)
		}
		stamped := func(id string) *knox.Record {
			r := record("alice", id, time.Minute)
			r.Stamp = "new"
			return r
		}
		s.add(stamped("1"))
		if added, err := s.Add(t.Context(), stamped("2"), 2, false, none); err != nil || added.OverLimit {
			t.Errorf("%+v, %v", added, err)
		}
		if added, err := s.Add(t.Context(), stamped("3"), 2, false, none); err != nil || !added.OverLimit {
			t.Errorf("one too many: %+v, %v", added, err)
		}
		if added, err := s.Add(t.Context(), stamped("3"), 2, true, none); err != nil || !slices.Equal(added.Evicted, []string{"1"}) {
			t.Errorf("evicting: %+v, %v", added, err)
		}
		if got, want := s.list("alice", noon), []string{"dead2", "dead1", "dead0", "3", "2"}; !slices.Equal(got, want) {
			t.Errorf("left %v, want %v", got, want)
		}
	})
	t.Run("32 at once never exceed the limit", func(t *testing.T) {
		for _, evict := range []bool{false, true} {
			s := knoxStore{t, open(t)}
			var mu sync.Mutex
			added, evicted := 0, map[string]bool{}
			parallel(32, func(i int) {
				got, err := s.Add(t.Context(), record("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 3, evict, none)
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
			left := len(s.list("alice", noon))
			if left != 3 || added-len(evicted) != 3 {
				t.Errorf("evict %v: %d left of %d added and %d evicted, want 3", evict, left, added, len(evicted))
			}
		}
	})
	checkLimitRace(t, func(t *testing.T) limited {
		s := knoxStore{t, open(t)}
		return limited{
			fill: func(i int) { s.add(record("alice", fmt.Sprint("old", i), time.Duration(i-1000)*time.Second)) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				added, err := s.Add(t.Context(), record("alice", fmt.Sprint(i), time.Duration(i)*time.Second), limit, evict, none)
				return !added.OverLimit, added.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	})

	t.Run("a touch moves the last use and the end forward, never back", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		r := record("alice", "1", 0)
		s.add(r)
		for _, step := range []struct{ used, expires, wantUsed, wantExpires time.Duration }{
			{time.Minute, 0, time.Minute, 10 * time.Hour},
			{2 * time.Minute, 11 * time.Hour, 2 * time.Minute, 11 * time.Hour},
			{time.Minute, 10 * time.Hour, 2 * time.Minute, 11 * time.Hour},
		} {
			s.touch(r, noon.Add(step.used), noon.Add(step.expires))
			got := s.find(r.Digest)
			if used, expires := got.LastUsed.Sub(noon), got.ExpiresAt.Sub(noon); used != step.wantUsed || expires != step.wantExpires {
				t.Errorf("touched %v, %v: used %v, expires %v", step.used, step.expires, used, expires)
			}
		}
	})
	checkTouches(t, func(t *testing.T) touched { return knoxTouched(knoxStore{t, open(t)}) })
	t.Run("what is kept of a token has the last use and the expiry of its last touch", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		r := record("alice", "1", 0)
		s.add(r)
		s.touch(r, noon.Add(time.Minute), noon.Add(20*time.Hour))
		end := knox.Ending{Reason: knox.EndLoggedOut, At: noon.Add(15 * time.Hour), Keep: true}
		if found, err := s.Revoke(t.Context(), "alice", "1", end); !found || err != nil {
			t.Fatal(found, err)
		}
		got := s.ended("alice")
		if len(got) != 1 || !got[0].LastUsed.Equal(noon.Add(time.Minute)) || got[0].Reason != end.Reason ||
			!got[0].EndedAt.Equal(end.At) {
			t.Errorf("got %+v, want a logout after 15h of a token used after 1m", got)
		}
	})
	t.Run("a touch gives no end to a record that has none", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		r := record("alice", "1", 0)
		r.ExpiresAt = time.Time{}
		s.add(r)
		s.touch(r, noon.Add(time.Minute), noon.Add(time.Hour))
		if got := s.find(r.Digest); !got.ExpiresAt.IsZero() || got.LastUsed.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a touch brings back neither the revoked nor the expired", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		revoked, expired := record("alice", "1", 0), record("alice", "2", 0)
		s.add(revoked)
		s.add(expired)
		if found, err := s.Revoke(t.Context(), "alice", "1", none); !found || err != nil {
			t.Fatal(found, err)
		}
		s.touch(revoked, noon.Add(time.Minute), noon.Add(time.Hour))
		s.touch(expired, expired.ExpiresAt, expired.ExpiresAt.Add(time.Hour))
		if s.find(revoked.Digest) != nil {
			t.Error("the revoked record is back")
		}
		if got := s.find(expired.Digest); !got.ExpiresAt.Equal(expired.ExpiresAt) {
			t.Errorf("the expired record lives until %v", got.ExpiresAt)
		}
	})
	t.Run("no touch in flight brings a record back after it was revoked", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for round := range 8 {
			r := record("alice", fmt.Sprint(round), 0)
			s.add(r)
			parallel(24, func(i int) {
				if i == 12 {
					if _, err := s.RevokeAll(t.Context(), "alice", "", "", none); err != nil {
						t.Error(err)
					}
					return
				}
				s.touch(r, noon.Add(time.Duration(i)*time.Second), noon.Add(20*time.Hour))
			})
			if s.find(r.Digest) != nil {
				t.Fatal("it is back")
			}
		}
	})

	t.Run("revoking one leaves the others and other users'", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "1", 0))
		s.add(record("alice", "2", 0))
		s.add(record("bob", "b", 0))
		for _, step := range []struct {
			user, id string
			want     bool
		}{{"bob", "1", false}, {"alice", "b", false}, {"alice", "1", true}, {"alice", "1", false}} {
			if got, err := s.Revoke(t.Context(), step.user, step.id, none); got != step.want || err != nil {
				t.Errorf("%s of %s: %v, %v", step.id, step.user, got, err)
			}
		}
		if got := append(s.list("alice", noon), s.list("bob", noon)...); !slices.Equal(got, []string{"2", "b"}) {
			t.Errorf("left %v", got)
		}
	})
	t.Run("revoking all leaves other users'", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "1", 0))
		s.add(record("alice", "2", -time.Minute))
		s.add(record("bob", "b", 0))
		ids, err := s.RevokeAll(t.Context(), "alice", "", "", none)
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, []string{"1", "2"}) {
			t.Errorf("revoked %v, %v", ids, err)
		}
		if ids, err = s.RevokeAll(t.Context(), "alice", "", "", none); err != nil || len(ids) != 0 {
			t.Errorf("then revoked %v, %v", ids, err)
		}
		if s.find(record("alice", "1", 0).Digest) != nil || len(s.list("bob", noon)) != 1 {
			t.Error("wrong ones are left")
		}
	})
	t.Run("revoking all but one leaves that one as it was, with the new stamp", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		kept := record("alice", "1", 0)
		kept.Name, kept.Stamp, kept.LastUsed = "phone", "old", noon
		s.add(kept)
		s.add(record("alice", "2", 0))
		s.add(record("alice", "3", -20*time.Hour)) // expired
		bobs := record("bob", "b", 0)
		bobs.Stamp = "bob's"
		s.add(bobs)
		ids, err := s.RevokeAll(t.Context(), "alice", kept.Digest, "new", none)
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, []string{"2", "3"}) {
			t.Errorf("revoked %v, %v", ids, err)
		}
		want := *kept
		want.Stamp = "new"
		if got := s.find(kept.Digest); got == nil || !reflect.DeepEqual(normal(got), normal(&want)) {
			t.Errorf("kept %+v, want %+v", got, want)
		}
		if got := s.find(bobs.Digest); got == nil || got.Stamp != "bob's" {
			t.Errorf("another user's is now %+v", got)
		}
		if got := s.list("alice", time.Time{}); !slices.Equal(got, []string{"1"}) {
			t.Errorf("left %v", got)
		}
	})
	t.Run("what is kept must be the user's and be there", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		bobs, gone := record("bob", "b", 0), record("alice", "0", 0)
		s.add(bobs)
		for _, kept := range []string{bobs.Digest, gone.Digest} {
			s.add(record("alice", "1", 0))
			if ids, err := s.RevokeAll(t.Context(), "alice", kept, "new", none); err != nil || !slices.Equal(ids, []string{"1"}) {
				t.Errorf("revoked %v, %v", ids, err)
			}
			if got := s.find(bobs.Digest); got == nil || got.Stamp != "" {
				t.Errorf("another user's is now %+v", got)
			}
			if s.find(gone.Digest) != nil {
				t.Error("what was not there is")
			}
		}
	})
	t.Run("of many revoked and used at once exactly the kept one is left", func(t *testing.T) {
		for round := range 4 {
			s := knoxStore{t, open(t)}
			kept := record("alice", "0", 0)
			s.add(kept)
			var others []*knox.Record
			for i := range 8 {
				others = append(others, record("alice", fmt.Sprint(i+1), 0))
				s.add(others[i])
			}
			var mu sync.Mutex
			told := map[string]int{}
			parallel(32, func(i int) {
				other := others[i/4]
				switch i % 4 {
				case 0:
					ids, err := s.RevokeAll(t.Context(), "alice", kept.Digest, "new", none)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					for _, id := range ids {
						told[id]++
					}
				case 1:
					found, err := s.Revoke(t.Context(), "alice", other.ID, none)
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if found {
						told[other.ID]++
					}
				case 2:
					s.touch(other, noon.Add(time.Minute), noon.Add(20*time.Hour))
				case 3:
					s.touch(kept, noon.Add(time.Minute), noon.Add(20*time.Hour))
				}
			})
			if got := s.list("alice", time.Time{}); !slices.Equal(got, []string{"0"}) {
				t.Fatalf("round %d left %v", round, got)
			}
			if got := s.find(kept.Digest); got.Stamp != "new" || !got.LastUsed.Equal(noon.Add(time.Minute)) {
				t.Errorf("kept %+v", got)
			}
			for _, other := range others {
				if told[other.ID] != 1 || s.find(other.Digest) != nil {
					t.Errorf("%s was revoked %d times", other.ID, told[other.ID])
				}
			}
		}
	})
	t.Run("what is kept does not come back after it was revoked", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for round := range 8 {
			kept := record("alice", fmt.Sprint(round), 0)
			s.add(kept)
			parallel(16, func(i int) {
				switch {
				case i == 8:
					if found, err := s.Revoke(t.Context(), "alice", kept.ID, none); !found || err != nil {
						t.Error(found, err)
					}
				case i%2 == 0:
					if ids, err := s.RevokeAll(t.Context(), "alice", kept.Digest, "new", none); len(ids) != 0 || err != nil {
						t.Error(ids, err)
					}
				default:
					s.touch(kept, noon.Add(time.Minute), noon.Add(20*time.Hour))
				}
			})
			if s.find(kept.Digest) != nil {
				t.Fatal("it is back")
			}
		}
	})
	t.Run("of many that revoke one, one is told so", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "1", 0))
		var mu sync.Mutex
		told := 0
		parallel(16, func(int) {
			found, err := s.Revoke(t.Context(), "alice", "1", none)
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

	t.Run("purging removes what has expired, in batches, each once", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i := range 10 {
			r := record("alice", fmt.Sprint(i), 0)
			r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
			s.add(r)
		}
		never := record("alice", "never", 0)
		never.ExpiresAt = time.Time{}
		s.add(never)
		at := noon.Add(6 * time.Minute) // 0 to 6 have expired
		if first, err := s.Purge(t.Context(), 3, knox.Ending{At: at}); err != nil || len(first) != 3 || first[0].UserID != "alice" {
			t.Fatal(first, err)
		}
		var mu sync.Mutex
		seen := map[string]bool{}
		parallel(8, func(int) {
			purged, err := s.Purge(t.Context(), 100, knox.Ending{At: at})
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
		if len(seen) != 4 {
			t.Errorf("purged %v after the first three", seen)
		}
		if got := s.list("alice", time.Time{}); len(got) != 4 {
			t.Errorf("left %v", got)
		}
	})
	t.Run("what is kept of an ended record is what it was, and when and why it ended", func(t *testing.T) {
		at := noon.Add(time.Hour)
		for sentence, end := range map[string]func(knoxStore, *knox.Record, knox.Ending) error{
			"revoked": func(s knoxStore, r *knox.Record, e knox.Ending) error {
				return errorOf(s.Revoke(t.Context(), r.UserID, r.ID, e))
			},
			"revoked with all": func(s knoxStore, r *knox.Record, e knox.Ending) error {
				return errorOf(s.RevokeAll(t.Context(), r.UserID, "", "", e))
			},
			"revoked with others": func(s knoxStore, r *knox.Record, e knox.Ending) error {
				return errorOf(s.RevokeAll(t.Context(), r.UserID, "kept", "stamp", e))
			},
			"evicted": func(s knoxStore, r *knox.Record, e knox.Ending) error {
				newer := record("alice", "kept", time.Hour)
				newer.Stamp = r.Stamp
				return errorOf(s.Add(t.Context(), newer, 1, true, e))
			},
		} {
			full := record("alice", "full", 0)
			full.Name, full.IP, full.UserAgent, full.Stamp = "my phöne", "2001:db8::1", "curl/8 \"'\\%", "stamp"
			full.Scopes, full.Limited, full.LastUsed = []string{"a", "b:c"}, true, noon.Add(time.Second)
			bare := &knox.Record{Digest: "bare", ID: "bare", UserID: "alice", Created: noon}
			nothing := record("alice", "limited to nothing", 0)
			nothing.Limited = true
			for _, r := range []*knox.Record{full, bare, nothing} {
				s := knoxStore{t, open(t)}
				s.add(r)
				if err := end(s, r, knox.Ending{Reason: knox.EndLoggedOut, At: at, Keep: true}); err != nil {
					t.Fatalf("%s: %v", sentence, err)
				}
				want := knox.EndedToken{ID: r.ID, UserID: r.UserID, Name: r.Name, Scopes: r.Scopes, Limited: r.Limited, Created: r.Created,
					LastUsed: r.LastUsed, EndedAt: at, Reason: knox.EndLoggedOut, IP: r.IP, UserAgent: r.UserAgent}
				got := s.ended("alice")
				if len(got) != 1 || !reflect.DeepEqual(normalEnded(got[0]), want) || s.find(r.Digest) != nil {
					t.Errorf("%s: kept %+v\nwant %+v", sentence, got, want)
				}

				s = knoxStore{t, open(t)}
				s.add(r)
				if err := end(s, r, knox.Ending{Reason: knox.EndLoggedOut, At: at}); err != nil {
					t.Fatalf("%s: %v", sentence, err)
				}
				if got := s.ended("alice"); len(got) != 0 || s.find(r.Digest) != nil {
					t.Errorf("%s: kept %+v without being asked to", sentence, got)
				}
			}
		}
	})
	t.Run("a record found expired has ended when it expired", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i := range 4 {
			r := record("alice", fmt.Sprint(i), 0)
			r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
			s.add(r)
		}
		end := knox.Ending{Reason: knox.EndRevoked, At: noon.Add(2 * time.Minute), Keep: true} // the last is still live
		if purged, err := s.Purge(t.Context(), 1, end); err != nil || len(purged) != 1 {
			t.Fatal(purged, err)
		}
		if ids, err := s.RevokeAll(t.Context(), "alice", "", "", end); err != nil || len(ids) != 3 {
			t.Fatal(ids, err)
		}
		got := map[string]string{}
		for _, e := range s.ended("alice") {
			got[e.ID] = fmt.Sprint(e.Reason, " after ", e.EndedAt.Sub(noon))
		}
		if want := map[string]string{"0": "expired after 0s", "1": "expired after 1m0s", "2": "expired after 2m0s", "3": "revoked after 2m0s"}; !reflect.DeepEqual(got, want) {
			t.Errorf("kept %v, want %v", got, want)
		}
	})
	t.Run("ended ones are listed for their user, the last first, after an instant and up to a number", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i, minute := range []int{3, 1, 4, 2} {
			s.end("alice", fmt.Sprint(i), noon.Add(time.Duration(minute)*time.Minute))
		}
		s.end("bob", "b", noon.Add(time.Hour))
		for _, row := range []struct {
			since time.Time
			limit int
			want  []string
		}{
			{time.Time{}, 10, []string{"2", "0", "3", "1"}},
			{time.Time{}, 2, []string{"2", "0"}},
			{noon.Add(2*time.Minute - time.Microsecond), 10, []string{"2", "0", "3"}},
			{noon.Add(2 * time.Minute), 10, []string{"2", "0"}},
			{noon.Add(time.Hour), 10, []string{}},
		} {
			ended, err := s.Ended(t.Context(), "alice", row.since, row.limit)
			got := []string{}
			for _, e := range ended {
				got = append(got, e.ID)
			}
			if err != nil || !slices.Equal(got, row.want) {
				t.Errorf("since %v, at most %d: %v, %v, want %v", row.since, row.limit, got, err, row.want)
			}
		}
	})
	t.Run("of many that end one record, one is kept", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for round := range 8 {
			user := fmt.Sprint("user", round)
			r := record(user, "1", 0)
			r.ExpiresAt = noon // so that Purge may have it too
			s.add(r)
			parallel(16, func(i int) {
				end := knox.Ending{Reason: knox.EndRevoked, At: noon.Add(-time.Minute), Keep: true}
				var err error
				switch i % 4 {
				case 0:
					_, err = s.Revoke(t.Context(), user, "1", end)
				case 1:
					_, err = s.RevokeAll(t.Context(), user, "", "", end)
				case 2:
					_, err = s.Purge(t.Context(), 10, knox.Ending{Reason: knox.EndExpired, At: noon, Keep: true})
				case 3:
					_, err = s.Add(t.Context(), record(fmt.Sprint("another", i), fmt.Sprint(round), 0), 1, true, end)
				}
				if err != nil {
					t.Error(err)
				}
			})
			if got := s.ended(user); len(got) != 1 || s.find(r.Digest) != nil {
				t.Errorf("%d were", len(got))
			}
		}
	})
	t.Run("of many that take the place of one record, one is told and one is kept", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "old", -time.Hour))
		var mu sync.Mutex
		told := map[string]int{}
		parallel(16, func(i int) {
			added, err := s.Add(t.Context(), record("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 1, true, knox.Ending{Reason: knox.EndEvicted, At: noon, Keep: true})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range added.Evicted {
				told[id]++
			}
		})
		kept := map[string]int{}
		for _, e := range s.ended("alice") {
			kept[e.ID]++
		}
		if len(told) != 16 || told["old"] != 1 || !reflect.DeepEqual(told, kept) {
			t.Errorf("told %v, kept %v", told, kept)
		}
	})
	t.Run("ended ones are purged by when they ended, in batches, and no live record with them", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		s.add(record("alice", "live", -time.Hour))
		for i := range 10 {
			s.end(fmt.Sprint("user", i%2), fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute))
		}
		at := noon.Add(6 * time.Minute) // 0 to 6 had ended
		if n, err := s.PurgeEnded(t.Context(), at, 3); err != nil || n != 3 {
			t.Fatal(n, err)
		}
		var mu sync.Mutex
		total := 0
		parallel(8, func(int) {
			n, err := s.PurgeEnded(t.Context(), at, 100)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
		var left []string
		for _, e := range append(s.ended("user0"), s.ended("user1")...) {
			left = append(left, e.ID)
		}
		if total != 4 || !slices.Equal(left, []string{"8", "9", "7"}) {
			t.Errorf("purged %d after the first three, left %v", total, left)
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"live"}) {
			t.Errorf("live ones left: %v", got)
		}
	})
	t.Run("one identifier may end twice", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for range 2 {
			s.end("alice", "1", noon)
		}
		if got := s.ended("alice"); len(got) != 2 {
			t.Errorf("kept %v", got)
		}
	})
	t.Run("text of any shape is data", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		odd := `'; DROP TABLE knox_tokens; -- "%_\ ` + "\u2028" + `日本`
		r := record(odd, "1", 0)
		r.ID, r.Name, r.IP, r.UserAgent = odd, odd, odd, odd
		s.add(r)
		if got := s.list(odd, noon); !slices.Equal(got, []string{odd}) {
			t.Errorf("listed %q", got)
		}
		end := knox.Ending{Reason: knox.EndReason(odd), At: noon, Keep: true}
		if found, err := s.Revoke(t.Context(), odd, odd, end); !found || err != nil {
			t.Error(found, err)
		}
		if got := s.ended(odd); len(got) != 1 || got[0].ID != odd || got[0].Name != odd || got[0].IP != odd || got[0].UserAgent != odd || got[0].Reason != end.Reason {
			t.Errorf("kept %+v", got)
		}
	})
	t.Run("a cancelled request changes nothing by half", func(t *testing.T) {
		s := knoxStore{t, open(t)}
		for i := range 3 {
			s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Add(ctx, record("alice", "new", time.Hour), 3, true, none)
		got := s.list("alice", noon)
		if want := []string{"2", "1", "0"}; err != nil && !slices.Equal(got, want) {
			t.Errorf("error %v, but left %v", err, got)
		}
		if want := []string{"new", "2", "1"}; err == nil && !slices.Equal(got, want) {
			t.Errorf("no error, but left %v", got)
		}
		s.add(record("alice", "after", 2*time.Hour)) // the store still works
	})
}

// knoxStore is a store with the test that uses it.
type knoxStore struct {
	t *testing.T
	knox.Store
}

func (s knoxStore) add(r *knox.Record) {
	s.t.Helper()
	if added, err := s.Add(s.t.Context(), r, 0, false, none); err != nil || added.OverLimit {
		s.t.Fatalf("Add: %+v, %v", added, err)
	}
}

func (s knoxStore) find(digest string) *knox.Record {
	s.t.Helper()
	r, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatalf("Find: %v", err)
	}
	return r
}

func (s knoxStore) touch(r *knox.Record, used, expires time.Time) {
	s.t.Helper()
	touch := knox.Touch{Digest: r.Digest, Used: used, ExpiresAt: expires, LiveUntil: r.ExpiresAt}
	if err := s.Touch(s.t.Context(), touch); err != nil {
		s.t.Errorf("Touch: %v", err)
	}
}

func (s knoxStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s knoxStore) page(userID, after string, limit int, now time.Time) []string {
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

// ended returns all that is kept of a user's ended tokens.
func (s knoxStore) ended(userID string) []*knox.EndedToken {
	s.t.Helper()
	ended, err := s.Ended(s.t.Context(), userID, time.Time{}, 1000)
	if err != nil {
		s.t.Fatalf("Ended: %v", err)
	}
	return ended
}

// end adds a record of a user and ends it at an instant.
func (s knoxStore) end(userID, id string, at time.Time) {
	s.t.Helper()
	s.add(record(userID, id, 0))
	if found, err := s.Revoke(s.t.Context(), userID, id, knox.Ending{Reason: knox.EndRevoked, At: at, Keep: true}); !found || err != nil {
		s.t.Fatalf("Revoke: %v, %v", found, err)
	}
}

// normalEnded is normal for what is kept of an ended record.
func normalEnded(e *knox.EndedToken) knox.EndedToken {
	n := *e
	if len(n.Scopes) == 0 {
		n.Scopes = nil
	}
	for _, at := range []*time.Time{&n.Created, &n.LastUsed, &n.EndedAt} {
		*at = at.UTC()
	}
	return n
}

// second returns the error of two results.
func errorOf[T any](_ T, err error) error { return err }

// record returns a record that was created some time after noon and lives for
// ten hours.
func record(user, id string, after time.Duration) *knox.Record {
	created := noon.Add(after)
	return &knox.Record{Digest: "digest of " + user + id, ID: id, UserID: user, Created: created, ExpiresAt: created.Add(10 * time.Hour)}
}

// normal makes records comparable: no slice is an empty one, times are UTC.
func normal(r *knox.Record) knox.Record {
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

// parallel calls f n times at once.
func parallel(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			f(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}
