package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// knoxFinding checks what Find and a look-up by hash return.
func knoxFinding(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "a look-up by hash, if there is one, finds what Find does", knoxByHash)
	check(t, open, "a record is found as it was added", knoxFindsAsAdded)
	check(t, open, "what was never added is not found and no error", knoxFindsNothing)
	check(t, open, "adding a record with a stored digest is an error and changes nothing", knoxSameDigest)
	check(t, open, "the store keeps quotes, newlines and SQL in a text unchanged", knoxOddText)
	check(t, open, "a call with a cancelled context changes all or nothing", knoxCancelled)
}

func knoxFindsAsAdded(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
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
}

func knoxFindsNothing(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	if got := s.find("nothing"); got != nil {
		t.Errorf("found %+v, want nil", got)
	}
}

func knoxSameDigest(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	s.add(record("alice", "1", 0))
	other := record("bob", "2", 0)
	other.Digest = record("alice", "1", 0).Digest
	if _, err := s.Add(t.Context(), other, 0, false, revokedAtNoon); err == nil {
		t.Error("got no error, want one")
	}
	if got := s.find(other.Digest); got.UserID != "alice" {
		t.Errorf("the record is now of %s, want alice", got.UserID)
	}
	s.add(record("bob", "3", 0))
	if added, err := s.Add(t.Context(), other, 1, true, knox.Ending{At: noon, Keep: true}); err == nil ||
		len(added.Evicted) != 0 {
		t.Errorf("evicting: %+v, %v, want an error and nothing evicted", added, err)
	}
	if got := s.list("bob", noon); !slices.Equal(got, []string{"3"}) || len(s.ended("bob")) != 0 {
		t.Errorf("evicted all the same: left %v, ended %v", got, s.ended("bob"))
	}
}

func knoxOddText(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	odd := `'; DROP TABLE knox_tokens; -- "%_\ ` + "\u2028" + `日本`
	r := record(odd, "1", 0)
	r.ID, r.Name, r.IP, r.UserAgent = odd, odd, odd, odd
	s.add(r)
	if got := s.list(odd, noon); !slices.Equal(got, []string{odd}) {
		t.Errorf("listed %q, want [odd]", got)
	}
	end := knox.Ending{Reason: knox.EndReason(odd), At: noon, Keep: true}
	if found, err := s.Revoke(t.Context(), odd, odd, end); !found || err != nil {
		t.Errorf("Revoke: got %v, %v, want true", found, err)
	}
	if got := s.ended(odd); len(got) != 1 || got[0].ID != odd || got[0].Name != odd || got[0].IP != odd ||
		got[0].UserAgent != odd || got[0].Reason != end.Reason {
		t.Errorf("kept %+v", got)
	}
}

func knoxCancelled(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i := range 3 {
		s.add(record("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Add(ctx, record("alice", "new", time.Hour), 3, true, revokedAtNoon)
	got := s.list("alice", noon)
	if want := []string{"2", "1", "0"}; err != nil && !slices.Equal(got, want) {
		t.Errorf("error %v, but left %v, want %v", err, got, want)
	}
	if want := []string{"new", "2", "1"}; err == nil && !slices.Equal(got, want) {
		t.Errorf("no error, but left %v, want %v", got, want)
	}
	s.add(record("alice", "after", 2*time.Hour)) // the store still works
}

// knoxListing checks the list of the live records of a user, which comes in pages.
func knoxListing(t *testing.T, open openFunc[knoxStore]) {
	checkPages(t, knoxPaged(open))
	check(t, open, "an expired record is found but not listed", knoxListsLive)
	check(t, open, "pages have no expired record among the others", knoxPagesLive)
}

func knoxListsLive(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	r := record("alice", "1", 0)
	s.add(r)
	if s.find(r.Digest) == nil {
		t.Error("the record was not found just before it expires")
	}
	if got := s.list("alice", r.ExpiresAt.Add(-time.Microsecond)); len(got) != 1 {
		t.Errorf("listed %v just before it expires, want 1 entry", got)
	}
	if got := s.list("alice", r.ExpiresAt); len(got) != 0 {
		t.Errorf("listed %v at the instant it expires, want nothing", got)
	}
}

func knoxPagesLive(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	for i := range 6 {
		r := record("alice", fmt.Sprint(i), 0)
		if i%2 == 0 {
			r.ExpiresAt = noon
		}
		s.add(r)
	}
	if first, second := s.page("alice", "", 2, noon), s.page("alice", "3", 2, noon); !slices.Equal(first,
		[]string{"5", "3"}) ||
		!slices.Equal(second, []string{"1"}) {
		t.Errorf("got %v and %v, want [5 3] and [1]", first, second)
	}
}

// knoxPaged opens stores of knox for checkPages.
func knoxPaged(open openFunc[knoxStore]) openFunc[pageStore] {
	return func(t *testing.T) pageStore {
		s := open(t)
		return pageStore{
			add:  func(user, id string, created time.Time) { s.add(record(user, id, created.Sub(noon))) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.Revoke(t.Context(), user, id, revokedAtNoon); !found || err != nil {
					t.Errorf("Revoke: got %v, %v, want true", found, err)
				}
			},
		}
	}
}
