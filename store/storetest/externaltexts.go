package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func externalTexts(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "users with names that differ by a byte are others", externalTextsOfUsers)
	check(t, open, "issuers and subjects that differ by a byte are other people", externalTextsOfPeople)
	check(t, open, "reservations of issuers and subjects that differ by a byte are others", externalTextsOfReservations)
	check(t, open, "keys and codes that differ by a byte are others", externalTextsOfKeys)
	check(t, open, "the longest texts of an identity and a code come back as they were", externalTextsKept)
}

func externalTextsOfUsers(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) {
		i := externalIdentity("", number)
		i.UserID = user
		s.link(i, user)
	})
	eachName(users, func(user, number string) {
		s.wantIDs(user, number)
		if i := s.find(number); i == nil || i.UserID != user {
			t.Errorf("got %+v, want the identity of %.80q", i, user)
		}
	})
	eachName(users, func(user, number string) {
		if n, err := s.RemoveUser(s.Context(), user); n != 1 || err != nil {
			t.Errorf("got %d, %v at the removal of %.80q, want 1", n, err, user)
		}
		if i := s.find(number); i != nil {
			t.Errorf("got %+v, want that the identity of %.80q is gone", i, user)
		}
	})
}

// people are pairs of issuer and subject that differ in one of both.
func people() (all [][2]string) {
	for _, subject := range names(longSubject) {
		all = append(all, [2]string{externalIssuer, subject})
	}
	for _, issuer := range names(longIssuer) {
		all = append(all, [2]string{issuer, "1"})
	}
	return append(all, [2]string{longText(longIssuer), longText(longSubject)})
}

func externalTextsOfPeople(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for i, key := range people() {
		user := string(rune('A' + i))
		s.link(&external.Identity{ID: user, UserID: user, Issuer: key[0], Subject: key[1], Created: noon,
			LastUsed: noon}, user)
	}
	for i, key := range people() {
		user := string(rune('A' + i))
		got, err := s.Identity(s.Context(), key[0], key[1])
		if err != nil || got == nil || got.UserID != user || got.Issuer != key[0] || got.Subject != key[1] {
			t.Errorf("got %+v, %v of %.80q, want the identity of %q", got, err, key, user)
		}
	}
	for i, key := range people() {
		user := string(rune('A' + i))
		s.unlink(user, user, false, external.UnlinkRemoved)
		if got, err := s.Identity(s.Context(), key[0], key[1]); got != nil || err != nil {
			t.Errorf("got %+v, %v of %.80q, want that it is gone", got, err, key)
		}
	}
}

func externalTextsOfReservations(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for range 2 {
		for i, key := range people() {
			id := "reservation " + string(rune('A'+i))
			got, owner, err := s.Reserve(s.Context(), &external.Reservation{ID: id, Issuer: key[0], Subject: key[1],
				ExpiresAt: noon.Add(time.Hour)}, noon)
			if got != id || owner != "" || err != nil {
				t.Errorf("got %q, %q, %v for %.80q, want %q", got, owner, err, key, id)
			}
		}
	}
}

func externalTextsOfKeys(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, fresh := range []bool{true, false} {
		for _, key := range names(longID) {
			s.put(key, noon.Add(time.Hour), noon, fresh)
		}
	}
	for _, digest := range names(longDigest) {
		s.must(s.AddCode(s.Context(), externalCode("of "+digest, digest)))
	}
	for _, digest := range names(longDigest) {
		if got := s.take(digest, noon); got == nil || got.UserID != "of "+digest || s.take(digest, noon) != nil {
			t.Errorf("got %+v of the digest %.80q, want its code once", got, digest)
		}
	}
}

func externalTextsKept(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	want := &external.Identity{ID: longText(longRecordID), UserID: longText(longUserID), Issuer: longText(longIssuer),
		Subject: longText(longSubject), Provider: longText(255), Email: longText(255), EmailVerified: true,
		Name: longText(255), Created: noon, LastUsed: noon}
	s.link(want, want.UserID)
	if got, err := s.Identity(s.Context(), want.Issuer, want.Subject); err != nil || !sameIdentity(got, want) {
		t.Errorf("found %+v, %v\nwant  %+v", got, err, want)
	}
	seen := *want
	seen.Email, seen.Name = longText(254), longText(253)
	s.must(s.Touch(s.Context(), &seen))
	if all := s.list(want.UserID); len(all) != 1 || !sameIdentity(all[0], &seen) {
		t.Errorf("listed %+v\nwant   %+v", all, seen)
	}
	code := externalCode("", longText(longDigest))
	code.UserID, code.Data = want.UserID, []byte(`{"name":"`+longText(10_000)+`\u0000"}`)
	s.must(s.AddCode(s.Context(), code))
	if got := s.take(code.Digest, noon); !sameCode(got, code) {
		t.Errorf("took %+v\nwant %+v", got, code)
	}
}
