package storetest

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

// jwtTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func jwtTexts(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "users with names that differ by a byte are others", jwtTextsOfUsers)
	check(t, open, "EndAll for a user leaves the tokens of users with similar names valid", jwtTextsOfVoid)
	check(t, open, "identifiers and digests that differ by a byte are others, in order", jwtTextsOfRecords)
	check(t, open, "the longest texts of a login come back as they were", jwtTextsKept)
}

func jwtTextsOfUsers(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) { s.start(user, number, 0) })
	eachName(users, func(user, number string) {
		wantOwn(t, "the user", user, s.list(user, noon), number)
		if _, f := s.find(number + " first"); f == nil || f.UserID != user {
			t.Errorf("got %+v, want a login of %.80q", f, user)
		}
	})
	eachName(users, func(user, number string) {
		other := jwt.Claimed{SessionID: number, UserID: user + "x", IssuedAt: noon}
		s.revoked("the login of another name", other, noon, true)
		s.revoked("the login", jwt.Claimed{SessionID: number, UserID: user, IssuedAt: noon}, noon, false)
		ids, err := s.RevokeAll(t.Context(), user, "", "", noon)
		if err != nil {
			t.Fatal(err)
		}
		wantOwn(t, "the user", user, ids, number)
	})
}

func jwtTextsOfVoid(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	users := names(longUserID)
	foreign := func(user string) jwt.Claimed { return jwt.Claimed{UserID: user, Generation: -1, IssuedAt: noon} }
	for i, user := range users {
		s.revoked(user+" before", foreign(user), noon, false)
		if _, err := s.RevokeAll(t.Context(), user, "", "", noon); err != nil {
			t.Fatal(err)
		}
		s.revoked(user+" after", foreign(user), noon, true)
		if i+1 < len(users) {
			s.revoked("the next one after "+user, foreign(users[i+1]), noon, false)
		}
	}
}

func jwtTextsOfRecords(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	ids := names(longRecordID)
	for _, id := range ids {
		f := jwtSession("alice", id, 0)
		first := jwtToken(f, "")
		first.Digest = id
		if _, err := s.Start(t.Context(), f, first, nil, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	wantOwn(t, "the user", "alice", s.list("alice", noon), sorted...)
	for _, after := range sorted {
		wantOwn(t, "the page after", after, s.page("alice", after, 1, noon), next(sorted, after)...)
	}
	for _, id := range ids {
		if r, f := s.find(id); r == nil || r.Digest != id || f.ID != id {
			t.Errorf("got %+v of %+v, want the token %.80q", r, f, id)
		}
		for _, want := range []bool{true, false} {
			if ended, err := s.Revoke(t.Context(), "alice", id, noon); ended != want || err != nil {
				t.Errorf("got %v, %v at the end of %.80q, want %v", ended, err, id, want)
			}
		}
	}
}

func jwtTextsKept(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	want := jwtSession("", longText(longRecordID), 0)
	want.UserID, want.ClientID = longText(longUserID), longText(255)
	want.IP, want.UserAgent = longText(64), longText(200)
	want.AuthInfo.ACR, want.AuthInfo.AMR = longText(1024), longMethods()
	want.Scopes, want.Limited = longScopes(), true
	want.Claims = []byte(`{"name":"Zo\u00eb \ud83d\udd12 \u0000 🔒","more":"` + strings.Repeat("x", 4<<10-60) + `"}`)
	first := jwtToken(want, "")
	first.Digest, first.Sealed = longText(longDigest), []byte("\x00\xff")
	if _, err := s.Start(t.Context(), want, first, nil, 0, false); err != nil {
		t.Fatal(err)
	}
	r, f := s.find(first.Digest)
	if f == nil || !reflect.DeepEqual(normalJWTSession(f), normalJWTSession(want)) {
		t.Errorf("found %+v\nwant  %+v", f, want)
	}
	if r == nil || r.SessionID != want.ID {
		t.Errorf("got %+v, want the token of the login", r)
	}
	wantOwn(t, "the user", want.UserID, s.list(want.UserID, noon), want.ID)
}
