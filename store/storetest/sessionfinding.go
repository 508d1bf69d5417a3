package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/session"
)

// sessionFinding checks what Find and a look-up by hash return.
func sessionFinding(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "a look-up by hash, if there is one, finds what Find does", sessionsByHash)
	check(t, open, "a record is found as it was added", sessionFindsAsAdded)
	check(t, open, "what was never added is not found and no error", sessionFindsNothing)
	check(t, open, "adding a record with a stored digest is an error and changes nothing", sessionSameDigest)
	check(t, open, "the store keeps quotes, newlines and SQL in a text unchanged", sessionOddText)
	check(t, open, "a call with a cancelled context changes all or nothing", sessionCancelled)
}

func sessionFindsAsAdded(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
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
}

func sessionFindsNothing(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	if got := s.find("nothing"); got != nil {
		t.Errorf("found %+v, want nil", got)
	}
}

func sessionSameDigest(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	s.add(sessionRecord("alice", "1", 0))
	s.add(sessionRecord("alice", "2", 0))
	other := sessionRecord("bob", "3", 0)
	other.Digest = sessionRecord("alice", "1", 0).Digest
	if _, err := s.Add(t.Context(), other, sessionRecord("alice", "2", 0).Digest, 0, false, noon); err == nil {
		t.Error("Add: got no error, want one")
	}
	if replaced, err := s.Replace(t.Context(), sessionRecord("alice", "2", 0).Digest, other, noon); err == nil ||
		replaced {
		t.Errorf("Replace: %v, %v, want an error and false", replaced, err)
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("listed %v afterwards, want [2 1]", got)
	}
}

func sessionOddText(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	odd := `'; DROP TABLE sessions; -- "%_\ ` + "\u2028" + `日本`
	r := sessionRecord(odd, "1", 0)
	r.Digest, r.ID, r.IP, r.UserAgent, r.Stamp, r.AuthInfo.ACR = odd, odd, odd, odd, odd, odd
	s.add(r)
	if got := s.find(odd); got == nil || !reflect.DeepEqual(normalSession(got), normalSession(r)) {
		t.Errorf("found %+v", got)
	}
	if got := s.list(odd, noon); !slices.Equal(got, []string{odd}) {
		t.Errorf("listed %q, want [odd]", got)
	}
	if found, err := s.Revoke(t.Context(), odd, odd); !found || err != nil {
		t.Errorf("Revoke: got %v, %v, want true", found, err)
	}
}

func sessionCancelled(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for i := range 3 {
		s.add(sessionRecord("alice", fmt.Sprint(i), time.Duration(i)*time.Minute))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Add(ctx, sessionRecord("alice", "new", time.Hour), "", 3, true, noon)
	got := s.list("alice", noon)
	if want := []string{"2", "1", "0"}; err != nil && !slices.Equal(got, want) {
		t.Errorf("error %v, but left %v, want %v", err, got, want)
	}
	if want := []string{"new", "2", "1"}; err == nil && !slices.Equal(got, want) {
		t.Errorf("no error, but left %v, want %v", got, want)
	}
	s.add(sessionRecord("alice", "after", 2*time.Hour)) // the store still works
	sessionCancelledEnds(ctx, t, s)
}

// sessionCancelledEnds checks what ends sessions, after [sessionCancelled] has left four of alice.
func sessionCancelledEnds(ctx context.Context, t *testing.T, s sessionStore) {
	t.Helper()
	one := sessionRecord("bob", "1", 0)
	s.add(one)
	s.add(sessionRecord("bob", "2", time.Minute))
	successor := *one
	successor.Digest = "successor"
	replaced, err := s.Replace(ctx, one.Digest, &successor, noon)
	old, fresh := s.find(one.Digest), s.find("successor")
	if half := old.IsTombstone() != (err == nil) || (fresh != nil) != (err == nil); half || err == nil && !replaced {
		t.Errorf("replaced %v with error %v: left %+v and %+v", replaced, err, old, fresh)
	}
	ids, err := s.RevokeAll(ctx, "bob", "")
	if left := s.list("bob", noon); err != nil && len(left) != 2 || err == nil && (len(left) != 0 || len(ids) != 2) {
		t.Errorf("revoked %v with error %v, but left %v", ids, err, left)
	}
	purged, err := s.Purge(ctx, noon.Add(48*time.Hour), 100)
	left := s.list("alice", time.Time{})
	if err != nil && (len(left) != 4 || len(purged) != 0) || err == nil && len(left) != 0 {
		t.Errorf("purged %d with error %v, but left %v", len(purged), err, left)
	}
}

// sessionListing checks the list of the live sessions of a user, which comes in pages.
func sessionListing(t *testing.T, open openFunc[sessionStore]) {
	checkPages(t, sessionPaged(open))
	check(t, open, "an expired record is found but not listed", sessionListsLive)
	check(t, open, "a replaced session is on no page of the list", sessionListsSuccessor)
}

func sessionListsLive(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	r := sessionRecord("alice", "1", 0)
	s.add(r)
	if got := s.list("alice", r.ExpiresAt.Add(-time.Microsecond)); len(got) != 1 {
		t.Errorf("listed %v just before it expires, want 1 entry", got)
	}
	if got := s.list("alice", r.ExpiresAt); len(got) != 0 || s.find(r.Digest) == nil {
		t.Errorf("listed %v at the instant it expires, want nothing, and the record found", got)
	}
}

func sessionListsSuccessor(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	for i := range 4 {
		s.add(sessionRecord("alice", fmt.Sprint(i), 0))
	}
	successor := sessionRecord("alice", "2", 0)
	successor.Digest = "another digest"
	if ok, err := s.Replace(t.Context(), sessionRecord("alice", "2", 0).Digest, successor, noon); !ok || err != nil {
		t.Fatalf("Replace: got %v, %v, want true", ok, err)
	}
	if got := s.page("alice", "3", 2, noon); !slices.Equal(got, []string{"2", "1"}) {
		t.Errorf("got %v, want [2 1]", got)
	}
}

// sessionPaged opens stores of sessions for checkPages.
func sessionPaged(open openFunc[sessionStore]) openFunc[pageStore] {
	return func(t *testing.T) pageStore {
		s := open(t)
		return pageStore{
			add:  func(user, id string, created time.Time) { s.add(sessionRecord(user, id, created.Sub(noon))) },
			list: func(user, after string, limit int) []string { return s.page(user, after, limit, noon) },
			end: func(user, id string) {
				if found, err := s.Revoke(t.Context(), user, id); !found || err != nil {
					t.Errorf("Revoke: got %v, %v, want true", found, err)
				}
			},
		}
	}
}
