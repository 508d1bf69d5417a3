package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// externalKeys checks PutOnce.
func externalKeys(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "a key is fresh once, until it expires", externalKeyFreshOnce)
	check(t, open, "keys are told apart byte by byte", externalOnceExact)
	check(t, open, "a key of PutOnce and a code may have the same text", externalKeyAndCode)
}

func externalKeyFreshOnce(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	minute, hour := noon.Add(time.Minute), noon.Add(time.Hour)
	s.put("k", minute, noon, true)
	s.put("k", hour, noon, false) // and that does not prolong it
	s.put("k", hour, noon.Add(-time.Hour), false)
	s.put("k", hour, minute.Add(-time.Microsecond), false)
	s.put("k", hour, minute, true)
	s.put("k", hour, minute, false)
	s.put("k", hour.Add(time.Hour), hour.Add(-time.Microsecond), false)
	s.put("k", hour.Add(time.Hour), hour.Add(time.Microsecond), true)
}

func externalOnceExact(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, fresh := range []bool{true, false} {
		for _, key := range []string{"k", "K", "k ", " k", "", odd, odd + " ", "\u00e9", "\u00c9", "e\u0301", "1", "01",
			"%", "_"} {
			s.put(key, noon.Add(time.Hour), noon, fresh)
		}
	}
}

func externalKeyAndCode(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.put("x", noon.Add(time.Hour), noon, true)
	s.must(s.AddCode(s.Context(), externalCode("alice", "x")))
	if code := s.take("x", noon); code == nil {
		t.Error("the code is gone, want it beside the key")
	}
	s.put("x", noon.Add(time.Hour), noon, false)
}

// externalCodes checks AddCode and TakeCode.
func externalCodes(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "a code is returned as it was added, once", externalCodeOnce)
	check(t, open, "digests are told apart byte by byte", externalCodesExact)
	check(t, open, "AddCode with a stored digest returns an error and changes nothing", externalCodeAgain)
	check(t, open, "TakeCode returns a code until the instant at which it expires", externalCodeExpires)
}

func externalCodeOnce(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	full := &external.Code{Digest: odd, UserID: odd, Stamp: odd, Challenge: odd,
		Data: []byte("{\"a\":\"\\u0000\u00fc \x00\xff'\"}"), ExpiresAt: fraction.Add(time.Minute)}
	bare := &external.Code{Digest: "bare", UserID: "alice", ExpiresAt: noon.Add(time.Hour)}
	for _, code := range []*external.Code{full, bare} {
		passed := *code
		s.must(s.AddCode(s.Context(), &passed))
	}
	for _, want := range []*external.Code{full, bare} {
		if got := s.take(want.Digest, noon); !sameCode(got, want) {
			t.Errorf("taken %+v\nwant  %+v", got, want)
		}
		if got := s.take(want.Digest, noon); got != nil {
			t.Errorf("taken again: %+v, want nil", got)
		}
	}
}

func externalCodesExact(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	digests := []string{"d", "D", "d ", " d", "\u00e9", "e\u0301", "1", "01"}
	for _, digest := range digests {
		if got := s.take(digest, noon); got != nil {
			t.Errorf("%q: take: got %+v, want nil", digest, got)
		}
		s.must(s.AddCode(s.Context(), externalCode("of "+digest, digest)))
	}
	for _, digest := range digests {
		if got := s.take(digest, noon); !sameCode(got, externalCode("of "+digest, digest)) {
			t.Errorf("%q: take: got %+v, want %+v", digest, got, externalCode("of "+digest, digest))
		}
	}
}

func externalCodeAgain(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	s.must(s.AddCode(s.Context(), externalCode("alice", "c")))
	for _, user := range []string{"bob", "alice"} {
		other := externalCode(user, "c")
		other.Stamp, other.Challenge, other.Data, other.ExpiresAt = "s", "other", []byte("[]"), fraction.Add(time.Hour)
		if err := s.AddCode(s.Context(), other); err == nil {
			t.Errorf("%s: got no error, want one", user)
		}
	}
	if got := s.take("c", noon); !sameCode(got, externalCode("alice", "c")) {
		t.Errorf("take: got %+v, want %+v", got, externalCode("alice", "c"))
	}
}

func externalCodeExpires(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	for _, digest := range []string{"a", "b"} {
		s.must(s.AddCode(s.Context(), externalCode("alice", digest)))
	}
	expires := externalCode("alice", "a").ExpiresAt
	for _, at := range []time.Time{expires, expires.Add(time.Microsecond), expires.Add(time.Hour)} {
		if got := s.take("a", at); got != nil {
			t.Errorf("%v: take: got %+v, want nil", at, got)
		}
	}
	if got := s.take("b", expires.Add(-time.Microsecond)); got == nil {
		t.Error("it was gone before")
	}
}

// externalPurge checks Purge.
func externalPurge(t *testing.T, open openFunc[externalStore]) {
	check(t, open, "Purge removes at most limit keys and codes, and counts both", externalPurges)
	check(t, open, "Purge removes keys and codes that expired at now or before, and nothing else",
		externalPurgesExpired)
}

func externalPurges(t *testing.T, open openFunc[externalStore]) {
	for _, row := range []struct {
		keys, codes int
		want        []int
	}{{3, 3, []int{2, 2, 2, 0}}, {5, 2, []int{2, 2, 2, 1, 0}}, {1, 5, []int{2, 2, 2, 0}}, {0, 2, []int{2, 0}},
		{2, 0, []int{2, 0}}, {0, 0, []int{0}}} {
		s := open(t)
		s.addExpiring(row.keys, row.codes, noon)
		s.purge(noon, 2, row.want...)
	}
	s := open(t)
	s.addExpiring(2, 2, noon)
	s.purge(noon, 100, 4, 0)
}

func externalPurgesExpired(t *testing.T, open openFunc[externalStore]) {
	s := open(t)
	soon := noon.Add(time.Microsecond)
	s.link(externalIdentity("alice", "1"), "alice")
	for _, expires := range []time.Time{soon, noon, noon.Add(-time.Minute)} {
		s.addExpiring(1, 1, expires)
	}
	s.purge(noon.Add(-time.Minute-time.Microsecond), 9, 0)
	s.purge(noon.Add(-time.Microsecond), 9, 2, 0)
	s.purge(noon, 9, 2, 0)
	// At an instant when all were good: what is not there was removed.
	then := noon.Add(-time.Hour)
	for _, expires := range []time.Time{noon.Add(-time.Minute), noon, soon} {
		name := expires.Sub(noon).String() + "0"
		if got := s.take(name, then); (got != nil) != expires.Equal(soon) {
			t.Errorf("take of %s: got %+v, want found to be %v", name, got, expires.Equal(soon))
		}
		s.put(name, expires, then, !expires.Equal(soon))
	}
	s.wantIDs("alice", "1")
}

// purge purges step by step, and fails if a step removes another number.
func (s externalStore) purge(now time.Time, limit int, want ...int) {
	s.Helper()
	for step, want := range want {
		if n, err := s.Purge(s.Context(), now, limit); n != want || err != nil {
			s.Errorf("step %d: %d, %v, want %d", step, n, err, want)
		}
	}
}

// addExpiring adds keys and codes that expire at one instant, which is in their names.
func (s externalStore) addExpiring(keys, codes int, expires time.Time) {
	s.Helper()
	name := expires.Sub(noon).String()
	for i := range keys {
		s.put(fmt.Sprint(name, i), expires, noon.Add(-time.Hour), true)
	}
	for i := range codes {
		c := externalCode("alice", fmt.Sprint(name, i))
		c.ExpiresAt = expires
		s.must(s.AddCode(s.Context(), c))
	}
}
