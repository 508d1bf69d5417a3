package storetest

import (
	"fmt"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthEndRaces checks what ends grants while others are given or used.
func oauthEndRaces(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a grant that ends while it is redeemed or refreshed has no live token", oauthEndRace)
	check(t, open, "a grant that rests on a consent is not live after the consent was withdrawn", oauthWithdrawRace)
	check(t, open, "a client that is disabled or removed while a grant starts has no live grant", oauthDisableRace)
	check(t, open, "of consents at once each one is kept, and one that is withdrawn leaves no grant", oauthConsentRace)
}

func oauthEndRace(t *testing.T, open openFunc[oauthStore]) {
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
		atOnce(9, func(i int) {
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
				t.Errorf("%s: got error %v, want nil", name, err)
			}
		})
		s.wantLive(false, "1")
		if name != "End" {
			s.wantLive(false, "2")
		}
	}
}

func oauthWithdrawRace(t *testing.T, open openFunc[oauthStore]) {
	for range 10 {
		s := open(t)
		g := oauthGrant("alice", "first")
		_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "first"),
			Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon,
				Updated: noon}})
		s.must(err)
		atOnce(8, func(i int) {
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
			t.Errorf("%d live, %v, want nothing", len(live), err)
		}
	}
}

func oauthDisableRace(t *testing.T, open openFunc[oauthStore]) {
	for name, end := range map[string]func(s oauthStore) (bool, error){
		"disable": oauthDisable,
		"remove":  func(s oauthStore) (bool, error) { return done(s.RemoveClient(s.Context(), "web", noon)) },
	} {
		for range 5 {
			s := open(t)
			atOnce(16, func(i int) {
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
					t.Errorf("%s: got error %v, want nil", name, err)
				}
			})
			if live, err := s.Grants(s.Context(), "alice", "", 100, noon); len(live) != 0 || err != nil {
				t.Errorf("%s: %d live, %v, want nothing", name, len(live), err)
			}
		}
	}
}

func oauthConsentRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	var all []string
	for i := range 16 {
		all = append(all, fmt.Sprint(i))
	}
	atOnce(len(all), func(i int) { s.agreeTo(all[i]) })
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !got.Covers(oauthMay(all...)) ||
		len(got.Permissions.Scopes()) != len(all) {
		t.Errorf("Consent: got %+v, %v, want exactly the scopes %v", got, err, all)
	}
	for range 5 {
		oauthConsentWithdrawn(t, open(t), all)
	}
}

// oauthConsentWithdrawn agrees to scopes and withdraws at once, and checks that each grant that is live
// rests on a consent.
func oauthConsentWithdrawn(t *testing.T, s oauthStore, scopes []string) {
	t.Helper()
	atOnce(9, func(i int) {
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
			t.Errorf("the grant %+v is live, want one that the consent %+v covers", g, consent)
		}
	}
	if consent != nil && len(consent.Permissions.Scopes()) != len(live) {
		t.Errorf("%d grants are live with the consent %+v, want one for each scope", len(live), consent)
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
		s.Errorf("got %v, %v, want true", ok, err)
	}
}

// oauthDisable disables the client web.
func oauthDisable(s oauthStore) (bool, error) {
	return done(s.ChangeClient(s.Context(), &server.Client{ID: "web", Disabled: true, Created: noon, Updated: fraction},
		noon))
}
