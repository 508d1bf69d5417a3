package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// jwtKept checks Use, and Start with a token of another issuer that stays good.
func jwtKept(t *testing.T, open openFunc[jwtStore]) {
	check(t, open, "Use leaves a token valid until the token expires", jwtUsedOften)
	check(t, open, "a use moves the ends of token and family, but to no earlier instant", jwtUseMovesEnds)
	check(t, open, "a token that was replaced is reused, and one that was used can still be replaced", jwtUseAndRotate)
	check(t, open, "a token of an ended, expired or unknown session is not used", jwtUseRefused)
	check(t, open, "of 32 uses of one token at once all are good, and it is one login", jwtUseRace)
	check(t, open, "Use refuses every token after EndAll, also if both ran at once", jwtUseEndAllRace)
	check(t, open, "an adopted token of another issuer stays valid, and is adopted once", jwtKeepsAdopted)
	check(t, open, "of 32 adoptions at once of a token that stays good one starts a family, which lives", jwtKeepRace)
	check(t, open, "an adopted token is revoked with its family, and Purge keeps it until it expires",
		jwtKeptEnds)
}

// use uses a token.
func (s jwtStore) use(digest string, now, ends time.Time, want jwt.Verdict) jwt.Rotation {
	s.t.Helper()
	rotation, err := s.Use(s.t.Context(), digest, now, ends)
	if err != nil || rotation.Verdict != want {
		s.t.Errorf("%s at %v: verdict %d, want %d; %v", digest, now.Sub(noon), rotation.Verdict, want, err)
	}
	return rotation
}

func jwtUsedOften(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	for i := range 3 {
		at := noon.Add(time.Duration(i+1) * time.Minute)
		rotation := s.use("1 first", at, time.Time{}, jwt.Kept)
		if got := rotation.Session; got == nil || got.ID != "1" || !got.LastUsed.Equal(at) ||
			!got.ExpiresAt.Equal(f.ExpiresAt) {
			t.Errorf("got %+v, want session 1, used at %v", got, at)
		}
		if r, got := s.find("1 first"); !r.Rotated.IsZero() || r.Successor != "" || !got.LastUsed.Equal(at) ||
			!r.ExpiresAt.Equal(f.ExpiresAt) || !got.ExpiresAt.Equal(f.ExpiresAt) {
			t.Errorf("got %+v and %+v, want a token that is good until the hour is over", r, got)
		}
	}
	s.use("1 first", noon.Add(2*time.Minute), time.Time{}, jwt.Kept) // served late
	if _, got := s.find("1 first"); !got.LastUsed.Equal(noon.Add(3 * time.Minute)) {
		t.Errorf("got last use %v, want the latest", got.LastUsed)
	}
	s.use("1 first", f.ExpiresAt.Add(-time.Microsecond), time.Time{}, jwt.Kept)
	s.use("1 first", f.ExpiresAt, time.Time{}, jwt.Expired)
	if _, other := s.find("2 first"); !other.LastUsed.Equal(noon) {
		t.Errorf("got %+v, want another session as it was", other)
	}
	if _, err := s.RevokeAll(t.Context(), "bob", "", "", noon); err != nil {
		t.Fatal(err)
	}
	s.start("bob", "3", 0)
	if rotation := s.use("3 first", noon, time.Time{}, jwt.Kept); rotation.Generation != 1 {
		t.Errorf("got generation %d, want 1", rotation.Generation)
	}
}

func jwtUseMovesEnds(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := s.start("alice", "1", 0)
	longer := f.ExpiresAt.Add(time.Hour)
	for _, ends := range []time.Time{longer, f.ExpiresAt, noon} {
		rotation := s.use("1 first", noon.Add(time.Minute), ends, jwt.Kept)
		if r, got := s.find("1 first"); !r.ExpiresAt.Equal(longer) || !got.ExpiresAt.Equal(longer) ||
			!rotation.Session.ExpiresAt.Equal(longer) {
			t.Errorf("ends %v: got %v and %v, want %v", ends, r.ExpiresAt, got.ExpiresAt, longer)
		}
	}
	sliding := jwt.Claimed{SessionID: "1", UserID: "alice", Digest: "1 first"}
	s.revoked("between the two ends", sliding, f.ExpiresAt, false)
	s.revoked("at the later one", sliding, longer, true)
	if purged, err := s.Purge(t.Context(), longer.Add(jwt.KeepExpired-time.Microsecond), 9); purged != 0 || err != nil {
		t.Errorf("got %d purged, %v, want none before its end", purged, err)
	}
	if purged, err := s.Purge(t.Context(), longer.Add(jwt.KeepExpired), 9); purged != 1 || err != nil {
		t.Errorf("got %d purged, %v, want 1", purged, err)
	}
}

func jwtUseAndRotate(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	s.start("alice", "2", 0)
	s.use("1 first", noon, time.Time{}, jwt.Kept)
	s.rotate("1 first", "second", noon, time.Minute, jwt.Rotated)
	s.use("1 second", noon.Add(time.Second), time.Time{}, jwt.Kept)
	rotation := s.use("1 first", noon.Add(2*time.Second), time.Time{}, jwt.Reused)
	if f := rotation.Session; f == nil || !f.RevokedAt.Equal(noon.Add(2*time.Second)) {
		t.Errorf("got %+v, want a session that ended", rotation.Session)
	}
	s.use("1 second", noon.Add(3*time.Second), time.Time{}, jwt.Revoked)
	if got := s.list("alice", noon); !slices.Equal(got, []string{"2"}) {
		t.Errorf("got %v, want the other session", got)
	}
}

func jwtUseRefused(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	f := jwtSession("alice", "1", 0)
	short := jwtToken(f, "first")
	short.ExpiresAt = noon.Add(time.Minute)
	if _, err := s.Start(t.Context(), f, short, nil, 0, false); err != nil {
		t.Fatal(err)
	}
	longer := noon.Add(time.Hour)
	s.use("1 first", noon.Add(time.Minute), longer, jwt.Expired) // the token, before its session
	if r, got := s.find("1 first"); !r.ExpiresAt.Equal(short.ExpiresAt) || !got.LastUsed.Equal(noon) {
		t.Errorf("got %+v and %+v, want both as they were", r, got)
	}
	s.start("alice", "2", 0)
	if _, err := s.Store.Revoke(t.Context(), "alice", "2", noon); err != nil {
		t.Fatal(err)
	}
	s.use("2 first", noon, longer, jwt.Revoked)
	if rotation := s.use("3 first", noon, longer, jwt.Unknown); rotation.Session != nil {
		t.Errorf("got %+v, want no session", rotation.Session)
	}
}

func jwtUseRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	s.start("alice", "1", 0)
	atOnce(32, func(i int) {
		rotation, err := s.Use(t.Context(), "1 first", noon.Add(time.Duration(i)*time.Second), time.Time{})
		if err != nil || rotation.Verdict != jwt.Kept {
			t.Errorf("got verdict %d, %v, want %d", rotation.Verdict, err, jwt.Kept)
		}
	})
	if got := s.list("alice", noon); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %v, want one session", got)
	}
	if _, f := s.find("1 first"); !f.LastUsed.Equal(noon.Add(31 * time.Second)) {
		t.Errorf("got last use %v, want the latest", f.LastUsed)
	}
}

func jwtUseEndAllRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	for round := range 10 {
		id := fmt.Sprint(round)
		s.start("alice", id, 0)
		atOnce(5, func(i int) {
			if i == 4 {
				if _, err := s.RevokeAll(t.Context(), "alice", "", "", noon); err != nil {
					t.Error(err)
				}
				return
			}
			rotation, err := s.Use(t.Context(), id+" first", noon, noon.Add(2*time.Hour))
			if err != nil || rotation.Verdict != jwt.Kept && rotation.Verdict != jwt.Revoked {
				t.Errorf("got verdict %d, %v, want %d or %d", rotation.Verdict, err, jwt.Kept, jwt.Revoked)
			}
		})
		s.use(id+" first", noon, time.Time{}, jwt.Revoked)
		if got := s.list("alice", noon); len(got) != 0 {
			t.Fatalf("live: %v, want nothing", got)
		}
	}
}

// keep adopts a token of others that stays good, for a session of alice's.
func (s jwtStore) keep(id, digest string, expires time.Time) (jwt.Started, *jwt.Refresh) {
	s.t.Helper()
	f := jwtSession("alice", id, 0)
	first := &jwt.Refresh{Digest: digest, SessionID: id, Issued: noon, ExpiresAt: expires}
	started, err := s.Start(s.t.Context(), f, first, first, 0, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return started, first
}

func jwtKeepsAdopted(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	expires := noon.Add(48 * time.Hour)
	started, first := s.keep("1", "foreign", expires)
	if started.Seen || first.Adopted {
		t.Errorf("got %+v, want it to be new, and the argument as it was: %+v", started, first)
	}
	r, f := s.find("foreign")
	if r == nil || f.ID != "1" || !r.Adopted || !r.Rotated.IsZero() || !r.ExpiresAt.Equal(expires) {
		t.Fatalf("got %+v of %+v, want a token that stays good", r, f)
	}
	if started, _ := s.keep("2", "foreign", expires); !started.Seen {
		t.Errorf("got %+v, want Seen", started)
	}
	if got := s.list("alice", noon); !slices.Equal(got, []string{"1"}) {
		t.Errorf("got %v, want the first session, which goes on", got)
	}
	s.use("foreign", noon.Add(time.Minute), time.Time{}, jwt.Kept)
	s.use("foreign", noon.Add(2*time.Minute), time.Time{}, jwt.Kept)
	claimed := jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon, Digest: "foreign"}
	s.revoked("the token itself", claimed, noon, false)
	// Where tokens rotate again, it is replaced as any other.
	next := &jwt.Refresh{Digest: "1 second", SessionID: "1", Issued: noon, ExpiresAt: noon.Add(time.Hour)}
	if rotation, err := s.Rotate(t.Context(), "foreign", noon, 0, next); err != nil || rotation.Verdict != jwt.Rotated {
		t.Errorf("got %+v, %v, want it to be replaced", rotation, err)
	}
	s.revoked("the token after that", claimed, noon, true)
	if r, _ := s.find("foreign"); !r.Adopted {
		t.Error("it is no longer marked as adopted")
	}
	if r, _ := s.find("1 second"); r.Adopted {
		t.Error("its successor is marked as adopted")
	}
	s.use("foreign", noon.Add(time.Second), time.Time{}, jwt.Reused)
}

func jwtKeepRace(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	var mu sync.Mutex
	sessions := 0
	atOnce(32, func(i int) {
		f := jwtSession("alice", fmt.Sprint(i), 0)
		first := &jwt.Refresh{Digest: "foreign", SessionID: f.ID, Issued: noon, ExpiresAt: f.ExpiresAt}
		started, err := s.Start(t.Context(), f, first, first, 0, false)
		if err != nil {
			t.Error(err)
		}
		if !started.Seen {
			mu.Lock()
			defer mu.Unlock()
			sessions++
		}
	})
	if got := s.list("alice", noon); sessions != 1 || len(got) != 1 {
		t.Errorf("got %d sessions, listed %v, want one", sessions, got)
	}
	s.use("foreign", noon, time.Time{}, jwt.Kept)
}

func jwtKeptEnds(t *testing.T, open openFunc[jwtStore]) {
	s := open(t)
	expires := noon.Add(90 * time.Hour)
	s.keep("1", "foreign", expires)
	claimed := jwt.Claimed{UserID: "alice", Generation: -1, IssuedAt: noon, Digest: "foreign", Grace: time.Minute}
	s.revoked("before", claimed, noon, false)
	if _, err := s.Store.Revoke(t.Context(), "alice", "1", noon); err != nil {
		t.Fatal(err)
	}
	s.revoked("after its login ended", claimed, noon, true)
	s.use("foreign", noon, time.Time{}, jwt.Revoked)
	s.purge(jwtEndedGone, 9, 0)
	if started, _ := s.keep("2", "foreign", expires); !started.Seen {
		t.Errorf("got %+v, want Seen: it would start another login", started)
	}
	s.purge(expires.Add(jwt.KeepExpired-time.Microsecond), 9, 0)
	s.purge(expires.Add(jwt.KeepExpired), 9, 1)

	s.keep("3", "rotated", expires)
	next := &jwt.Refresh{Digest: "3 second", SessionID: "3", Issued: noon, ExpiresAt: noon.Add(time.Hour)}
	if rotation, err := s.Rotate(t.Context(), "rotated", noon.Add(time.Minute), 0, next); err != nil ||
		rotation.Verdict != jwt.Rotated {
		t.Fatalf("got %+v, %v, want it to be replaced", rotation, err)
	}
	if _, err := s.Store.Revoke(t.Context(), "alice", "3", noon); err != nil {
		t.Fatal(err)
	}
	s.purge(jwtEndedGone, 9, 0) // it is adopted, though it was replaced later
}
