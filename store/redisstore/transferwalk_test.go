package redisstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
)

// TestUnitTransferWalk has indexes of a few tags, in which many members have one score.
func TestUnitTransferWalk(t *testing.T) {
	db := openTest(t, Config{MaxCached: -1})
	now := backend.StoreTime(time.Now())
	var want []string
	for _, n := range []int{0, 300, 1023} {
		index := db.key("zz", tagAt(n), "")
		for i := range 23 {
			member := fmt.Sprintf("%03d of %d", i, n)
			c := newChange(db)
			c.addExpiring(index, member, now.Add(time.Duration(i/9)*time.Second), slack)
			if ok, err := c.commit(t.Context()); !ok || err != nil {
				t.Fatalf("commit: got %v, %v, want true", ok, err)
			}
			want = append(want, member)
		}
	}
	walked := func(t *testing.T, size int, between func(last position)) (got []string) {
		t.Helper()
		for after := ""; ; {
			from, err := parsePosition(after) // as another process would read it
			if err != nil {
				t.Fatal(err)
			}
			spots, err := db.walk(t.Context(), db.indexesOf("zz"), anyScore, from, size)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range spots {
				got = append(got, s.member)
			}
			if len(spots) < size {
				return got
			}
			last := spots[len(spots)-1]
			after = last.text()
			between(last)
		}
	}
	for _, size := range []int{1, 4, 9, 23, 50, 1000} {
		t.Run(fmt.Sprintf("pages of %d have each member once, in order", size), func(t *testing.T) {
			if got := walked(t, size, func(position) {}); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("members that go in between hide no others", func(t *testing.T) {
		gone := 0
		got := walked(t, 4, func(last position) { // the walk has been at all of these
			c := newChange(db)
			c.removeMember(last.index, last.member)
			if ok, err := c.commit(t.Context()); !ok || err != nil {
				t.Fatalf("commit: got %v, %v, want true", ok, err)
			}
			gone++
		})
		if !slices.Equal(got, want) || gone < 10 {
			t.Errorf("got %q with %d members gone, want %q", got, gone, want)
		}
	})
	for _, text := range []string{"?", "YWJj", position{index: "a", member: "b"}.text() + "=="} {
		t.Run("a position that Export did not return is an error: "+text, func(t *testing.T) {
			if _, err := parsePosition(text); err == nil {
				t.Errorf("got no error for %q, want one", text)
			}
		})
	}
}
