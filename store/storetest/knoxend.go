package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
)

// knoxEnding checks what is kept of records that ended.
func knoxEnding(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "what is kept of an ended record is what it was, and when and why it ended", knoxKeepsEnded)
	check(t, open, "a record found expired has ended when it expired", knoxEndedExpired)
	check(t, open, "Ended lists the ended tokens of a user since an instant, the newest first, up to a limit",
		knoxListsEnded)
	check(t, open, "if many callers end one record at once, one ended token is kept", knoxEndRace)
	check(t, open, "if many callers replace one record at once, one is told so and one ended token is kept",
		knoxEvictRace)
	check(t, open, "two tokens with one identifier may end, and both are listed", knoxEndsTwice)
}

func knoxKeepsEnded(t *testing.T, open openFunc[knoxStore]) {
	full := record("alice", "full", 0)
	full.Name, full.IP, full.UserAgent, full.Stamp = "my phöne", "2001:db8::1", "curl/8 \"'\\%", "stamp"
	full.Scopes, full.Limited, full.LastUsed = []string{"a", "b:c"}, true, noon.Add(time.Second)
	bare := &knox.Record{Digest: "bare", ID: "bare", UserID: "alice", Created: noon}
	nothing := record("alice", "limited to nothing", 0)
	nothing.Limited = true
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
		for _, r := range []*knox.Record{full, bare, nothing} {
			knoxKeepsWhenAsked(t, open, r, sentence, end)
		}
	}
}

// knoxKeepsWhenAsked ends a record in two stores, and checks what each of them keeps of it.
func knoxKeepsWhenAsked(t *testing.T, open openFunc[knoxStore], r *knox.Record, sentence string,
	end func(knoxStore, *knox.Record, knox.Ending) error) {
	t.Helper()
	at := noon.Add(time.Hour)
	s := open(t)
	s.add(r)
	if err := end(s, r, knox.Ending{Reason: knox.EndLoggedOut, At: at, Keep: true}); err != nil {
		t.Fatalf("%s: got error %v, want nil", sentence, err)
	}
	want := knox.EndedToken{ID: r.ID, UserID: r.UserID, Name: r.Name, Scopes: r.Scopes, Limited: r.Limited,
		Created: r.Created, LastUsed: r.LastUsed, EndedAt: at, Reason: knox.EndLoggedOut, IP: r.IP,
		UserAgent: r.UserAgent}
	got := s.ended("alice")
	if len(got) != 1 || !reflect.DeepEqual(normalEnded(got[0]), want) || s.find(r.Digest) != nil {
		t.Errorf("%s: kept %+v\nwant %+v", sentence, got, want)
	}

	s = open(t)
	s.add(r)
	if err := end(s, r, knox.Ending{Reason: knox.EndLoggedOut, At: at}); err != nil {
		t.Fatalf("%s: got error %v, want nil", sentence, err)
	}
	if got := s.ended("alice"); len(got) != 0 || s.find(r.Digest) != nil {
		t.Errorf("%s: kept %+v without being asked to", sentence, got)
	}
}

func knoxEndedExpired(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i := range 4 {
		r := record("alice", fmt.Sprint(i), 0)
		r.ExpiresAt = noon.Add(time.Duration(i) * time.Minute)
		s.add(r)
	}
	end := knox.Ending{Reason: knox.EndRevoked, At: noon.Add(2 * time.Minute), Keep: true} // the last is still live
	if purged, err := s.Purge(t.Context(), 1, end); err != nil || len(purged) != 1 {
		t.Fatalf("Purge: got %v, %v, want 1 entry", purged, err)
	}
	if ids, err := s.RevokeAll(t.Context(), "alice", "", "", end); err != nil || len(ids) != 3 {
		t.Fatalf("RevokeAll: got %v, %v, want 3 entries", ids, err)
	}
	got := map[string]string{}
	for _, e := range s.ended("alice") {
		got[e.ID] = fmt.Sprint(e.Reason, " after ", e.EndedAt.Sub(noon))
	}
	if want := map[string]string{"0": "expired after 0s", "1": "expired after 1m0s", "2": "expired after 2m0s",
		"3": "revoked after 2m0s"}; !reflect.DeepEqual(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

func knoxListsEnded(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
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
}

func knoxEndRace(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for round := range 8 {
		user := fmt.Sprint("user", round)
		r := record(user, "1", 0)
		r.ExpiresAt = noon // so that Purge may have it too
		s.add(r)
		atOnce(16, func(i int) {
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
}

func knoxEvictRace(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "old", -time.Hour))
	var mu sync.Mutex
	told := map[string]int{}
	atOnce(16, func(i int) {
		added, err := s.Add(t.Context(), record("alice", fmt.Sprint(i), time.Duration(i)*time.Second), 1, true,
			knox.Ending{Reason: knox.EndEvicted, At: noon, Keep: true})
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
		t.Errorf("evicted %v, kept %v, want 16 tokens, each told and kept once", told, kept)
	}
}

func knoxEndsTwice(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for range 2 {
		s.end("alice", "1", noon)
	}
	if got := s.ended("alice"); len(got) != 2 {
		t.Errorf("kept %v, want 2 entries", got)
	}
}
