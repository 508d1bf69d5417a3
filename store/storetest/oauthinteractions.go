package storetest

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthInteractions checks pages that wait for an answer, and keys that are used once.
func oauthInteractions(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "an interaction is there until it expires or is taken", oauthInteractionTaken)
	check(t, open, "a key is fresh once, until it expires", oauthKeyFresh)
}

func oauthInteractionTaken(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := &server.Interaction{ID: "0190163d-8694-739b-aea5-966c26f8ad91", Digest: "d", UserID: odd, SessionID: "s",
		Created: fraction, ExpiresAt: noon.Add(time.Hour), Data: []byte(`{"a":"\u0000ü"}`)}
	s.must(s.AddInteraction(s.Context(), want, 0))
	if err := s.AddInteraction(s.Context(), &server.Interaction{Digest: "d",
		ExpiresAt: noon.Add(time.Hour)}, 0); err == nil {
		t.Error("it was added again")
	}
	s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: "bare", Created: noon,
		ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}, 0))
	for _, row := range []struct {
		digest string
		now    time.Time
		there  bool
	}{{"d", noon, true}, {"d", want.ExpiresAt.Add(-time.Microsecond), true}, {"d", want.ExpiresAt, false},
		{"D", noon, false}, {"", noon, false}} {
		got, err := s.Interaction(s.Context(), row.digest, row.now)
		if err != nil || (got != nil) != row.there || row.there && !sameRecord(got, want) {
			t.Errorf("Interaction of %q at %v: got %+v, %v, want found to be %v", row.digest, row.now, got, err,
				row.there)
		}
	}
	if got, err := s.Interaction(s.Context(), want.ID, noon); got != nil || err != nil {
		t.Errorf("found by its identifier, which is not secret: %+v, %v, want nil", got, err)
	}
	oauthInteractionUsed(t, s, want)
}

// oauthInteractionUsed checks ConsumeInteraction, for a page that is there with another one.
func oauthInteractionUsed(t *testing.T, s oauthStore, want *server.Interaction) {
	t.Helper()
	if got, err := s.ConsumeInteraction(s.Context(), "d", want.ExpiresAt); got != nil || err != nil {
		t.Errorf("taken after it expired: %+v, %v, want nil", got, err)
	}
	if got, err := s.ConsumeInteraction(s.Context(), "d", noon); err != nil || !sameRecord(got, want) {
		t.Errorf("ConsumeInteraction: got %+v, %v, want %+v", got, err, want)
	}
	for _, digest := range []string{"d", "none"} {
		if got, err := s.ConsumeInteraction(s.Context(), digest, noon); got != nil || err != nil {
			t.Errorf("%s: ConsumeInteraction: got %+v, %v, want nil", digest, got, err)
		}
	}
	if got, err := s.Interaction(s.Context(), "bare", noon); got == nil || err != nil {
		t.Errorf("another interaction: %+v, %v, want a record", got, err)
	}
}

func oauthKeyFresh(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i, row := range []struct {
		key     string
		expires time.Time
		now     time.Time
		want    bool
	}{{"k", noon.Add(time.Minute), noon, true}, {"k", noon.Add(time.Hour), noon, false},
		{"K", noon.Add(time.Minute), noon, true},
		{"k", noon.Add(time.Hour), noon.Add(time.Minute - time.Microsecond), false},
		{"k", noon.Add(time.Hour), noon.Add(time.Minute), true},
		{"k", noon.Add(time.Hour), noon.Add(59 * time.Minute), false},
		{odd, noon.Add(time.Hour), noon, true}, {odd, noon.Add(time.Hour), noon, false},
		{odd + " ", noon.Add(time.Hour), noon, true}} {
		if got, err := s.PutOnce(s.Context(), row.key, row.expires, row.now); got != row.want || err != nil {
			t.Errorf("%d: PutOnce: got %v, %v, want %v", i, got, err, row.want)
		}
	}
}
