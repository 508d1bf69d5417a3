package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtKeyRing checks which keys there are, and their order.
func jwtKeyRing(t *testing.T, open openFunc[keyStore]) {
	check(t, open, "Keys returns the keys as they were added, in the order in which they sign", jwtKeysAsAdded)
	check(t, open, "Add compares a key with the last one of the same algorithm", jwtKeysOfAlgorithm)
	check(t, open, "Change sets the times of a key, Remove removes it, and an unknown key is no error", jwtKeysChange)
	check(t, open, "a key that was changed meanwhile is not changed", jwtKeysChangedMeanwhile)
	check(t, open, "of 16 that change a key at once one does", jwtKeysChangeRace)
	check(t, open, "the end of a key is limited and never put off", jwtKeysLimit)
	check(t, open, "a context that ended is an error and no verdict", jwtKeysCancelled)
}

func jwtKeysAsAdded(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	if got := s.ids(); len(got) != 0 {
		t.Fatalf("ids: got %v, want an empty list", got)
	}
	full := keyRecord("b", time.Hour)
	full.ExpiresAt = noon.Add(2 * time.Hour)
	s.add(full, "", true)
	s.add(keyRecord("c", 0), "b", true)
	s.add(keyRecord("a", time.Hour), "b", true)
	if got := s.ids(); !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("ids: got %v, want [c a b]", got)
	}
	all, err := s.Keys(t.Context())
	if err != nil || !reflect.DeepEqual(*all[2], *full) || !all[0].ExpiresAt.IsZero() {
		t.Errorf("Keys: got %+v, %v, want %+v and zero ExpiresAt", all[2], err, *full)
	}
}

func jwtKeysOfAlgorithm(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	other := func(id string, signs time.Duration) *jwt.KeyRecord {
		r := keyRecord(id, signs)
		r.Algorithm = jwt.RS256
		return r
	}
	s.add(keyRecord("a", time.Hour), "", true)
	s.add(other("b", 0), "a", false)
	s.add(other("b", 0), "", true)
	s.add(other("c", 2*time.Hour), "", false)
	s.add(keyRecord("c", 2*time.Hour), "b", false)
	s.add(keyRecord("c", 2*time.Hour), "a", true)
	if got := s.ids(); !slices.Equal(got, []string{"b", "a", "c"}) {
		t.Errorf("got the keys %q, want b, a and c", got)
	}
}

func jwtKeysChange(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "", true)
	s.add(keyRecord("b", time.Hour), "a", true)
	before := s.all()
	s.change(before[0], noon.Add(2*time.Hour), noon.Add(3*time.Hour), true)
	after := s.all()
	if after[0].ID != "b" || after[1].ID != "a" || !after[1].SignsFrom.Equal(noon.Add(2*time.Hour)) ||
		!after[1].ExpiresAt.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("all: got %+v, want ID \"b\" and ID \"a\" and Signs %v and ExpiresAt %v", after, noon.Add(2*time.Hour),
			noon.Add(3*time.Hour))
	}
	if !before[0].SignsFrom.Equal(noon) {
		t.Error("what was returned changed")
	}
	s.change(after[1], noon, time.Time{}, true)
	if all := s.all(); !all[0].ExpiresAt.IsZero() {
		t.Errorf("all: got %+v, want zero ExpiresAt", all)
	}
	for _, want := range []bool{true, false} {
		if found, err := s.Remove(t.Context(), "a"); found != want || err != nil {
			t.Errorf("Remove: got %v, %v, want %v", found, err, want)
		}
		s.change(before[0], noon, noon, false)
	}
	if got := s.ids(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("ids: got %v, want [b]", got)
	}
}

// jwtKeysChangedMeanwhile checks that a key is changed only by a caller that knows its times.
func jwtKeysChangedMeanwhile(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "", true)
	s.add(keyRecord("b", time.Hour), "a", true)
	undecided := s.all()[0]
	if did, err := s.SetEnd(t.Context(), "a", noon.Add(time.Hour)); !did || err != nil {
		t.Fatalf("Limit: got %v, %v, want true", did, err)
	}
	s.change(undecided, noon.Add(time.Minute), time.Time{}, false) // an end is there by now
	limited := s.all()[0]
	s.change(limited, noon.Add(-time.Minute), noon, true)
	for _, stale := range []*jwt.KeyRecord{undecided, limited} {
		s.change(stale, noon.Add(2*time.Hour), time.Time{}, false)
	}
	retired := s.all()[0]
	otherSigns := *retired
	otherSigns.SignsFrom = noon
	s.change(&otherSigns, noon.Add(2*time.Hour), time.Time{}, false)
	all := s.all()
	if all[0].ID != "a" || !all[0].SignsFrom.Equal(noon.Add(-time.Minute)) || !all[0].ExpiresAt.Equal(noon) {
		t.Errorf("got %+v, want the key as it was retired", all[0])
	}
	if all[1].ID != "b" || !all[1].SignsFrom.Equal(noon.Add(time.Hour)) || !all[1].ExpiresAt.IsZero() {
		t.Errorf("got %+v, want the other key as it was", all[1])
	}
}

// jwtKeysChangeRace checks that of many changes that know the same times one is made.
func jwtKeysChangeRace(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "", true)
	for range 5 {
		before := s.all()[0]
		did := make([]bool, 16)
		atOnce(len(did), func(i int) {
			ends := time.Time{} // one half promotes it, the other half retires it
			if i%2 == 0 {
				ends = before.SignsFrom.Add(time.Duration(i+1) * time.Second)
			}
			var err error
			did[i], err = s.Change(t.Context(), before, before.SignsFrom.Add(time.Duration(i+1)*time.Minute), ends)
			if err != nil {
				t.Error(err)
			}
		})
		winner := slices.Index(did, true)
		if winner < 0 || slices.Contains(did[winner+1:], true) {
			t.Fatalf("got %v, want one change", did)
		}
		after := s.all()[0]
		if want := before.SignsFrom.Add(time.Duration(winner+1) * time.Minute); !after.SignsFrom.Equal(want) ||
			after.ExpiresAt.IsZero() != (winner%2 != 0) {
			t.Fatalf("got %+v, want what number %d wrote", after, winner)
		}
	}
}

func jwtKeysLimit(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "", true)
	s.add(keyRecord("b", time.Hour), "a", true)
	before := s.all()
	for _, step := range []struct {
		id    string
		after time.Duration
		want  time.Duration
		did   bool
	}{
		{"a", 3 * time.Hour, 3 * time.Hour, true},
		{"a", 3 * time.Hour, 3 * time.Hour, false},
		{"a", 4 * time.Hour, 3 * time.Hour, false},
		{"a", 2 * time.Hour, 2 * time.Hour, true},
		{"unknown", time.Hour, 2 * time.Hour, false},
	} {
		did, err := s.SetEnd(t.Context(), step.id, noon.Add(step.after))
		if did != step.did || err != nil {
			t.Errorf("Limit of %s to %v: %v, %v, want %v", step.id, step.after, did, err, step.did)
		}
		if all := s.all(); !all[0].ExpiresAt.Equal(noon.Add(step.want)) || !all[0].SignsFrom.Equal(noon) ||
			!all[1].ExpiresAt.IsZero() {
			t.Errorf("after Limit of %s to %v: %+v", step.id, step.after, all)
		}
	}
	if !before[0].ExpiresAt.IsZero() {
		t.Error("what was returned changed")
	}
}

func jwtKeysCancelled(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "", true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, one := s.Keys(ctx)
	_, two := s.Add(ctx, keyRecord("b", 0), "a")
	_, three := s.Change(ctx, keyRecord("a", 0), noon, noon)
	_, four := s.SetEnd(ctx, "a", noon)
	_, five := s.Remove(ctx, "a")
	if one == nil || two == nil || three == nil || four == nil || five == nil {
		t.Errorf("calls with an ended context: got errors %v, %v, %v, %v, %v, want an error of each", one, two, three,
			four, five)
	}
	if got := s.ids(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("ids: got %v, want [a]", got)
	}
}

// jwtKeyTurns checks that a key has one successor.
func jwtKeyTurns(t *testing.T, open openFunc[keyStore]) {
	check(t, open, "a key is added after the last one only", jwtKeysAfterLast)
	check(t, open, "of 16 that replace a key at once one does", jwtKeysRace)
}

func jwtKeysAfterLast(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	s.add(keyRecord("a", 0), "x", false)
	s.add(keyRecord("a", 0), "", true)
	s.add(keyRecord("b", time.Hour), "", false)
	s.add(keyRecord("b", time.Hour), "a", true)
	s.add(keyRecord("c", 2*time.Hour), "a", false)
	if _, err := s.Add(t.Context(), keyRecord("a", 3*time.Hour), "b"); err == nil {
		t.Error("Add with a stored identifier: got no error, want one")
	}
	if got := s.ids(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("ids: got %v, want [a b]", got)
	}
}

func jwtKeysRace(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	last := ""
	for round := range 5 {
		won := make([]bool, 16)
		atOnce(len(won), func(i int) {
			var err error
			if won[i], err = s.Add(t.Context(), keyRecord(fmt.Sprint(round, " ", i), time.Duration(round)*time.Hour),
				last); err != nil {
				t.Error(err)
			}
		})
		winner := slices.Index(won, true)
		if got := s.ids(); winner < 0 || slices.Contains(won[winner+1:], true) || len(got) != round+1 {
			t.Fatalf("results %v, now %v, want each key added after the last one only", won, got)
		}
		last = fmt.Sprint(round, " ", winner)
	}
}

// JWTKeys checks a [jwt.KeyStore].
func JWTKeys(t *testing.T, open func(t *testing.T) jwt.KeyStore) {
	checkAspects(t, func(t *testing.T) keyStore { return keyStore{t, open(t)} }, []aspect[keyStore]{
		{"keys", jwtKeyRing},
		{"texts", jwtKeysTexts},
		{"succession", jwtKeyTurns},
	})
}

// keyStore is a store with the test that uses it.
type keyStore struct {
	t *testing.T
	jwt.KeyStore
}

// all returns all keys, in their order.
func (s keyStore) all() []*jwt.KeyRecord {
	s.t.Helper()
	all, err := s.Keys(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// ids returns the identifiers of all keys, in their order.
func (s keyStore) ids() (ids []string) {
	s.t.Helper()
	for _, r := range s.all() {
		ids = append(ids, r.ID)
	}
	return ids
}

// change changes the times of a key, and fails unless that is done as wanted.
func (s keyStore) change(before *jwt.KeyRecord, signs, expiresAt time.Time, want bool) {
	s.t.Helper()
	if did, err := s.Change(s.t.Context(), before, signs, expiresAt); did != want || err != nil {
		s.t.Errorf("Change of %s: %v, %v, want %v", before.ID, did, err, want)
	}
}

func (s keyStore) add(r *jwt.KeyRecord, last string, want bool) {
	s.t.Helper()
	if added, err := s.Add(s.t.Context(), r, last); added != want || err != nil {
		s.t.Errorf("Add of %s after %q: got %v, %v, want %v", r.ID, last, added, err, want)
	}
}

// keyRecord returns a key that signs some time after noon.
func keyRecord(id string, signs time.Duration) *jwt.KeyRecord {
	return &jwt.KeyRecord{ID: id, Algorithm: jwt.ES256, Sealed: []byte{0, 255, 'x'}, Created: noon,
		SignsFrom: noon.Add(signs)}
}
