package storetest

import (
	"fmt"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthEndRaces checks what ends grants while others are given or used.
func oauthEndRaces(t *testing.T, open opener[oauthStore]) {
	check(t, open, "whatever ends a grant while it is redeemed or refreshed, nothing of it is live", oauthEndRace)
	check(t, open, "a grant that rests on a consent is not live after the consent was withdrawn", oauthWithdrawRace)
	check(t, open, "a client that is disabled or removed while it is given something has nothing", oauthDisableRace)
	check(t, open, "of consents at once each one is kept, and one that is withdrawn leaves no grant", oauthConsentRace)
}

func oauthEndRace(t *testing.T, open opener[oauthStore]) {
	for name, end := range map[string]func(s oauthStore) error{
		"End": func(s oauthStore) error { _, err := s.End(s.Context(), "1", noon); return err },
		"Withdraw": func(s oauthStore) error {
			_, err := s.Withdraw(s.Context(), "alice", "web",
				noon)
			return err
		},
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
}

func oauthWithdrawRace(t *testing.T, open opener[oauthStore]) {
	for range 10 {
		s := open(t)
		g := oauthGrant("alice", "first")
		_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "first"),
			Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon,
				Updated: noon}})
		s.must(err)
		together(8, func(i int) {
			var err error
			if i == 4 {
				_, err = s.Withdraw(s.Context(), "alice", "web", noon)
			} else {
				g := oauthGrant("alice", fmt.Sprint("g", i))
				_, err = s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), RequireConsent: true})
			}
			if err != nil {
				t.Error(err)
			}
		})
		if live, err := s.Grants(s.Context(), "alice", "", 100, noon); len(live) != 0 || err != nil {
			t.Errorf("%d live, %v", len(live), err)
		}
	}
}

func oauthDisableRace(t *testing.T, open opener[oauthStore]) {
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
}

func oauthConsentRace(t *testing.T, open opener[oauthStore]) {
	s := open(t)
	var all []string
	for i := range 16 {
		all = append(all, fmt.Sprint(i))
	}
	together(len(all), func(i int) { s.agreeTo(all[i]) })
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !got.Covers(oauthMay(all...)) ||
		len(got.Permissions.Scopes()) != len(all) {
		t.Errorf("%+v, %v", got, err)
	}
	for range 5 {
		oauthConsentWithdrawn(t, open(t), all)
	}
}

// oauthConsentWithdrawn agrees to scopes and withdraws at once, and checks that each grant that is live
// rests on a consent.
func oauthConsentWithdrawn(t *testing.T, s oauthStore, scopes []string) {
	t.Helper()
	together(9, func(i int) {
		if i != 4 {
			s.agreeTo(scopes[i])
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

// agreeTo approves a grant of alice with a scope, and remembers the consent.
func (s oauthStore) agreeTo(id string) {
	s.Helper()
	g := oauthGrant("alice", id)
	g.Permissions = oauthMay(id)
	if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id),
		Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon,
			Updated: noon}}); !ok || err != nil {
		s.Error(ok, err)
	}
}

// oauthDisable disables the client web.
func oauthDisable(s oauthStore) (bool, error) {
	return done(s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction},
		noon))
}
