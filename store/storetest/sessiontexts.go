package storetest

import (
	"reflect"
	"slices"
	"testing"
)

// sessionTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func sessionTexts(t *testing.T, open openFunc[sessionStore]) {
	check(t, open, "users with names that differ by a byte are others", sessionTextsOfUsers)
	check(t, open, "identifiers and digests that differ by a byte are others, in order", sessionTextsOfRecords)
	check(t, open, "the longest texts of a session come back as they were", sessionTextsKept)
}

func sessionTextsOfUsers(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) {
		r := sessionRecord("", number, 0)
		r.UserID = user
		s.add(r)
	})
	eachName(users, func(user, number string) {
		wantOwn(t, "the user", user, s.list(user, noon), number)
		if r := s.find("digest of " + number); r == nil || r.UserID != user {
			t.Errorf("got %+v, want a session of %.80q", r, user)
		}
	})
	eachName(users, func(user, number string) {
		ids, err := s.RevokeAll(t.Context(), user, "")
		if err != nil {
			t.Fatal(err)
		}
		wantOwn(t, "the user", user, ids, number)
	})
}

func sessionTextsOfRecords(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	ids := names(longRecordID)
	for _, id := range ids {
		r := sessionRecord("alice", "", 0)
		r.ID, r.Digest = id, id
		s.add(r)
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	wantOwn(t, "the user", "alice", s.list("alice", noon), sorted...)
	for _, after := range sorted {
		wantOwn(t, "the page after", after, s.page("alice", after, 1, noon), next(sorted, after)...)
	}
	for _, id := range ids {
		if r := s.find(id); r == nil || r.ID != id {
			t.Errorf("got %+v, want the session of the digest %.80q", r, id)
		}
		s.wantRevoked("alice", id)
		if r := s.find(id); r != nil {
			t.Errorf("got %+v, want that the session %.80q has ended", r, id)
		}
	}
}

func sessionTextsKept(t *testing.T, open openFunc[sessionStore]) {
	s := open(t)
	want := sessionRecord("", "1", 0)
	want.UserID, want.Digest = longText(longUserID), longText(longDigest)
	want.IP, want.UserAgent = longText(64), longText(200)
	want.AuthInfo.ACR, want.AuthInfo.AMR = longText(1024), longMethods()
	want.Scopes, want.Limited = longScopes(), true
	s.add(want)
	if got := s.find(want.Digest); !reflect.DeepEqual(normalSession(got), normalSession(want)) {
		t.Errorf("found %+v\nwant  %+v", got, want)
	}
	successor := *want
	successor.Digest = longText(longDigest - 1)
	if !s.replace(want.Digest, &successor) {
		t.Error("the session was not replaced")
	}
	if got := s.find(successor.Digest); !reflect.DeepEqual(normalSession(got), normalSession(&successor)) {
		t.Errorf("found %+v\nwant  %+v", got, successor)
	}
	if got := s.find(want.Digest); got == nil || !got.IsTombstone() || got.Owner != want.UserID {
		t.Errorf("got %+v in its place, want a tombstone with its owner", got)
	}
}
