package storetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/gatewarden/auth/knox"
)

// knoxTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func knoxTexts(t *testing.T, open openFunc[knoxStore]) {
	check(t, open, "users with names that differ by a byte are others", knoxTextsOfUsers)
	check(t, open, "identifiers and digests that differ by a byte are others, in order", knoxTextsOfRecords)
	check(t, open, "the longest texts of a record come back as they were", knoxTextsKept)
}

func knoxTextsOfUsers(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) {
		r := record("", "kept "+number, 0)
		r.UserID = user
		s.add(r)
		ended := record("", "ended "+number, 0)
		ended.UserID = user
		s.add(ended)
		end := knox.Ending{Reason: knox.EndRevoked, At: noon, Keep: true}
		if !s.revoke(user, ended.ID, end) {
			t.Errorf("the token of %.80q was not there", user)
		}
	})
	eachName(users, func(user, number string) {
		wantOwn(t, "the user", user, s.list(user, noon), "kept "+number)
		var ended []string
		for _, e := range s.ended(user) {
			ended = append(ended, e.ID)
			if e.UserID != user {
				t.Errorf("got what ended of %.80q for %.80q", e.UserID, user)
			}
		}
		wantOwn(t, "what ended of the user", user, ended, "ended "+number)
		if r := s.find("digest of kept " + number); r == nil || r.UserID != user {
			t.Errorf("got %+v, want a token of %.80q", r, user)
		}
	})
	eachName(users, func(user, number string) {
		wantOwn(t, "the user", user, s.revokeAll(user, "", "", revokedAtNoon), "kept "+number)
	})
}

func knoxTextsOfRecords(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	ids := names(longRecordID)
	for _, id := range ids {
		r := record("alice", "", 0)
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
			t.Errorf("got %+v, want the token of the digest %.80q", r, id)
		}
		if !s.revoke("alice", id, revokedAtNoon) || s.revoke("alice", id, revokedAtNoon) || s.find(id) != nil {
			t.Errorf("the token %.80q was not revoked once", id)
		}
	}
}

func knoxTextsKept(t *testing.T, open openFunc[knoxStore]) {
	s := open(t)
	want := record("", "1", 0)
	want.UserID, want.Digest = longText(longUserID), longText(longDigest)
	want.Name, want.IP, want.UserAgent = longText(100), longText(64), longText(200)
	want.AuthInfo.ACR, want.AuthInfo.AMR = longText(1024), longMethods()
	want.Scopes, want.Limited = longScopes(), true
	s.add(want)
	if got := s.find(want.Digest); got == nil || !reflect.DeepEqual(normal(got), normal(want)) {
		t.Errorf("found %+v\nwant  %+v", got, want)
	}
	end := knox.Ending{Reason: knox.EndRevoked, At: noon, Keep: true}
	kept := normalEnded(end.Of(want))
	if !s.revoke(want.UserID, "1", end) {
		t.Error("the token was not there")
	}
	if got := s.ended(want.UserID); len(got) != 1 || !reflect.DeepEqual(normalEnded(got[0]), kept) {
		t.Errorf("kept %+v\nwant %+v", got, kept)
	}
}
