package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// loginKeys checks PutOnce.
func loginKeys(t *testing.T, open opener[loginStore]) {
	check(t, open, "a key is fresh once, until it expires", loginKeyFreshOnce)
	check(t, open, "keys are told apart byte by byte", loginOnceExact)
	check(t, open, "a key of PutOnce and a code may have the same text", loginKeyAndCode)
}

func loginKeyFreshOnce(t *testing.T, open opener[loginStore]) {
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

func loginOnceExact(t *testing.T, open opener[loginStore]) {
	s := open(t)
	for _, fresh := range []bool{true, false} {
		for _, key := range []string{"k", "K", "k ", " k", "", odd, odd + " ", "\u00e9", "\u00c9", "e\u0301", "1", "01",
			"%", "_"} {
			s.put(key, noon.Add(time.Hour), noon, fresh)
		}
	}
}

func loginKeyAndCode(t *testing.T, open opener[loginStore]) {
	s := open(t)
	s.put("x", noon.Add(time.Hour), noon, true)
	s.must(s.AddCode(s.Context(), loginCode("alice", "x")))
	if code := s.take("x", noon); code == nil {
		t.Error("the code is gone, want it beside the key")
	}
	s.put("x", noon.Add(time.Hour), noon, false)
}

// loginCodes checks AddCode and TakeCode.
func loginCodes(t *testing.T, open opener[loginStore]) {
	check(t, open, "a code is returned as it was added, once", loginCodeOnce)
	check(t, open, "digests are told apart byte by byte", loginCodesExact)
	check(t, open, "AddCode with a stored digest returns an error and changes nothing", loginCodeAgain)
	check(t, open, "TakeCode returns a code until the instant at which it expires", loginCodeExpires)
}

func loginCodeOnce(t *testing.T, open opener[loginStore]) {
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

func loginCodesExact(t *testing.T, open opener[loginStore]) {
	s := open(t)
	digests := []string{"d", "D", "d ", " d", "\u00e9", "e\u0301", "1", "01"}
	for _, digest := range digests {
		if got := s.take(digest, noon); got != nil {
			t.Errorf("%q: take: got %+v, want nil", digest, got)
		}
		s.must(s.AddCode(s.Context(), loginCode("of "+digest, digest)))
	}
	for _, digest := range digests {
		if got := s.take(digest, noon); !sameCode(got, loginCode("of "+digest, digest)) {
			t.Errorf("%q: take: got %+v, want %+v", digest, got, loginCode("of "+digest, digest))
		}
	}
}

func loginCodeAgain(t *testing.T, open opener[loginStore]) {
	s := open(t)
	s.must(s.AddCode(s.Context(), loginCode("alice", "c")))
	for _, user := range []string{"bob", "alice"} {
		other := loginCode(user, "c")
		other.Stamp, other.Challenge, other.Data, other.ExpiresAt = "s", "other", []byte("[]"), fraction.Add(time.Hour)
		if err := s.AddCode(s.Context(), other); err == nil {
			t.Errorf("%s: got no error, want one", user)
		}
	}
	if got := s.take("c", noon); !sameCode(got, loginCode("alice", "c")) {
		t.Errorf("take: got %+v, want %+v", got, loginCode("alice", "c"))
	}
}

func loginCodeExpires(t *testing.T, open opener[loginStore]) {
	s := open(t)
	for _, digest := range []string{"a", "b"} {
		s.must(s.AddCode(s.Context(), loginCode("alice", digest)))
	}
	expires := loginCode("alice", "a").ExpiresAt
	for _, at := range []time.Time{expires, expires.Add(time.Microsecond), expires.Add(time.Hour)} {
		if got := s.take("a", at); got != nil {
			t.Errorf("%v: take: got %+v, want nil", at, got)
		}
	}
	if got := s.take("b", expires.Add(-time.Microsecond)); got == nil {
		t.Error("it was gone before")
	}
}

// loginPurge checks Purge.
func loginPurge(t *testing.T, open opener[loginStore]) {
	check(t, open, "Purge removes at most limit keys and codes, and counts both", loginPurges)
	check(t, open, "Purge removes keys and codes that expired at now or before, and nothing else", loginPurgesExpired)
}

func loginPurges(t *testing.T, open opener[loginStore]) {
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

func loginPurgesExpired(t *testing.T, open opener[loginStore]) {
	s := open(t)
	soon := noon.Add(time.Microsecond)
	s.link(loginIdentity("alice", "1"), "alice")
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
func (s loginStore) purge(now time.Time, limit int, want ...int) {
	s.Helper()
	for step, want := range want {
		if n, err := s.Purge(s.Context(), now, limit); n != want || err != nil {
			s.Errorf("step %d: %d, %v, want %d", step, n, err, want)
		}
	}
}

// addExpiring adds keys and codes that expire at one instant, which is in their names.
func (s loginStore) addExpiring(keys, codes int, expires time.Time) {
	s.Helper()
	name := expires.Sub(noon).String()
	for i := range keys {
		s.put(fmt.Sprint(name, i), expires, noon.Add(-time.Hour), true)
	}
	for i := range codes {
		c := loginCode("alice", fmt.Sprint(name, i))
		c.ExpiresAt = expires
		s.must(s.AddCode(s.Context(), c))
	}
}
