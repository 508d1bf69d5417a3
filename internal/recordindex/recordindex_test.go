package recordindex_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/recordindex"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type record struct {
	digest, user, id   string
	created, expiresAt time.Time
}

func newIndex(records ...*record) *recordindex.Index[record] {
	x := recordindex.New(func(r *record) recordindex.Fields {
		return recordindex.Fields{Digest: r.digest, UserID: r.user, ID: r.id,
			Created: r.created, ExpiresAt: r.expiresAt}
	})
	for _, r := range records {
		x.Put(r)
	}
	return x
}

func ids(records []*record) (ids []string) {
	for _, r := range records {
		ids = append(ids, r.id)
	}
	return ids
}

func want(t *testing.T, got []*record, want ...string) {
	t.Helper()
	if !slices.Equal(ids(got), want) {
		t.Errorf("got %v, want %v", ids(got), want)
	}
}

func TestUnitIndex(t *testing.T) {
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	phone := &record{"p", "alice", "1", at(-3), at(1)}
	laptop := &record{"l", "alice", "2", at(-2), time.Time{}}
	tablet := &record{"t", "alice", "3", at(-2), at(2)}
	gone := &record{"g", "alice", "4", at(-9), at(0)}
	other := &record{"o", "bob", "5", at(-1), at(0)}
	all := func() *recordindex.Index[record] { return newIndex(phone, laptop, tablet, gone, other) }

	t.Run("a record is found by its digest, and by its ID for its user only", func(t *testing.T) {
		x := all()
		if x.Get("p") != phone || x.Get("x") != nil || x.Find("alice", "1") != phone || x.Find("bob", "1") != nil ||
			x.Find("alice", "x") != nil {
			t.Error("got another record, or one that is not there")
		}
	})
	t.Run("a record that is put again replaces the one before", func(t *testing.T) {
		x := all()
		later := *phone
		later.expiresAt = at(9)
		x.Put(&later)
		if x.Get("p") != &later || x.Find("alice", "1") != &later || len(x.ByUser("alice")) != 4 {
			t.Errorf("got %d records of alice, want 4 with the new one among them", len(x.ByUser("alice")))
		}
	})
	t.Run("a user without records leaves nothing", func(t *testing.T) {
		x := all()
		x.Remove(other)
		if x.Get("o") != nil || len(x.ByUser("bob")) != 0 || x.Find("bob", "5") != nil {
			t.Error("got a record that was removed")
		}
		x.Remove(other) // again
	})
	t.Run("a page has live records before a cursor, the greatest ID first", func(t *testing.T) {
		x := all()
		want(t, x.Page("alice", "", 9, noon), "3", "2", "1")
		want(t, x.Page("alice", "", 2, noon), "3", "2")
		want(t, x.Page("alice", "3", 9, noon), "2", "1")
		want(t, x.Page("alice", "25", 9, noon), "2", "1")
		want(t, x.Page("alice", "1", 9, noon))
		want(t, x.Page("alice", "", 9, at(99)), "2") // it never expires
		want(t, x.Page("bob", "", 9, noon))
		want(t, x.Page("carol", "", 9, noon))
	})
	t.Run("the oldest go, as many as make room for one more", func(t *testing.T) {
		x := all()
		any := func(*record) bool { return true }
		for _, row := range []struct {
			limit   int
			evict   bool
			surplus []string
			full    bool
		}{
			{0, false, nil, false}, {0, true, nil, false}, {-1, true, nil, false},
			{4, false, nil, false}, {4, true, nil, false},
			{3, false, nil, true}, {3, true, []string{"1"}, false},
			{2, true, []string{"1", "2"}, false}, {1, true, []string{"1", "2", "3"}, false}, {1, false, nil, true},
		} {
			surplus, full := x.Surplus("alice", noon, row.limit, row.evict, any)
			if !slices.Equal(ids(surplus), row.surplus) || full != row.full {
				t.Errorf("limit %d, evict %v: got %v, %v, want %v, %v", row.limit, row.evict, ids(surplus), full,
					row.surplus, row.full)
			}
		}
		surplus, _ := x.Surplus("alice", noon, 1, true, func(r *record) bool { return r != laptop })
		want(t, surplus, "1", "3")
		surplus, full := x.Surplus("alice", at(1), 1, true, any)
		want(t, surplus, "2", "3")
		if full {
			t.Error("got full where the oldest may go")
		}
	})
	t.Run("at most limit expired records are purged, of all users", func(t *testing.T) {
		x := all()
		want(t, purged(x, noon.Add(-time.Microsecond), 9))
		for limit, n := range map[int]int{0: 0, 1: 1, 2: 2} {
			if got := purged(all(), noon, limit); len(got) != n {
				t.Errorf("limit %d: got %v, want %d", limit, ids(got), n)
			}
		}
		got := ids(purged(x, noon, 9))
		if slices.Sort(got); !slices.Equal(got, []string{"4", "5"}) {
			t.Errorf("got %v, want 4 and 5", got)
		}
		want(t, purged(x, noon, 9))
		want(t, purged(x, at(9), 9), "1", "3") // and not what never expires
	})
	t.Run("a record that was put again is purged by its new expiry", func(t *testing.T) {
		x := newIndex(phone, tablet)
		later, never := *phone, *tablet
		later.expiresAt, never.expiresAt = at(3), time.Time{}
		x.Put(&later)
		x.Put(&never)
		want(t, purged(x, at(2), 9))
		want(t, purged(x, at(99), 9), "1")
		x.Put(phone)
		want(t, purged(x, at(1), 9), "1")
	})
}

func purged(x *recordindex.Index[record], now time.Time, limit int) (records []*record) {
	x.Purge(now, limit, func(r *record) {
		records = append(records, r)
		x.Remove(r)
	})
	return records
}
