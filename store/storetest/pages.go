package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// checkPages checks a list that comes in pages. With it, a store need not look at all
// records of a user to show some.
func checkPages(t *testing.T, open openFunc[pageStore]) {
	check(t, open, "pages in a row have each record once, the greatest identifier first", pagesInARow)
	check(t, open, "records of one instant come one by one, too", pagesOfOneInstant)
	check(t, open, "a cursor stays good after its record has ended", pagesAfterEnd)
	check(t, open, "a record that comes between two pages moves no other one", pagesAfterAdd)
	check(t, open, "a cursor of another user shows only records of the caller",
		pagesOtherCursor)
}

func pagesInARow(t *testing.T, open openFunc[pageStore]) {
	s := sevenPaged(t, open)
	for limit, want := range map[int]string{
		1: "[[6] [5] [4] [3] [2] [1] [0]]", 3: "[[6 5 4] [3 2 1] [0]]", 6: "[[6 5 4 3 2 1] [0]]",
		7: "[[6 5 4 3 2 1 0]]", 100: "[[6 5 4 3 2 1 0]]",
	} {
		if got := short(s.walk("alice", limit, func(string) {})); got != want {
			t.Errorf("got %s with a limit of %d, want %s", got, limit, want)
		}
	}
	if got := s.list("bob", "", 10); !slices.Equal(got, []string{shortID(99)}) {
		t.Errorf("got %v of another user, want theirs", got)
	}
}

func pagesOfOneInstant(t *testing.T, open openFunc[pageStore]) {
	s := open(t)
	for i := range 5 {
		s.add("alice", shortID(i), noon)
	}
	if got := short(s.walk("alice", 2, func(string) {})); got != "[[4 3] [2 1] [0]]" {
		t.Errorf("got %s, want [[4 3] [2 1] [0]]", got)
	}
}

func pagesAfterEnd(t *testing.T, open openFunc[pageStore]) {
	s := sevenPaged(t, open)
	got := short(s.walk("alice", 2, func(after string) { s.end("alice", after) }))
	if got != "[[6 5] [4 3] [2 1] [0]]" {
		t.Errorf("got %s, want [[6 5] [4 3] [2 1] [0]]", got)
	}
	if left := short([][]string{s.list("alice", "", 10)}); left != "[[6 4 2]]" {
		t.Errorf("left %s, want [[6 4 2]]", left)
	}
}

func pagesAfterAdd(t *testing.T, open openFunc[pageStore]) {
	s := sevenPaged(t, open)
	added := 10
	got := short(s.walk("alice", 3, func(string) {
		s.add("alice", shortID(added), noon.Add(time.Hour))
		added++
	}))
	if got != "[[6 5 4] [3 2 1] [0]]" {
		t.Errorf("got %s, want [[6 5 4] [3 2 1] [0]]", got)
	}
}

func pagesOtherCursor(t *testing.T, open openFunc[pageStore]) {
	s := sevenPaged(t, open)
	s.add("carol", "0197-003x", noon) // between 3 and 4
	for after, want := range map[string]string{
		"0197-003x": "[[3 2 1 0]]", shortID(99): "[[6 5 4 3 2 1 0]]", "0": "[[]]",
	} {
		if got := short([][]string{s.list("alice", after, 10)}); got != want {
			t.Errorf("got %s after %s, want %s", got, after, want)
		}
	}
}

// pageStore is a store with a list in pages.
type pageStore struct {
	// add adds a record of a user that is live at noon, and that was created then.
	add func(user, id string, created time.Time)
	// list returns the identifiers of a page of the records that are live at noon.
	list func(user, after string, limit int) []string
	// end ends a record of a user.
	end func(user, id string)
}

// walk returns the pages of a list, each read from the last identifier of the one before.
func (s pageStore) walk(user string, limit int, between func(after string)) (pages [][]string) {
	for after := ""; ; {
		page := s.list(user, after, limit)
		if len(page) == 0 {
			return pages
		}
		pages, after = append(pages, page), page[len(page)-1]
		between(after)
	}
}

// short writes pages by the last digits of their identifiers.
func short(pages [][]string) string {
	for _, page := range pages {
		for i, id := range page {
			var n int
			_, _ = fmt.Sscanf(id, "0197-%d", &n)
			page[i] = fmt.Sprint(n)
		}
	}
	return fmt.Sprint(pages)
}

// shortID returns the identifier that short writes as i.
func shortID(i int) string { return fmt.Sprintf("0197-%03d", i) }

// sevenPaged returns a store with seven records of alice, and one of bob.
func sevenPaged(t *testing.T, open openFunc[pageStore]) pageStore {
	t.Helper()
	s := open(t)
	for _, i := range []int{3, 6, 1, 0, 5, 2, 4} { // in any order
		s.add("alice", shortID(i), noon.Add(time.Duration(i)*time.Minute))
	}
	s.add("bob", shortID(99), noon)
	return s
}
