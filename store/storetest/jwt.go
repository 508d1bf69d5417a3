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
	"github.com/gatewarden/auth/jwt"
)

// JWT checks a [jwt.Store].
func JWT(t *testing.T, open func(t *testing.T) jwt.Store) {
	t.Run("a family and its token are found as they were started", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		full := jwtFamily("älice '\"\\% ", "full", 0)
		full.Scopes, full.Limited, full.ClientID = []string{"a", "b:c"}, true, "app"
		full.IP, full.UserAgent, full.Stamp = "2001:db8::1", "Mözilla/5 \"'\\%", "stamp"
		full.AuthInfo = auth.AuthInfo{AuthTime: noon.Add(-time.Hour), AMR: []string{"pwd", "one time"}, ACR: "urn:high"}
		full.Claims = []byte(`{"team":"rød","n":1}`)
		nothing := jwtFamily("alice", "limited to nothing", 0)
		nothing.Limited = true
		for _, want := range []*jwt.Family{full, nothing, jwtFamily("alice", "bare", 0)} {
			first := jwtToken(want, "first")
			first.Sealed = []byte{0, 255, 1}
			if started, err := s.Start(t.Context(), want, first, nil, 0, false); err != nil || !reflect.DeepEqual(started, jwt.Started{}) {
				t.Fatalf("%+v, %v", started, err)
			}
			r, f := s.find(first.Digest)
			if r == nil || !reflect.DeepEqual(*r, *first) {
				t.Errorf("found %+v\nwant  %+v", r, first)
			}
			if f == nil || !reflect.DeepEqual(normalFamily(f), normalFamily(want)) {
				t.Errorf("found %+v\nwant  %+v", f, want)
			}
		}
	})
	t.Run("what was never started is not found, unknown, and revoked", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		if r, f := s.find("nothing"); r != nil || f != nil {
			t.Errorf("found %+v %+v", r, f)
		}
		rotation, err := s.Rotate(t.Context(), "nothing", noon, 0, jwtToken(jwtFamily("alice", "1", 0), "next"))
		if err != nil || rotation.Verdict != jwt.Unknown || rotation.Family != nil {
			t.Errorf("%+v, %v", rotation, err)
		}
		s.revoked("a family that is not there", jwt.Claimed{SessionID: "nothing", UserID: "alice"}, noon, true)
		s.revoked("no family, and nothing voided", jwt.Claimed{UserID: "alice"}, noon, false)
		if found, err := s.End(t.Context(), "alice", "nothing", noon); found || err != nil {
			t.Error(found, err)
		}
		if ids, err := s.EndAll(t.Context(), "nobody", "", "", noon); len(ids) != 0 || err != nil {
			t.Error(ids, err)
		}
	})
	t.Run("what is there already is an error and changes nothing", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		one, two := s.start("alice", "1", 0), s.start("alice", "2", 0)
		again := jwtFamily("alice", "1", 0)
		again.Stamp = "other"
		if _, err := s.Start(t.Context(), again, jwtToken(again, "new"), nil, 0, false); err == nil {
			t.Error("the family, again")
		}
		fresh := jwtFamily("alice", "3", 0)
		if _, err := s.Start(t.Context(), fresh, &jwt.Refresh{Digest: "1 first", FamilyID: "3", Issued: noon, ExpiresAt: fresh.ExpiresAt}, nil, 0, false); err == nil {
			t.Error("the digest, again")
		}
		if _, err := s.Start(t.Context(), fresh, jwtToken(one, "of another family"), nil, 0, false); err == nil {
			t.Error("a first token of another family")
		}
		if _, err := s.Rotate(t.Context(), "1 first", noon, 0, jwtToken(one, "first")); err == nil {
			t.Error("a successor that is there")
		}
		if _, err := s.Rotate(t.Context(), "1 first", noon, 0, jwtToken(two, "next")); err == nil {
			t.Error("a successor of another family")
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"2", "1"}) {
			t.Errorf("now %v", got)
		}
		if r, f := s.find("1 first"); !r.Rotated.IsZero() || f.Stamp != "" {
			t.Errorf("now %+v %+v", r, f)
		}
		s.rotate("1 first", "next", noon, 0, jwt.Rotated)
	})
	checkPages(t, func(t *testing.T) paged {
		s := jwtStore{t, open(t)}
		return paged{
			add:  func(user, id string, created time.Time) { s.start(user, id, created.Sub(noon)) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.End(t.Context(), user, id, noon); !found || err != nil {
					t.Error(found, err)
				}
			},
		}
	})
	checkLimitRace(t, func(t *testing.T) limited {
		s := jwtStore{t, open(t)}
		return limited{
			fill: func(i int) { s.start("alice", fmt.Sprint("old", i), -time.Duration(1000-i)*time.Second) },
			add: func(i, limit int, evict bool) (bool, []string, error) {
				f := jwtFamily("alice", fmt.Sprint(i), 0)
				started, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, limit, evict)
				return !started.OverLimit, started.Evicted, err
			},
			count: func() int { return len(s.page("alice", "", 1000, noon)) },
		}
	})
	t.Run("over the limit nothing is added and nothing used up, or the oldest end", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "expired", -time.Hour)
		for i := range 4 {
			s.start("alice", fmt.Sprint(i), time.Duration(i-10)*time.Minute)
		}
		s.start("bob", "b", -30*time.Minute)
		f := jwtFamily("alice", "new", 0)
		foreign := &jwt.Refresh{Digest: "foreign", Issued: noon, ExpiresAt: f.ExpiresAt}
		started, err := s.Start(t.Context(), f, jwtToken(f, "first"), foreign, 4, false)
		if err != nil || !started.OverLimit || len(started.Evicted) != 0 || started.Seen {
			t.Errorf("got %+v, %v", started, err)
		}
		if r, _ := s.find("foreign"); r != nil || len(s.list("alice", noon)) != 4 {
			t.Errorf("got %v, and %+v adopted", s.list("alice", noon), r)
		}
		if started, err = s.Start(t.Context(), f, jwtToken(f, "first"), foreign, 3, true); err != nil || started.OverLimit ||
			!slices.Equal(started.Evicted, []string{"0", "1"}) {
			t.Errorf("got %+v, %v", started, err)
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"new", "3", "2"}) || len(s.list("bob", noon)) != 1 {
			t.Errorf("left %v", got)
		}
		s.rotate("1 first", "next", noon, 0, jwt.Revoked)
	})
	t.Run("a token is used once, and its second use ends the family and no other", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		later := noon.Add(time.Minute)
		rotation := s.rotate("1 first", "second", later, 0, jwt.Rotated)
		if f := rotation.Family; f == nil || !f.LastUsed.Equal(later) || !f.ExpiresAt.Equal(later.Add(time.Hour)) || f.ID != "1" {
			t.Errorf("%+v", rotation.Family)
		}
		r, f := s.find("1 first")
		if !r.Rotated.Equal(later) || r.Successor != "1 second" || !f.LastUsed.Equal(later) || !f.ExpiresAt.Equal(later.Add(time.Hour)) {
			t.Errorf("%+v %+v", r, f)
		}
		if r, _ := s.find("1 second"); r == nil || !r.Rotated.IsZero() {
			t.Errorf("%+v", r)
		}
		rotation = s.rotate("1 first", "third", later.Add(time.Second), 0, jwt.Reused)
		if f := rotation.Family; f == nil || !f.RevokedAt.Equal(later.Add(time.Second)) {
			t.Errorf("%+v", rotation.Family)
		}
		if r, _ := s.find("1 third"); r != nil {
			t.Error("a replay got a successor")
		}
		s.rotate("1 second", "third", later.Add(time.Minute), 0, jwt.Revoked)
		s.rotate("1 first", "third", later.Add(time.Minute), 0, jwt.Revoked)
		if _, f := s.find("1 first"); !f.RevokedAt.Equal(later.Add(time.Second)) {
			t.Error("it ended again")
		}
		s.revoked("the family", jwt.Claimed{SessionID: "1", UserID: "alice"}, later.Add(time.Minute), true)
		s.revoked("the other", jwt.Claimed{SessionID: "2", UserID: "alice"}, later.Add(time.Minute), false)
		if got := s.list("alice", later); !slices.Equal(got, []string{"2"}) {
			t.Errorf("listed %v", got)
		}
	})
	t.Run("a token is good until just before it expires", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		s.rotate("2 first", "second", f.ExpiresAt.Add(-time.Microsecond), 0, jwt.Rotated)
		s.rotate("1 first", "second", f.ExpiresAt, 0, jwt.Expired)
		if r, family := s.find("1 first"); !r.Rotated.IsZero() || !family.RevokedAt.IsZero() {
			t.Error("an expired token was used")
		}
		s.revoked("just before", jwt.Claimed{SessionID: "1", UserID: "alice"}, f.ExpiresAt.Add(-time.Microsecond), false)
		s.revoked("then", jwt.Claimed{SessionID: "1", UserID: "alice"}, f.ExpiresAt, true)
		if got := s.list("alice", f.ExpiresAt); !slices.Equal(got, []string{"2"}) {
			t.Errorf("listed %v", got)
		}
	})
	t.Run("a token may expire before its family", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := jwtFamily("alice", "1", 0)
		first := jwtToken(f, "first")
		first.ExpiresAt = noon.Add(time.Minute)
		if _, err := s.Start(t.Context(), f, first, nil, 0, false); err != nil {
			t.Fatal(err)
		}
		s.rotate("1 first", "second", noon.Add(time.Minute), 0, jwt.Expired)
	})
	t.Run("within the grace the same successor is given, until it is used", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		s.rotate("1 first", "second", noon, time.Minute, jwt.Rotated)
		again := s.rotate("1 first", "other", noon.Add(time.Minute-time.Microsecond), time.Minute, jwt.Retried)
		if string(again.Sealed) != "sealed second" || again.Family == nil || again.Family.ID != "1" {
			t.Errorf("%+v", again)
		}
		if r, _ := s.find("1 other"); r != nil {
			t.Error("a retry made another successor")
		}
		s.rotate("1 second", "third", noon.Add(time.Second), time.Minute, jwt.Rotated)
		if r, _ := s.find("1 second"); r.Sealed != nil {
			t.Error("what was sealed is kept after its use")
		}
		if r, _ := s.find("1 third"); string(r.Sealed) != "sealed third" {
			t.Errorf("%+v", r)
		}
		s.rotate("1 first", "other", noon.Add(2*time.Second), time.Minute, jwt.Reused)
		s.rotate("1 second", "other", noon.Add(2*time.Second), time.Minute, jwt.Revoked)
	})
	t.Run("a grace ends at its instant, and is none without a sealed successor", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for i, row := range []struct {
			after, grace time.Duration
			sealed       bool
			want         jwt.Verdict
		}{
			{time.Minute, time.Minute, true, jwt.Reused},
			{time.Minute - time.Microsecond, time.Minute, true, jwt.Retried},
			{0, time.Minute, true, jwt.Retried},
			{0, 0, true, jwt.Reused},
			{time.Second, time.Minute, false, jwt.Reused},
			{-time.Second, time.Minute, true, jwt.Retried}, // who came first was served last
			{-time.Minute, time.Minute, true, jwt.Reused},
			{-time.Second, 0, true, jwt.Reused},
		} {
			f := s.start("alice", fmt.Sprint(i), 0)
			next := jwtToken(f, "second")
			if row.sealed {
				next.Sealed = []byte("x")
			}
			if rotation, err := s.Rotate(t.Context(), f.ID+" first", noon, row.grace, next); err != nil || rotation.Verdict != jwt.Rotated {
				t.Fatal(rotation, err)
			}
			s.rotate(f.ID+" first", "third", noon.Add(row.after), row.grace, row.want)
		}
		f := jwtFamily("alice", "short", 0)
		if _, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil {
			t.Fatal(err)
		}
		short := jwtToken(f, "second")
		short.Sealed, short.ExpiresAt = []byte("x"), noon.Add(time.Second)
		if _, err := s.Rotate(t.Context(), "short first", noon, time.Minute, short); err != nil {
			t.Fatal(err)
		}
		if rotation, err := s.Rotate(t.Context(), "short first", noon.Add(time.Second), time.Minute, jwtToken(f, "third")); err != nil || rotation.Verdict != jwt.Expired {
			t.Errorf("the family expired with its successor: %+v %v", rotation, err)
		}
	})
	t.Run("a user ends a family of their own, once", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		for _, row := range []struct {
			user, id string
			now      time.Time
			want     bool
		}{{"bob", "1", noon, false}, {"alice", "3", noon, false}, {"alice", "2", f.ExpiresAt, false}, {"alice", "1", noon, true}, {"alice", "1", noon.Add(time.Second), false}} {
			if found, err := s.End(t.Context(), row.user, row.id, row.now); found != row.want || err != nil {
				t.Errorf("%+v: %v %v", row, found, err)
			}
		}
		if _, f := s.find("1 first"); !f.RevokedAt.Equal(noon) {
			t.Errorf("%+v", f)
		}
		s.rotate("1 first", "second", noon, time.Minute, jwt.Revoked)
		s.rotate("2 first", "second", noon, 0, jwt.Rotated)
	})
	t.Run("ending all ends those of one user, in all ways of writing their name", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		others := []string{"Alice", "alice ", "älice", "alic", "alice2", "' OR ''='", "%"}
		for i, user := range append(others, "alice") {
			s.start(user, fmt.Sprint(user, i), 0)
		}
		s.start("alice", "second", time.Minute)
		expired := s.start("alice", "expired", -2*time.Hour)
		ids, err := s.EndAll(t.Context(), "alice", "", "", noon.Add(time.Minute))
		if err != nil || len(ids) != 2 || !slices.Contains(ids, "second") || slices.Contains(ids, expired.ID) {
			t.Errorf("%v %v", ids, err)
		}
		if got := s.list("alice", noon); len(got) != 0 {
			t.Errorf("listed %v", got)
		}
		for i, user := range others {
			s.revoked(user, jwt.Claimed{SessionID: fmt.Sprint(user, i), UserID: user}, noon, false)
		}
		s.revoked("another's family claimed", jwt.Claimed{SessionID: "Alice0", UserID: "alice", Generation: 9}, noon, true)
	})
	t.Run("ending all but one stamps that one, and voids what others issued", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		s.start("bob", "3", 0)
		if ids, err := s.EndAll(t.Context(), "alice", "1", "new", noon); err != nil || !slices.Equal(ids, []string{"2"}) {
			t.Errorf("%v %v", ids, err)
		}
		if _, f := s.find("1 first"); f.Stamp != "new" || !f.Live(noon) {
			t.Errorf("%+v", f)
		}
		s.revoked("the one that is kept", jwt.Claimed{SessionID: "1", UserID: "alice"}, noon, false)
		s.revoked("one of no family", jwt.Claimed{UserID: "alice"}, noon, false)
		s.revoked("issued by others", jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon}, noon, true)
		s.revoked("issued by others later", jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon.Add(time.Second)}, noon, false)
		if _, err := s.EndAll(t.Context(), "carol", "", "", noon); err != nil {
			t.Fatal(err)
		}
		carol := s.start("carol", "4", 0)
		if _, err := s.EndAll(t.Context(), "carol", "4", "new", noon.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		s.revoked("the generation of a kept one", jwt.Claimed{SessionID: carol.ID, UserID: "carol", Generation: 1}, noon, false)
		s.revoked("a generation before", jwt.Claimed{UserID: "carol"}, noon, true)
		if ids, err := s.EndAll(t.Context(), "alice", "3", "x", noon); err != nil || !slices.Equal(ids, []string{"1"}) {
			t.Errorf("keeping another's: %v %v", ids, err)
		}
		if _, f := s.find("3 first"); f.Stamp != "" || !f.Live(noon) {
			t.Errorf("another's was stamped: %+v", f)
		}
		if _, err := s.EndAll(t.Context(), "alice", "1", "later", noon); err != nil {
			t.Fatal(err)
		}
		if _, f := s.find("1 first"); f.Stamp != "new" {
			t.Error("an ended family was stamped")
		}
	})
	t.Run("a generation voids all before it, and what others issued until then", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for n := range int64(3) {
			at := noon.Add(time.Duration(n) * time.Minute)
			id := fmt.Sprint(n)
			f := jwtFamily("alice", id, time.Duration(n)*time.Minute)
			if started, err := s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil || started.Generation != n {
				t.Fatalf("%+v %v", started, err)
			}
			if rotation := s.rotate(id+" first", "second", at, 0, jwt.Rotated); rotation.Generation != n {
				t.Errorf("%+v", rotation)
			}
			s.revoked("the present generation", jwt.Claimed{SessionID: id, UserID: "alice", Generation: n}, at, false)
			s.revoked("one before", jwt.Claimed{UserID: "alice", Generation: n - 1}, at, n > 0)
			s.revoked("one to come", jwt.Claimed{UserID: "alice", Generation: n + 1}, at, false)
			if _, err := s.EndAll(t.Context(), "alice", "", "", at); err != nil {
				t.Fatal(err)
			}
			s.revoked("the voided generation", jwt.Claimed{UserID: "alice", Generation: n}, at, true)
			for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Microsecond: false} {
				s.revoked(fmt.Sprint("issued by others ", after), jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: at.Add(after)}, at.Add(time.Hour), want)
			}
			s.revoked("bob's", jwt.Claimed{UserID: "bob", Generation: -1, IssuedAt: noon.Add(-time.Hour)}, at, false)
		}
	})
	t.Run("a sliding token is good until it is replaced, and for the grace", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		claimed := jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 first"}
		s.revoked("before", claimed, noon, false)
		s.revoked("of another family", jwt.Claimed{SessionID: "2", UserID: "alice", Digest: "1 first"}, noon, true)
		s.revoked("unknown", jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "x"}, noon, true)
		s.rotate("1 first", "second", noon, 0, jwt.Rotated)
		s.revoked("replaced", claimed, noon, true)
		s.revoked("the new one", jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 second"}, noon, false)
		claimed.Grace = time.Minute
		s.revoked("within the grace", claimed, noon.Add(time.Minute-time.Microsecond), false)
		s.revoked("after the grace", claimed, noon.Add(time.Minute), true)
		s.rotate("2 first", "second", noon.Add(30*time.Minute), 0, jwt.Rotated) // the family goes on
		s.revoked("itself expired", jwt.Claimed{SessionID: "2", UserID: "alice", Digest: "2 first", Grace: time.Hour}, f.ExpiresAt, true)
	})
	t.Run("a token of others is adopted once", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		foreign := &jwt.Refresh{Digest: "foreign", Issued: noon.Add(-time.Hour), ExpiresAt: noon.Add(48 * time.Hour)}
		one, two := jwtFamily("alice", "1", 0), jwtFamily("alice", "2", time.Minute)
		if started, err := s.Start(t.Context(), one, jwtToken(one, "first"), foreign, 0, false); err != nil || started.Seen {
			t.Fatal(started, err)
		}
		r, f := s.find("foreign")
		if r == nil || f.ID != "1" || !r.Rotated.Equal(noon) || r.Successor != "1 first" || !r.ExpiresAt.Equal(foreign.ExpiresAt) {
			t.Errorf("%+v %+v", r, f)
		}
		if foreign.FamilyID != "" {
			t.Error("the argument was changed")
		}
		started, err := s.Start(t.Context(), two, jwtToken(two, "first"), foreign, 0, false)
		if err != nil || !started.Seen {
			t.Error(started, err)
		}
		if _, f := s.find("1 first"); !f.RevokedAt.Equal(two.Created) {
			t.Errorf("the family goes on: %+v", f)
		}
		if r, _ := s.find("2 first"); r != nil {
			t.Error("a second family was started")
		}
		unknown := jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon, Digest: "x"}
		s.revoked("one that nobody adopted", unknown, noon, false)
		adopted := unknown
		adopted.Digest = "foreign"
		s.revoked("the adopted one", adopted, noon, true)
		adopted.Grace = time.Minute
		s.revoked("the adopted one, within the grace", adopted, noon.Add(time.Minute-time.Microsecond), false)
		s.revoked("the adopted one, after the grace", adopted, noon.Add(time.Minute), true)
		// It is remembered as long as it could be used.
		if purged, err := s.Purge(t.Context(), one.ExpiresAt.Add(time.Hour), 10); purged != 0 || err != nil {
			t.Error(purged, err)
		}
		if purged, err := s.Purge(t.Context(), foreign.ExpiresAt.Add(jwt.KeepExpired-time.Microsecond), 10); purged != 0 || err != nil {
			t.Error(purged, err)
		}
		if purged, err := s.Purge(t.Context(), foreign.ExpiresAt.Add(jwt.KeepExpired), 10); purged != 1 || err != nil {
			t.Error(purged, err)
		}
	})
	t.Run("a refresh forgets the tokens of its family that nobody can present any more", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		s.start("alice", "2", 0)
		s.rotate("1 first", "second", noon.Add(30*time.Minute), 0, jwt.Rotated)
		gone := noon.Add(time.Hour + jwt.KeepExpired)
		for i, at := range []time.Time{gone.Add(-time.Microsecond), gone} {
			s.rotate([]string{"1 second", "1 third"}[i], []string{"third", "fourth"}[i], at, 0, jwt.Rotated)
			if r, _ := s.find("1 first"); (r != nil) != (i == 0) {
				t.Errorf("at %v: %+v", at.Sub(noon), r)
			}
		}
		for _, kept := range []string{"1 second", "1 third", "1 fourth", "2 first"} {
			if r, _ := s.find(kept); r == nil {
				t.Errorf("%s is gone", kept)
			}
		}
		s.rotate("1 second", "fifth", gone, 0, jwt.Reused) // used ones are known as long as they count
	})
	t.Run("expired families are purged in batches", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for i := range 5 {
			s.start("alice", fmt.Sprint(i), 0)
		}
		later := s.start("alice", "later", time.Hour)
		s.rotate("0 first", "second", noon, 0, jwt.Rotated)
		end := noon.Add(time.Hour + jwt.KeepExpired)
		for i, want := range []int{0, 2, 2, 1, 0} {
			now := end
			if i == 0 {
				now = end.Add(-time.Microsecond)
			}
			if purged, err := s.Purge(t.Context(), now, 2); purged != want || err != nil {
				t.Errorf("step %d: %d %v", i, purged, err)
			}
		}
		for _, digest := range []string{"0 first", "0 second", "1 first", "4 first"} {
			if r, f := s.find(digest); r != nil || f != nil {
				t.Errorf("%s is there", digest)
			}
		}
		if r, _ := s.find("later first"); r == nil || !later.Live(end) {
			t.Error("a live one was purged")
		}
	})
	jwtPurgeEnded(t, open)
	t.Run("a purge leaves the generation", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		if _, err := s.EndAll(t.Context(), "alice", "", "", noon); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Purge(t.Context(), f.ExpiresAt.Add(jwt.KeepExpired), 10); err != nil {
			t.Fatal(err)
		}
		s.revoked("a token of before", jwt.Claimed{UserID: "alice"}, f.ExpiresAt, true)
	})
	t.Run("what was returned does not change", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		s.start("alice", "1", 0)
		r, f := s.find("1 first")
		listed, err := s.List(t.Context(), "alice", "", 10, noon)
		if err != nil || len(listed) != 1 {
			t.Fatal(listed, err)
		}
		s.rotate("1 first", "second", noon.Add(time.Second), 0, jwt.Rotated)
		if _, err := s.EndAll(t.Context(), "alice", "1", "new", noon); err != nil {
			t.Fatal(err)
		}
		if _, err := s.End(t.Context(), "alice", "1", noon); err != nil {
			t.Fatal(err)
		}
		if !r.Rotated.IsZero() || !f.RevokedAt.IsZero() || f.Stamp != "" || !f.LastUsed.Equal(noon) || !listed[0].RevokedAt.IsZero() || listed[0].Stamp != "" {
			t.Errorf("%+v %+v %+v", r, f, listed[0])
		}
	})
	t.Run("a context that ended is an error and no verdict", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		other := jwtFamily("alice", "2", 0)
		for name, call := range map[string]func() error{
			"Start":   func() error { _, err := s.Start(ctx, other, jwtToken(other, "first"), nil, 0, false); return err },
			"Find":    func() error { _, _, err := s.Find(ctx, "1 first"); return err },
			"Rotate":  func() error { _, err := s.Rotate(ctx, "1 first", noon, 0, jwtToken(f, "next")); return err },
			"Revoked": func() error { _, err := s.Revoked(ctx, jwt.Claimed{SessionID: "1", UserID: "alice"}, noon); return err },
			"List":    func() error { _, err := s.List(ctx, "alice", "", 10, noon); return err },
			"End":     func() error { _, err := s.End(ctx, "alice", "1", noon); return err },
			"EndAll":  func() error { _, err := s.EndAll(ctx, "alice", "", "", noon); return err },
			"Purge":   func() error { _, err := s.Purge(ctx, f.ExpiresAt, 10); return err },
		} {
			if err := call(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if got := s.list("alice", noon); !slices.Equal(got, []string{"1"}) {
			t.Errorf("now %v", got)
		}
		s.rotate("1 first", "second", noon, 0, jwt.Rotated)
	})

	t.Run("of 32 uses of one token at once one is good, and then the family is dead", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for round := range 5 {
			f := s.start("alice", fmt.Sprint(round), 0)
			verdicts := make([]jwt.Verdict, 32)
			together(len(verdicts), func(i int) {
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
					t.Errorf("verdict %d", v)
				}
			}
			if rotated != 1 {
				t.Errorf("%d were good", rotated)
			}
			s.revoked("the family", jwt.Claimed{SessionID: f.ID, UserID: "alice"}, noon, true)
		}
		if got := s.list("alice", noon); len(got) != 0 {
			t.Errorf("listed %v", got)
		}
	})
	t.Run("of 32 uses at once within a grace all get one successor", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		f := s.start("alice", "1", 0)
		successors := make([]string, 32)
		together(len(successors), func(i int) {
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
			t.Errorf("successors %q", one)
		}
		s.revoked("the family", jwt.Claimed{SessionID: "1", UserID: "alice"}, noon, false)
	})
	t.Run("of 32 adoptions of one token at once one starts a family, which then ends", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		var mu sync.Mutex
		started := 0
		together(32, func(i int) {
			f := jwtFamily("alice", fmt.Sprint(i), 0)
			outcome, err := s.Start(t.Context(), f, jwtToken(f, "first"), &jwt.Refresh{Digest: "foreign", Issued: noon, ExpiresAt: f.ExpiresAt}, 0, false)
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
			t.Errorf("%d started, listed %v", started, got)
		}
	})
	t.Run("nothing comes back after everything was ended", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for round := range 10 {
			for i := range 4 {
				s.start("alice", fmt.Sprint(round, " ", i), 0)
			}
			together(5, func(i int) {
				if i == 4 {
					if _, err := s.EndAll(t.Context(), "alice", "", "", noon); err != nil {
						t.Error(err)
					}
					return
				}
				id := fmt.Sprint(round, " ", i)
				if _, err := s.Rotate(t.Context(), id+" first", noon, 0, jwtToken(jwtFamily("alice", id, 0), "second")); err != nil {
					t.Error(err)
				}
			})
			if got := s.list("alice", noon); len(got) != 0 {
				t.Fatalf("live: %v", got)
			}
		}
	})
	t.Run("a login at the moment of a voiding is ended or of the new generation", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for round := range 20 {
			f := jwtFamily("alice", fmt.Sprint(round), 0)
			var started jwt.Started
			together(2, func(i int) {
				var err error
				if i == 0 {
					started, err = s.Start(t.Context(), f, jwtToken(f, "first"), nil, 0, false)
				} else {
					_, err = s.EndAll(t.Context(), "alice", "", "", noon)
				}
				if err != nil {
					t.Error(err)
				}
			})
			s.revoked("a token of it", jwt.Claimed{SessionID: f.ID, UserID: "alice", Generation: started.Generation}, noon, started.Generation < int64(round+1))
		}
	})
	t.Run("purges at once remove each family once", func(t *testing.T) {
		s := jwtStore{t, open(t)}
		for i := range 40 {
			s.start("alice", fmt.Sprint(i), 0)
		}
		var mu sync.Mutex
		total := 0
		together(8, func(int) {
			n, err := s.Purge(t.Context(), noon.Add(time.Hour+jwt.KeepExpired), 7)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
		if total != 40 {
			t.Errorf("%d of 40", total)
		}
	})
}

// together runs n functions at once.
func together(n int, do func(i int)) {
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		group.Go(func() { <-begin; do(i) })
	}
	close(begin)
	group.Wait()
}

// jwtStore is a store with the test that uses it.
type jwtStore struct {
	t *testing.T
	jwt.Store
}

// start starts a family whose first token is its ID and " first".
func (s jwtStore) start(user, id string, after time.Duration) *jwt.Family {
	s.t.Helper()
	f := jwtFamily(user, id, after)
	if _, err := s.Start(s.t.Context(), f, jwtToken(f, "first"), nil, 0, false); err != nil {
		s.t.Fatal(err)
	}
	return f
}

func (s jwtStore) find(digest string) (*jwt.Refresh, *jwt.Family) {
	s.t.Helper()
	r, f, err := s.Find(s.t.Context(), digest)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, f
}

// rotate uses a token, for a successor of the name next, which lives an hour.
func (s jwtStore) rotate(old, next string, now time.Time, grace time.Duration, want jwt.Verdict) jwt.Rotation {
	s.t.Helper()
	r, f := s.find(old)
	if r == nil {
		s.t.Fatalf("there is no token %q", old)
	}
	successor := &jwt.Refresh{Digest: f.ID + " " + next, FamilyID: f.ID, Issued: now, ExpiresAt: now.Add(time.Hour), Sealed: []byte("sealed " + next)}
	rotation, err := s.Rotate(s.t.Context(), old, now, grace, successor)
	if err != nil || rotation.Verdict != want {
		s.t.Errorf("%s at %v: verdict %d, want %d; %v", old, now.Sub(noon), rotation.Verdict, want, err)
	}
	return rotation
}

func (s jwtStore) revoked(sentence string, c jwt.Claimed, now time.Time, want bool) {
	s.t.Helper()
	if got, err := s.Revoked(s.t.Context(), c, now); got != want || err != nil {
		s.t.Errorf("%s: revoked %v, want %v; %v", sentence, got, want, err)
	}
}

func (s jwtStore) list(userID string, now time.Time) []string {
	s.t.Helper()
	return s.page(userID, "", 1000, now)
}

func (s jwtStore) page(userID, after string, limit int, now time.Time) []string {
	s.t.Helper()
	all, err := s.List(s.t.Context(), userID, after, limit, now)
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, f := range all {
		if f.UserID != userID {
			s.t.Errorf("listed one of %q for %q", f.UserID, userID)
		}
		ids = append(ids, f.ID)
	}
	return ids
}

// jwtFamily is a family that began after noon, and lives an hour.
func jwtFamily(user, id string, after time.Duration) *jwt.Family {
	created := noon.Add(after)
	return &jwt.Family{ID: id, UserID: user, Created: created, LastUsed: created, ExpiresAt: created.Add(time.Hour), MaxExpiresAt: created.Add(24 * time.Hour)}
}

func jwtToken(f *jwt.Family, name string) *jwt.Refresh {
	return &jwt.Refresh{Digest: f.ID + " " + name, FamilyID: f.ID, Issued: f.Created, ExpiresAt: f.ExpiresAt}
}

// normalFamily is a family with empty slices for nil ones, which mean the same.
func normalFamily(f *jwt.Family) jwt.Family {
	normal := *f
	normal.Scopes = append([]string{}, f.Scopes...)
	normal.AuthInfo.AMR = append([]string{}, f.AuthInfo.AMR...)
	return normal
}

// JWTKeys checks a [jwt.KeyStore].
func JWTKeys(t *testing.T, open func(t *testing.T) jwt.KeyStore) {
	record := func(id string, signs time.Duration) *jwt.KeyRecord {
		return &jwt.KeyRecord{ID: id, Algorithm: jwt.ES256, Sealed: []byte{0, 255, 'x'}, Created: noon, Signs: noon.Add(signs)}
	}
	keys := func(t *testing.T, s jwt.KeyStore) (ids []string) {
		t.Helper()
		all, err := s.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return ids
	}
	add := func(t *testing.T, s jwt.KeyStore, r *jwt.KeyRecord, last string, want bool) {
		t.Helper()
		if added, err := s.Add(t.Context(), r, last); added != want || err != nil {
			t.Errorf("%s after %q: %v, %v", r.ID, last, added, err)
		}
	}
	t.Run("a key is there as it was added, in the order in which it signs", func(t *testing.T) {
		s := open(t)
		if got := keys(t, s); len(got) != 0 {
			t.Fatal(got)
		}
		full := record("b", time.Hour)
		full.ExpiresAt = noon.Add(2 * time.Hour)
		add(t, s, full, "", true)
		add(t, s, record("c", 0), "b", true)
		add(t, s, record("a", time.Hour), "b", true)
		if got := keys(t, s); !slices.Equal(got, []string{"c", "a", "b"}) {
			t.Error(got)
		}
		all, err := s.Keys(t.Context())
		if err != nil || !reflect.DeepEqual(*all[2], *full) || !all[0].ExpiresAt.IsZero() {
			t.Errorf("%+v %v", all[2], err)
		}
	})
	t.Run("a key is added after the last one only", func(t *testing.T) {
		s := open(t)
		add(t, s, record("a", 0), "x", false)
		add(t, s, record("a", 0), "", true)
		add(t, s, record("b", time.Hour), "", false)
		add(t, s, record("b", time.Hour), "a", true)
		add(t, s, record("c", 2*time.Hour), "a", false)
		if _, err := s.Add(t.Context(), record("a", 3*time.Hour), "b"); err == nil {
			t.Error("an identifier twice")
		}
		if got := keys(t, s); !slices.Equal(got, []string{"a", "b"}) {
			t.Error(got)
		}
	})
	t.Run("times are changed and keys removed, and what is not there is no error", func(t *testing.T) {
		s := open(t)
		add(t, s, record("a", 0), "", true)
		add(t, s, record("b", time.Hour), "a", true)
		before, err := s.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if found, err := s.Change(t.Context(), "a", noon.Add(2*time.Hour), noon.Add(3*time.Hour)); !found || err != nil {
			t.Error(found, err)
		}
		after, err := s.Keys(t.Context())
		if err != nil || after[1].ID != "a" || !after[1].Signs.Equal(noon.Add(2*time.Hour)) || !after[1].ExpiresAt.Equal(noon.Add(3*time.Hour)) || after[0].ID != "b" {
			t.Errorf("%+v %v", after, err)
		}
		if !before[0].Signs.Equal(noon) {
			t.Error("what was returned changed")
		}
		if found, err := s.Change(t.Context(), "a", noon, time.Time{}); !found || err != nil {
			t.Error(found, err)
		}
		if all, err := s.Keys(t.Context()); err != nil || !all[0].ExpiresAt.IsZero() {
			t.Errorf("%+v %v", all, err)
		}
		for _, want := range []bool{true, false} {
			if found, err := s.Remove(t.Context(), "a"); found != want || err != nil {
				t.Error(found, err)
			}
			if found, err := s.Change(t.Context(), "a", noon, noon); found || err != nil {
				t.Error(found, err)
			}
		}
		if got := keys(t, s); !slices.Equal(got, []string{"b"}) {
			t.Error(got)
		}
	})
	t.Run("of 16 that replace a key at once one does", func(t *testing.T) {
		s := open(t)
		last := ""
		for round := range 5 {
			won := make([]bool, 16)
			together(len(won), func(i int) {
				var err error
				if won[i], err = s.Add(t.Context(), record(fmt.Sprint(round, " ", i), time.Duration(round)*time.Hour), last); err != nil {
					t.Error(err)
				}
			})
			winner := slices.Index(won, true)
			if got := keys(t, s); winner < 0 || slices.Contains(won[winner+1:], true) || len(got) != round+1 {
				t.Fatalf("%v, now %v", won, got)
			}
			last = fmt.Sprint(round, " ", winner)
		}
	})
	t.Run("a context that ended is an error and no verdict", func(t *testing.T) {
		s := open(t)
		add(t, s, record("a", 0), "", true)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, one := s.Keys(ctx)
		_, two := s.Add(ctx, record("b", 0), "a")
		_, three := s.Change(ctx, "a", noon, noon)
		_, four := s.Remove(ctx, "a")
		if one == nil || two == nil || three == nil || four == nil {
			t.Error(one, two, three, four)
		}
		if got := keys(t, s); !slices.Equal(got, []string{"a"}) {
			t.Error(got)
		}
	})
}
