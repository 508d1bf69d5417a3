package storetest

import (
	"slices"
	"testing"
	"time"
)

// jwtKeysTexts checks that identifiers are kept as they are and compared byte by byte.
func jwtKeysTexts(t *testing.T, open openFunc[keyStore]) {
	check(t, open, "keys with identifiers that differ by a byte are others, in order", jwtKeysTextsOfIDs)
}

func jwtKeysTextsOfIDs(t *testing.T, open openFunc[keyStore]) {
	s := open(t)
	ids := names(longID)
	slices.Sort(ids)
	last := ""
	for _, id := range ids {
		s.add(keyRecord(id, time.Hour), last, true)
		last = id
	}
	wantOwn(t, "the store", "", s.ids(), ids...)
	for _, id := range ids {
		for _, want := range []bool{true, false} {
			if found, err := s.Remove(t.Context(), id); found != want || err != nil {
				t.Errorf("got %v, %v at the removal of %.80q, want %v", found, err, id, want)
			}
		}
	}
}
