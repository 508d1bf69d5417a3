package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthRaces checks what is used once by many at once.
func oauthRaces(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "of 32 redemptions of a code one is the first, and nothing is left", oauthRedeemRace)
	check(t, open, "of 16 refreshes without a grace one succeeds, and nothing is left", oauthRotateRace)
	check(t, open, "of 16 refreshes within a grace all get one successor", oauthGraceRace)
	check(t, open, "a key is fresh, and an interaction taken, once of 32 times", oauthOnceRace)
	check(t, open, "of many changes of a client from one state, one is made", oauthChangeRace)
	check(t, open, "a client is added once of 16 times", oauthAddClientRace)
	check(t, open, "purges at once remove each grant once", oauthPurgeRace)
}

func oauthRedeemRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for round := range 3 {
		id := fmt.Sprint("g", round)
		g := s.approve("alice", id, id)
		var first, reused, revoked atomic.Int32
		atOnce(32, func(i int) {
			verdict, err := s.Redeem(s.Context(), id, noon, oauthTokens(g, fmt.Sprint(id, i)))
			if err != nil {
				t.Error(err)
			}
			switch verdict {
			case server.Redeemed:
				first.Add(1)
			case server.Reused:
				reused.Add(1)
			case server.Revoked:
				revoked.Add(1)
			}
		})
		if first.Load() != 1 || reused.Load() != 1 || revoked.Load() != 30 {
			t.Errorf("32 redemptions: got %d first, %d reused, %d revoked, want 1, 1 and 30", first.Load(),
				reused.Load(), revoked.Load())
		}
		s.wantLive(false, id)
	}
}

func oauthRotateRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	var first atomic.Int32
	atOnce(16, func(i int) {
		rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, oauthTokens(g, fmt.Sprint("next", i)))
		if err != nil {
			t.Error(err)
		}
		if rotation.Verdict == server.Redeemed {
			first.Add(1)
		}
	})
	if first.Load() != 1 {
		t.Errorf("16 refreshes without a grace: got %d verdicts Redeemed, want 1", first.Load())
	}
	s.wantLive(false, "1")
}

func oauthGraceRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	g := s.start("alice", "1")
	var first atomic.Int32
	successors := make([]string, 16)
	atOnce(16, func(i int) {
		tokens := oauthTokens(g, fmt.Sprint("next", i))
		tokens.Refresh.Sealed = []byte(tokens.Refresh.Digest)
		rotation, err := s.Rotate(s.Context(), "1 refresh", noon, time.Second, tokens)
		switch {
		case err != nil:
			t.Error(err)
		case rotation.Verdict == server.Redeemed:
			first.Add(1)
			successors[i] = tokens.Refresh.Digest
		case rotation.Verdict == server.Retried:
			successors[i] = string(rotation.Sealed)
		default:
			t.Errorf("Rotate: got verdict %v, want Redeemed or Retried", rotation.Verdict)
		}
	})
	if slices.Sort(successors); first.Load() != 1 || successors[0] == "" || successors[0] != successors[15] {
		t.Errorf("16 refreshes within the grace: got %d verdicts Redeemed and successors %q, "+
			"want 1 verdict and 16 equal successors", first.Load(), successors)
	}
	s.wantLive(true, "1")
}

func oauthOnceRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: "i", Created: noon, ExpiresAt: noon.Add(time.Hour),
		Data: []byte("{}")}, 0))
	var fresh, taken atomic.Int32
	atOnce(32, func(int) {
		if ok, err := s.PutOnce(s.Context(), "k", noon.Add(time.Hour), noon); err != nil {
			t.Error(err)
		} else if ok {
			fresh.Add(1)
		}
		if i, err := s.ConsumeInteraction(s.Context(), "i", noon); err != nil {
			t.Error(err)
		} else if i != nil {
			taken.Add(1)
		}
	})
	if fresh.Load() != 1 || taken.Load() != 1 {
		t.Errorf("got %d fresh keys and %d taken interactions, want 1 of each", fresh.Load(), taken.Load())
	}
}

func oauthChangeRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	var changed atomic.Int32
	atOnce(16, func(i int) {
		ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "web", Name: fmt.Sprint(i), Created: noon,
			Updated: noon.Add(time.Duration(i+1) * time.Second)}, noon)
		if err != nil {
			t.Error(err)
		}
		if ok {
			changed.Add(1)
		}
	})
	if changed.Load() != 1 {
		t.Errorf("got %d changes, want 1", changed.Load())
	}
}

func oauthAddClientRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	var added atomic.Int32
	atOnce(16, func(i int) {
		ok, err := s.added(&server.Client{ID: "new", Name: fmt.Sprint(i), Created: noon, Updated: noon})
		if err != nil {
			t.Error(err)
		}
		if ok {
			added.Add(1)
		}
	})
	if added.Load() != 1 {
		t.Errorf("got %d added clients, want 1", added.Load())
	}
}

func oauthPurgeRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i := range 40 {
		s.start("alice", fmt.Sprint(i))
	}
	var total atomic.Int32
	purgeAtOnce(func() {
		n, err := s.Purge(s.Context(), noon.Add(time.Hour), 7)
		if err != nil {
			t.Error(err)
		}
		total.Add(int32(n))
	})
	if total.Load() != 40 {
		t.Errorf("purged %d, want each of 40 once", total.Load())
	}
}
