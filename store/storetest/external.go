package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/external"
)

// External checks an [external.Store].
func External(t *testing.T, open func(t *testing.T) external.Store) {
	checkAspects(t, func(t *testing.T) externalStore { return externalStore{t, open(t)} }, []aspect[externalStore]{
		{"identities", externalIdentities},
		{"first identities of an issuer", externalFirst},
		{"touching", externalTouch},
		{"unlinking", externalUnlink},
		{"removing a user", externalRemoveUser},
		{"keys", externalKeys},
		{"codes", externalCodes},
		{"purging", externalPurge},
		{"races", externalRaces},
		{"races of codes and keys", externalOnceRaces},
		{"reservations", externalReservations},
		{"races of reservations", externalReservationRaces},
		{"texts", externalTexts},
		{"every method", externalCalls},
	})
}

// externalStore adds what tests say often.
type externalStore struct {
	*testing.T
	external.Store
}

func (s externalStore) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// link links an identity. Link must say whether its key was free.
func (s externalStore) link(i *external.Identity, want string) {
	s.Helper()
	before, err := s.Identity(s.Context(), i.Issuer, i.Subject)
	s.must(err)
	if owner, linked, err := s.Link(s.Context(), i); owner != want || linked != (before == nil) || err != nil {
		s.Fatalf("Link of %q: %q, %v, %v, want %q, %v", i.ID, owner, linked, err, want, before == nil)
	}
}

// find returns the identity of externalIssuer with this subject.
func (s externalStore) find(subject string) *external.Identity {
	s.Helper()
	i, err := s.Identity(s.Context(), externalIssuer, subject)
	s.must(err)
	return i
}

func (s externalStore) list(user string) []*external.Identity {
	s.Helper()
	all, err := s.Identities(s.Context(), user)
	s.must(err)
	return all
}

func (s externalStore) wantIDs(user string, want ...string) {
	s.Helper()
	var got []string
	for _, i := range s.list(user) {
		got = append(got, i.ID)
	}
	if !slices.Equal(got, want) {
		s.Errorf("%s has %q, want %q", user, got, want)
	}
}

func (s externalStore) unlink(user, id string, keepLast bool, want external.UnlinkVerdict) *external.Identity {
	s.Helper()
	i, verdict, err := s.Unlink(s.Context(), user, id, keepLast)
	if verdict != want || err != nil || (i != nil) != (want == external.UnlinkRemoved) {
		s.Errorf("Unlink of %s's %s: %+v, %v, %v, want %v", user, id, i, verdict, err, want)
	}
	return i
}

func (s externalStore) put(key string, expires, now time.Time, want bool) {
	s.Helper()
	if fresh, err := s.PutOnce(s.Context(), key, expires, now); fresh != want || err != nil {
		s.Errorf("PutOnce of %q: %v, %v, want %v", key, fresh, err, want)
	}
}

func (s externalStore) take(digest string, now time.Time) *external.Code {
	s.Helper()
	code, err := s.TakeCode(s.Context(), digest, now)
	s.must(err)
	return code
}

const externalIssuer = "https://accounts.example"

// externalIdentity is an identity of externalIssuer. Its subject is its ID.
func externalIdentity(user, id string) *external.Identity {
	return &external.Identity{ID: id, UserID: user, Issuer: externalIssuer, Subject: id, Provider: "accounts",
		Email: user + "@example.com", EmailVerified: true,
		Name: "Name of " + user, Created: noon, LastUsed: noon.Add(time.Second)}
}

// externalCode is good for a minute.
func externalCode(user, digest string) *external.Code {
	return &external.Code{Digest: digest, UserID: user, Stamp: "stamp of " + user, Challenge: "challenge",
		Data: []byte(`{"of":"` + user + `"}`), ExpiresAt: noon.Add(time.Minute)}
}

// sameIdentity compares the instants of times, not how they are written.
func sameIdentity(a, b *external.Identity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	for _, at := range []*time.Time{&x.Created, &x.LastUsed, &y.Created, &y.LastUsed} {
		*at = at.UTC()
	}
	return x == y
}

func sameCode(a, b *external.Code) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Digest == b.Digest && a.UserID == b.UserID && a.Stamp == b.Stamp && a.Challenge == b.Challenge &&
		slices.Equal(a.Data, b.Data) && a.ExpiresAt.Equal(b.ExpiresAt)
}
