package storetest

import (
	"testing"

	"github.com/gatewarden/auth/password"
)

// oneTimeTexts checks that texts are kept as they are and compared byte by byte, up to the longest ones.
func oneTimeTexts(t *testing.T, open openFunc[oneTimeStore]) {
	check(t, open, "users with names that differ by a byte are others", oneTimeTextsOfUsers)
	check(t, open, "digests that differ by a byte are others", oneTimeTextsOfDigests)
	check(t, open, "the longest texts of a token come back as they were", oneTimeTextsKept)
}

func oneTimeTextsOfUsers(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	users := names(longUserID)
	eachName(users, func(user, number string) {
		r := oneTimeRecord("", number, 0)
		r.UserID = user
		s.add(r)
	})
	eachName(users, func(user, number string) {
		if r := s.find("digest of " + number); r == nil || r.UserID != user {
			t.Errorf("got %+v, want the token of %.80q, which no token of another user has replaced", r, user)
		}
	})
	eachName(users, func(user, _ string) {
		if n := s.removeUnused(user); n != 1 {
			t.Errorf("got %d of %.80q, want 1", n, user)
		}
	})
}

func oneTimeTextsOfDigests(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	digests := names(longDigest)
	eachName(digests, func(digest, number string) {
		r := oneTimeRecord("user "+number, "", 0)
		r.Digest = digest
		s.add(r)
	})
	eachName(digests, func(digest, number string) {
		r := s.find(digest)
		if r == nil || r.Digest != digest || r.UserID != "user "+number {
			t.Fatalf("got %+v, want the token of the digest %.80q", r, digest)
		}
		s.redeem(r, noon, password.OneTimeFirst)
		s.redeem(r, noon, password.OneTimeUsed)
	})
}

func oneTimeTextsKept(t *testing.T, open openFunc[oneTimeStore]) {
	s := open(t)
	want := oneTimeRecord("", "", 0)
	want.Digest, want.UserID, want.About = longText(longDigest), longText(longUserID), longText(320)
	want.Purpose = "a_purpose-with-64-characters-0123456789-0123456789-0123456789-01"
	s.add(want)
	if got := s.find(want.Digest); got == nil || !sameOnce(got, want) {
		t.Errorf("found %+v\nwant  %+v", got, want)
	}
	s.redeem(want, noon, password.OneTimeFirst)
}

// throttleTexts checks that keys are compared byte by byte.
func throttleTexts(t *testing.T, open openFunc[throttleStore]) {
	check(t, open, "keys that differ by a byte are others", func(t *testing.T, open openFunc[throttleStore]) {
		s := open(t)
		keys := names(longDigest)
		for i, key := range keys {
			s.write(noon, []password.Counter{{Failures: i + 1, ExpiresAt: inAnHour}}, key)
		}
		for i, key := range keys {
			s.expect(noon, key, password.Counter{Failures: i + 1, ExpiresAt: inAnHour})
		}
		s.update(noon, func(counters []password.Counter) {
			for i, key := range keys {
				if counters[i].Failures != i+1 {
					t.Errorf("got %d failures of %.80q among all, want %d", counters[i].Failures, key, i+1)
				}
			}
		}, keys...)
	})
}
