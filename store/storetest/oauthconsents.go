package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthConsents checks what users agreed to.
func oauthConsents(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a consent is added to the earlier ones of the user for the client", oauthConsentAdded)
	check(t, open, "a grant that rests on a consent needs one that covers it", oauthConsentCovers)
	check(t, open, "offline_access is recalled for the APIs of its page alone", oauthConsentOffline)
	check(t, open, "consents are listed in order of client", oauthConsentsListed)
	check(t, open, "Withdraw ends all grants of the client for the user, and nothing else", oauthWithdrawn)
	check(t, open, "an approval that fails or is refused remembers no consent", oauthNotRemembered)
	check(t, open, "what was passed and what was returned do not change", oauthConsentCopies)
	check(t, open, "users with names that differ by little are others", oauthUsersExact)
}

func oauthConsentAdded(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
		t.Errorf("Consent: got %+v, %v, want nil", got, err)
	}
	s.approveScopes("1", oauthConsent(fraction, "read", odd), false, "read")
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil ||
		!sameRecord(got, oauthConsent(fraction, "read", odd)) {
		t.Errorf("Consent: got %+v, %v, want %+v", got, err, oauthConsent(fraction, "read", odd))
	}
	more := oauthConsent(fraction.Add(time.Hour), "write", "read")
	more.Permissions = server.Permissions{{Resource: oauthOtherAPI, Scopes: []string{"read"}},
		{Resource: oauthAPI, Scopes: []string{"write", "read"}}, {Scopes: []string{"openid"}}}
	s.approveScopes("2", more, false, "write")
	want := &server.Consent{UserID: "alice", ClientID: "web", Created: fraction, Updated: fraction.Add(time.Hour),
		Permissions: server.Permissions{{Resource: oauthAPI, Scopes: []string{"read", odd, "write"}},
			{Resource: oauthOtherAPI, Scopes: []string{"read"}}, {Scopes: []string{"openid"}}}}
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !sameRecord(got, want) {
		t.Errorf("Consent: got %+v, %v, want %+v", got, err, want)
	}
}

func oauthConsentCovers(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	if s.approveScopes("1", nil, true, "read") {
		t.Error("approved without a consent")
	}
	s.approveScopes("2", oauthConsent(noon, "read"), false, "read")
	if s.approveScopes("3", nil, true, "read", "write") {
		t.Error("approved for a scope that the user did not agree to")
	}
	if !s.approveScopes("4", nil, true, "read") || !s.approveScopes("5", nil, true) {
		t.Error("not approved for the scopes that the user agreed to")
	}
	g := oauthGrant("alice", "6")
	g.Permissions = server.Permissions{{Resource: oauthOtherAPI}}
	if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "6"), RequireConsent: true}); ok ||
		err != nil {
		t.Errorf("approved for a resource that the user did not agree to: %v", err)
	}
	for _, user := range []string{"Alice", "alice ", "bob"} {
		g := oauthGrant(user, "of "+user)
		if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, user), RequireConsent: true}); ok ||
			err != nil {
			t.Errorf("%q: approved: got %v, %v, want false", user, ok, err)
		}
	}
	s.wantLive(false, "1", "3", "6", "of bob")
	if code, _, err := s.FindCode(s.Context(), "3"); code != nil || err != nil {
		t.Errorf("the code of a refused approval is stored: %v", err)
	}
}

// oauthConsentOffline checks that offline_access is recalled only at the APIs of a page that showed it.
func oauthConsentOffline(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	login := server.Permission{Scopes: []string{"openid", "offline_access"}}
	at := func(resource string, scopes ...string) server.Permission {
		return server.Permission{Resource: resource, Scopes: scopes}
	}
	approve := func(id string, remember *server.Consent, may ...server.Permission) bool {
		t.Helper()
		g := oauthGrant("alice", id)
		g.Permissions = may
		ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id), Remember: remember,
			RequireConsent: remember == nil})
		s.must(err)
		return ok
	}
	consent := oauthConsent(noon)
	consent.Permissions = server.Permissions{login, at(oauthAPI, "read"), at(oauthOtherAPI, "read", "offline_access")}
	if !approve("1", consent, login) {
		t.Fatal("want the consent remembered")
	}
	if approve("2", nil, login, at(oauthAPI, "read")) ||
		approve("3", nil, login, at(oauthAPI, "read"), at(oauthOtherAPI, "read")) {
		t.Error("offline_access is recalled at an API for which the user was not asked")
	}
	if !approve("4", nil, login, at(oauthOtherAPI, "read")) {
		t.Error("offline_access is not recalled at the API for which the user agreed to it")
	}
	if !approve("5", nil, server.Permission{Scopes: []string{"openid"}}, at(oauthAPI, "read"),
		at(oauthOtherAPI, "read")) {
		t.Error("what the user agreed to is not recalled without offline_access")
	}
}

func oauthConsentsListed(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"b", "a", "B"} {
		s.addClient(id, "")
		g := oauthGrant("alice", id)
		g.ClientID = id
		c := oauthConsent(noon, "read")
		c.ClientID = id
		_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id), Remember: c})
		s.must(err)
	}
	all, err := s.Consents(s.Context(), "alice", "", 100)
	if err != nil || len(all) != 3 || all[0].ClientID != "B" || all[1].ClientID != "a" || all[2].ClientID != "b" {
		t.Errorf("Consents: got %+v, %v, want 3 entries and ClientID \"B\" and ClientID \"a\" and ClientID \"b\"", all,
			err)
	}
	if all, err := s.Consents(s.Context(), "bob", "", 100); len(all) != 0 || err != nil {
		t.Errorf("Consents: got %+v, %v, want an empty list", all, err)
	}
	bobs := oauthGrant("bob", "bob's")
	bobs.ClientID = "a"
	_, err = s.approved(server.Approval{Grant: bobs, Code: oauthCode(bobs, "bob's"),
		Remember: &server.Consent{UserID: "bob", ClientID: "a", Created: noon, Updated: noon}})
	s.must(err)
	_, _, err = s.RemoveClient(s.Context(), "a", noon)
	s.must(err)
	if got, err := s.Consent(s.Context(), "bob", "a"); got != nil || err != nil {
		t.Errorf("another user's, after the client is gone: %+v, %v, want nil", got, err)
	}
	if all, err := s.Consents(s.Context(), "alice", "", 100); len(all) != 2 || err != nil {
		t.Errorf("after the client is gone: %+v, %v, want 2 entries", all, err)
	}
}

func oauthWithdrawn(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("other", "")
	s.approveScopes("b", oauthConsent(noon, "read"), false, "read")
	s.start("alice", "a")
	s.start("alice", "expired", func(g *server.Grant) { g.ExpiresAt = noon })
	s.start("alice", "elsewhere", func(g *server.Grant) { g.ClientID = "other" })
	s.start("bob", "bob's")
	if ids, err := s.Withdraw(s.Context(), "alice", "web", fraction); err != nil ||
		!slices.Equal(ids, []string{"a", "b"}) {
		t.Errorf("Withdraw: got %v, %v, want ids [a b]", ids, err)
	}
	s.wantLive(false, "a", "b")
	s.wantLive(true, "elsewhere", "bob's")
	if got, err := s.Consent(s.Context(), "alice", "web"); got != nil || err != nil {
		t.Errorf("Consent: got %+v, %v, want nil", got, err)
	}
	if g, err := s.Grant(s.Context(), "expired"); err != nil || !g.RevokedAt.IsZero() {
		t.Errorf("Grant: got %+v, %v, want zero RevokedAt", g, err)
	}
	if ids, err := s.Withdraw(s.Context(), "alice", "web", noon); len(ids) != 0 || err != nil {
		t.Errorf("again: %v, %v, want nothing", ids, err)
	}
}

func oauthNotRemembered(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.addClient("closed", "")
	_, _, err := s.ChangeClient(s.Context(), &server.Client{ID: "closed", Disabled: true, Created: noon,
		Updated: fraction}, noon)
	s.must(err)
	g := oauthGrant("alice", "1")
	g.ClientID = "closed"
	remember := oauthConsent(noon, "read")
	remember.ClientID = "closed"
	if ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "1"), Remember: remember}); ok || err != nil {
		t.Errorf("approved: got %v, %v, want false", ok, err)
	}
	if got, err := s.Consent(s.Context(), "alice", "closed"); got != nil || err != nil {
		t.Errorf("for a client that gets nothing: %+v, %v, want nil", got, err)
	}
	s.approveScopes("2", oauthConsent(noon, "read"), false, "read")
	if s.approveScopes("3", oauthConsent(fraction, "read", "write"), true, "write") {
		t.Error("what is agreed to now is no consent of before")
	}
	again := oauthGrant("alice", "2")
	if ok, err := s.approved(server.Approval{Grant: again, Code: oauthCode(again, "4"),
		Remember: oauthConsent(fraction, "write")}); ok || err == nil {
		t.Errorf("approved: got %v, %v, want false and an error", ok, err)
	}
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !sameRecord(got, oauthConsent(noon, "read")) {
		t.Errorf("Consent: got %+v, %v, want %+v", got, err, oauthConsent(noon, "read"))
	}
	if !s.approveScopes("5", oauthConsent(fraction, "write"), true, "read") {
		t.Error("both are not approved")
	}
	if got, err := s.Consent(s.Context(), "alice", "web"); err != nil || !got.Covers(oauthMay("read", "write")) {
		t.Errorf("Consent: got %+v, %v, want a consent that covers %v", got, err, oauthMay("read", "write"))
	}
}

func oauthConsentCopies(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	spare := make([]string, 1, 4) // that appending would write to
	spare[0] = "read"
	s.approveScopes("1", oauthConsent(noon, spare...), false, "read")
	first, err := s.Consent(s.Context(), "alice", "web")
	s.must(err)
	more := oauthConsent(fraction, "write")
	s.approveScopes("2", more, false, "write")
	if !sameRecord(first, oauthConsent(noon, "read")) || !sameRecord(more, oauthConsent(fraction, "write")) ||
		spare[:2][1] != "" {
		t.Errorf("the consents that were passed: got %+v, %+v and spare scopes %q, want them unchanged", first, more,
			spare[:2])
	}
}

func oauthUsersExact(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	others := []string{"Alice", "alice ", "älice", "alic", "alice2", "' OR ''='", "%", ""}
	for _, user := range append(others, "alice") {
		g := oauthGrant(user, "of "+user)
		_, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "of "+user),
			Remember: &server.Consent{UserID: user, ClientID: "web", Permissions: oauthMay(user + "."), Created: noon,
				Updated: noon}})
		s.must(err)
	}
	if ids, err := s.Withdraw(s.Context(), "alice", "web", noon); err != nil ||
		!slices.Equal(ids, []string{"of alice"}) {
		t.Errorf("Withdraw: got %q, %v, want ids [of alice]", ids, err)
	}
	if ids, err := s.Withdraw(s.Context(), "Alice", "Web", noon); err != nil || len(ids) != 0 {
		t.Errorf("of another client: %q, %v, want nothing", ids, err)
	}
	if ids, err := s.EndAll(s.Context(), "alice", "", "", noon); err != nil || len(ids) != 0 {
		t.Errorf("EndAll: got %q, %v, want an empty list", ids, err)
	}
	for _, user := range others {
		s.wantLive(true, "of "+user)
		if all, err := s.Consents(s.Context(), user, "", 100); err != nil || len(all) != 1 ||
			!all[0].Covers(oauthMay(user+".")) {
			t.Errorf("%q: Consents: got %+v, %v, want 1 entry and a consent that covers %v", user, all, err,
				oauthMay(user+"."))
		}
	}
}

// approveScopes approves a grant of alice with scopes at the first API, and reports whether it was added.
func (s oauthStore) approveScopes(id string, remember *server.Consent, recall bool, scopes ...string) bool {
	s.Helper()
	g := oauthGrant("alice", id)
	g.Permissions = oauthMay(scopes...)
	ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, id), Remember: remember, RequireConsent: recall})
	s.must(err)
	return ok
}

// oauthConsent is a consent of alice with scopes at the first API.
func oauthConsent(at time.Time, scopes ...string) *server.Consent {
	return &server.Consent{UserID: "alice", ClientID: "web", Permissions: oauthMay(scopes...), Created: at,
		Updated: at}
}
