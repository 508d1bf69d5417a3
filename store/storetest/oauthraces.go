package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func oauthRaces(t *testing.T, open func(t *testing.T) oauthStore) {
	t.Run("of 32 redemptions of a code one is the first, and nothing is left", func(t *testing.T) {
		s := open(t)
		for round := range 3 {
			id := fmt.Sprint("g", round)
			g := s.approve("alice", id, id)
			var first, reused, revoked atomic.Int32
			together(32, func(i int) {
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
				t.Errorf("%d, %d, %d", first.Load(), reused.Load(), revoked.Load())
			}
			s.wantLive(false, id)
		}
	})
	t.Run("of 16 refreshes without a grace one succeeds, and nothing is left", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		var first atomic.Int32
		together(16, func(i int) {
			rotation, err := s.Rotate(s.Context(), "1 refresh", noon, 0, oauthTokens(g, fmt.Sprint("next", i)))
			if err != nil {
				t.Error(err)
			}
			if rotation.Verdict == server.Redeemed {
				first.Add(1)
			}
		})
		if first.Load() != 1 {
			t.Error(first.Load())
		}
		s.wantLive(false, "1")
	})
	t.Run("of 16 refreshes within a grace all get one successor", func(t *testing.T) {
		s := open(t)
		g := s.start("alice", "1")
		var first atomic.Int32
		successors := make([]string, 16)
		together(16, func(i int) {
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
				t.Error(rotation.Verdict)
			}
		})
		if slices.Sort(successors); first.Load() != 1 || successors[0] == "" || successors[0] != successors[15] {
			t.Errorf("%d %q", first.Load(), successors)
		}
		s.wantLive(true, "1")
	})
	t.Run("a key is fresh, and an interaction taken, once of 32 times", func(t *testing.T) {
		s := open(t)
		s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: "i", Created: noon, ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}))
		var fresh, taken atomic.Int32
		together(32, func(int) {
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
			t.Error(fresh.Load(), taken.Load())
		}
	})
	t.Run("whatever ends a grant while it is redeemed or refreshed, nothing of it is live", func(t *testing.T) {
		for name, end := range map[string]func(s oauthStore) error{
			"End":          func(s oauthStore) error { _, err := s.End(s.Context(), "1", noon); return err },
			"Withdraw":     func(s oauthStore) error { _, err := s.Withdraw(s.Context(), "alice", "web", noon); return err },
			"EndAll":       func(s oauthStore) error { _, err := s.EndAll(s.Context(), "alice", "", "", noon); return err },
			"RemoveClient": func(s oauthStore) error { _, _, err := s.RemoveClient(s.Context(), "web", noon); return err },
			"ChangeClient": func(s oauthStore) error { _, err := oauthDisable(s); return err },
		} {
			s := open(t)
			g := s.approve("alice", "1", "c")
			r := s.start("alice", "2")
			together(9, func(i int) {
				var err error
				switch i % 3 {
				case 0:
					_, err = s.Redeem(s.Context(), "c", noon, oauthTokens(g, fmt.Sprint("c", i)))
				case 1:
					_, err = s.Rotate(s.Context(), "2 refresh", noon, 0, oauthTokens(r, fmt.Sprint("r", i)))
				default:
					err = end(s)
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
			s.wantLive(false, "1")
			if name != "End" {
				s.wantLive(false, "2")
			}
		}
	})
	t.Run("a grant that rests on a consent is not live after the consent was withdrawn", func(t *testing.T) {
		for range 10 {
			s := open(t)
			g := oauthGrant("alice", "first")
			_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "first"), Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon, Updated: noon}})
			s.must(err)
			together(8, func(i int) {
				var err error
				if i == 4 {
					_, err = s.Withdraw(s.Context(), "alice", "web", noon)
				} else {
					g := oauthGrant("alice", fmt.Sprint("g", i))
					_, err = s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), Recall: true})
				}
				if err != nil {
					t.Error(err)
				}
			})
			if live, err := s.Grants(s.Context(), "alice", "", 100, noon); len(live) != 0 || err != nil {
				t.Errorf("%d live, %v", len(live), err)
			}
		}
	})
	t.Run("of many changes of a client from one state, one is made", func(t *testing.T) {
		s := open(t)
		var changed atomic.Int32
		together(16, func(i int) {
			ok, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "web", Name: fmt.Sprint(i), Created: noon, Updated: noon.Add(time.Duration(i+1) * time.Second)}, noon)
			if err != nil {
				t.Error(err)
			}
			if ok {
				changed.Add(1)
			}
		})
		if changed.Load() != 1 {
			t.Error(changed.Load())
		}
	})
	t.Run("a client that is disabled or removed while it is given something has nothing", func(t *testing.T) {
		for name, end := range map[string]func(s oauthStore) (bool, error){
			"disable": oauthDisable,
			"remove":  func(s oauthStore) (bool, error) { return done(s.RemoveClient(s.Context(), "web", noon)) },
		} {
			for range 5 {
				s := open(t)
				together(16, func(i int) {
					g := oauthGrant("alice", fmt.Sprint(i))
					var err error
					switch {
					case i == 8:
						_, err = end(s)
					case i%2 == 0:
						_, err = s.started(g, oauthTokens(g, g.ID))
					default:
						_, err = s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID)})
					}
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
				if live, err := s.Grants(s.Context(), "alice", "", 100, noon); len(live) != 0 || err != nil {
					t.Errorf("%s: %d live, %v", name, len(live), err)
				}
			}
		}
	})
	t.Run("of consents at once none is lost, and one that is withdrawn leaves no grant", func(t *testing.T) {
		remember := func(s oauthStore, id string) {
			g := oauthGrant("alice", id)
			g.Permissions = oauthMay(id)
			if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id),
				Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon, Updated: noon}}); !ok || err != nil {
				t.Error(ok, err)
			}
		}
		s := open(t)
		var all []string
		for i := range 16 {
			all = append(all, fmt.Sprint(i))
		}
		together(len(all), func(i int) { remember(s, all[i]) })
		if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !got.Covers(oauthMay(all...)) || len(got.Permissions.Scopes()) != len(all) {
			t.Errorf("%+v, %v", got, err)
		}
		for range 5 {
			s := open(t)
			together(9, func(i int) {
				if i != 4 {
					remember(s, all[i])
				} else if _, err := s.Withdraw(s.Context(), "alice", "web", noon); err != nil {
					t.Error(err)
				}
			})
			consent, err := s.Consent(s.Context(), "alice", "web")
			s.must(err)
			live, err := s.Grants(s.Context(), "alice", "", 100, noon)
			s.must(err)
			for _, g := range live {
				if !consent.Covers(g.Permissions) {
					t.Errorf("%+v is live by %+v", g, consent)
				}
			}
			if consent != nil && len(consent.Permissions.Scopes()) != len(live) {
				t.Errorf("%d live by %+v", len(live), consent)
			}
		}
	})
	t.Run("a client is added once of 16 times", func(t *testing.T) {
		s := open(t)
		var added atomic.Int32
		together(16, func(i int) {
			ok, err := s.added(&server.Client{ID: "new", Name: fmt.Sprint(i), Created: noon, Updated: noon})
			if err != nil {
				t.Error(err)
			}
			if ok {
				added.Add(1)
			}
		})
		if added.Load() != 1 {
			t.Error(added.Load())
		}
	})
	t.Run("purges at once remove each grant once", func(t *testing.T) {
		s := open(t)
		for i := range 40 {
			s.start("alice", fmt.Sprint(i))
		}
		var total atomic.Int32
		together(8, func(int) {
			n, err := s.Purge(s.Context(), noon.Add(time.Hour), 7)
			if err != nil {
				t.Error(err)
			}
			total.Add(int32(n))
		})
		if total.Load() != 40 {
			t.Errorf("%d of 40", total.Load())
		}
	})
}

// oauthDisable disables the client web.
func oauthDisable(s oauthStore) (bool, error) {
	return done(s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction}, noon))
}
