package storetest

import (
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
)

// holds checks that all that was moved behaves as it did before, and uses it up.
func (s transferService) holds(m *moved) {
	s.Helper()
	s.holdsTokens(m)
	s.holdsLogins(m)
	s.holdsOAuth(m)
	s.holdsExternal(m)
	var failures int
	s.must(s.Throttle.Update(s.Context(), []string{movedKey}, m.now, func(counters []password.Counter) {
		failures = counters[0].Failures
	}))
	if failures != 3 {
		s.Errorf("got %d failed logins, want 3", failures)
	}
	s.wantLink("used", m.usedLink, false)
	s.wantLink("fresh", m.link, true)
	s.wantLink("fresh, twice", m.link, false)
}

func (s transferService) holdsTokens(m *moved) {
	s.Helper()
	s.wantToken("alice's", m.token.Secret, true)
	s.wantToken("without an end", m.forever.Secret, true)
	s.wantToken("sliding", m.sliding.Secret, true)
	s.wantToken("limited", m.limited.Secret, true)
	s.wantToken("revoked", m.revoked.Secret, false)
	if listed, _, err := s.tokens.List(s.Context(), "alice", backend.Page{}); len(listed) != 2 || err != nil {
		s.Errorf("got %d tokens of alice, want 2: %v", len(listed), err)
	} else if listed[1].Name() != "café ☕" || listed[1].IP() != "192.0.2.1" {
		s.Errorf("got %+v, want the name and the address of before", listed[1])
	}
	ended, err := s.tokens.Ended(s.Context(), "alice")
	if len(ended) != 1 || err != nil || ended[0].ID != m.revoked.ID() {
		s.Errorf("got %+v as ended, want the revoked token: %v", ended, err)
	}
	if ok, err := s.tokens.Revoke(s.Context(), "bob", m.limited.ID()); !ok || err != nil {
		s.Errorf("the limited token was revoked is %v, want true: %v", ok, err)
	}
	s.wantToken("limited, revoked", m.limited.Secret, false)
	if n, err := s.tokens.RevokeAll(s.Context(), "bob"); n != 1 || err != nil {
		s.Errorf("got %d tokens of bob, want 1: %v", n, err)
	}
	s.wantToken("sliding, revoked with all", m.sliding.Secret, false)

	s.wantSession("alice's", m.cookie, true)
	s.wantSession("logged out", m.loggedOut, false)
	if n, err := s.sessions.RevokeAll(s.Context(), "alice"); n != 1 || err != nil {
		s.Errorf("got %d sessions of alice, want 1: %v", n, err)
	}
	s.wantSession("revoked with all", m.cookie, false)
}

func (s transferService) holdsLogins(m *moved) {
	s.Helper()
	s.wantAccess("alice's", m.fresh.Access, true)
	s.wantAccess("of an ended login", m.ended.Access, false)
	s.wantAccess("of a user for whom all was voided", m.voided.Access, false)
	s.refresh("of an ended login", m.ended.Refresh, false)
	s.refresh("of a voided login", m.voided.Refresh, false)
	if next := s.refresh("fresh", m.fresh.Refresh, true); next != nil {
		s.wantAccess("of the next pair", next.Access, true)
		s.refresh("of the next pair", next.Refresh, true)
	}
	s.wantAccess("of the successor", m.successor.Access, true)
	s.refresh("used before the move", m.used, false)
	s.refresh("whose predecessor came twice", m.successor.Refresh, false)
	if listed, _, err := s.pairs.List(s.Context(), "alice", backend.Page{}); len(listed) != 1 || err != nil {
		s.Errorf("got %d logins of alice, want 1: %v", len(listed), err)
	}
	s.wantAccess("of a user who logged in again", s.login("carol").Access, true)
}

func (s transferService) holdsOAuth(m *moved) {
	s.Helper()
	if client, err := s.OAuth.Client(s.Context(), movedClient); client == nil || client.SecretDigest != "digest" {
		s.Fatalf("got the client %+v, want it with its secret: %v", client, err)
	}
	if consent, err := s.OAuth.Consent(s.Context(), "alice", movedClient); !consent.Covers(m.grant.Permissions) {
		s.Errorf("got the consent %+v, want it to cover the grant: %v", consent, err)
	}
	if page, err := s.OAuth.ConsumeInteraction(s.Context(), m.page.Digest, m.now); page == nil ||
		string(page.Data) != string(m.page.Data) {
		s.Errorf("got the page %+v, want %+v: %v", page, m.page, err)
	}
	if fresh, err := s.OAuth.PutOnce(s.Context(), "assertion", m.now.Add(time.Hour), m.now); fresh || err != nil {
		s.Errorf("a key that was used before the move is fresh: %v, want false: %v", fresh, err)
	}
	s.holdsGrants(m)
	s.holdsMachine(m)
}

// holdsGrants uses the codes of alice.
func (s transferService) holdsGrants(m *moved) {
	s.Helper()
	grants, err := s.OAuth.Grants(s.Context(), "alice", "", 10, m.now)
	if len(grants) != 1 || err != nil || grants[0].ID != m.grant.ID || grants[0].Extra["nonce"] != "n" {
		s.Errorf("got the grants %+v of alice, want the one that did not end: %v", grants, err)
	}
	s.wantVerdict("a code that is fresh", m.code, m.grant, m, server.Redeemed)
	s.wantVerdict("the same code again", m.code, m.grant, m, server.Reused)
	s.wantVerdict("a code that was used before the move", m.usedCode, s.grantOfCode(m.usedCode), m, server.Reused)
	if grant, err := s.OAuth.Grant(s.Context(), m.endedGrant.ID); grant == nil || grant.Live(m.now) {
		s.Errorf("got the ended grant %+v, want it to be ended: %v", grant, err)
	}
}

// holdsMachine uses the tokens of a client without a user.
func (s transferService) holdsMachine(m *moved) {
	s.Helper()
	if access, grant, err := s.OAuth.FindAccess(s.Context(), m.access); access == nil || !grant.Live(m.now) {
		s.Errorf("got %+v of %+v, want the access token of the client: %v", access, grant, err)
	}
	rotation, err := s.OAuth.Rotate(s.Context(), m.refresh, m.now, 0, s.tokensOf(m, m.machine, "sealed"))
	if rotation.Verdict != server.Redeemed || err != nil {
		s.Errorf("the refresh token of the client: %v, want it to be redeemed: %v", rotation.Verdict, err)
	}
	rotation, err = s.OAuth.Rotate(s.Context(), m.refresh, m.now, 0, s.tokensOf(m, m.machine, "sealed"))
	if rotation.Verdict != server.Reused || err != nil {
		s.Errorf("the refresh token again: %v, want it to be reused: %v", rotation.Verdict, err)
	}
}

func (s transferService) wantVerdict(what, code string, g *server.Grant, m *moved, want server.Verdict) {
	s.Helper()
	verdict, err := s.OAuth.Redeem(s.Context(), code, m.now, s.tokensOf(m, g, ""))
	if verdict != want || err != nil {
		s.Errorf("%s: %v, want %v: %v", what, verdict, want, err)
	}
}

func (s transferService) holdsExternal(m *moved) {
	s.Helper()
	linked, err := s.External.Identities(s.Context(), "alice")
	if len(linked) != 1 || err != nil || *linked[0] != *m.identity {
		s.Errorf("got the identities %+v, want %+v: %v", linked, m.identity, err)
	}
	other := *m.reservation
	other.ID = backend.NewID()
	if id, _, err := s.External.Reserve(s.Context(), &other, m.now); id != m.reservation.ID || err != nil {
		s.Errorf("got the reservation %q, want %q: %v", id, m.reservation.ID, err)
	}
	if fresh, err := s.External.PutOnce(s.Context(), "attempt", m.now.Add(time.Hour), m.now); fresh || err != nil {
		s.Errorf("a key that was used before the move is fresh: %v, want false: %v", fresh, err)
	}
	for _, want := range []bool{true, false} {
		code, err := s.External.TakeCode(s.Context(), m.loginCode.Digest, m.now)
		if (code != nil) != want || err != nil {
			s.Errorf("got the code %+v, want one %v: %v", code, want, err)
		}
	}
	if n, err := s.External.RemoveUser(s.Context(), "alice"); n != 1 || err != nil {
		s.Errorf("got %d identities of alice, want 1: %v", n, err)
	}
}
