package failover

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/oauth2/server"
)

// This file has one of each change that may be lost, and says what its loss means.

// things are credentials of a user before and after changes that a failover may lose.
type things struct {
	revoked, others string // tokens of knox: one that is revoked, and one that ends with all of its user
	used            reply  // a pair of JWTs, of which the refresh token is used
	code, once      string // a code that is redeemed, and a key of PutOnce

	// These are made by the changes.
	login     string // a token of knox
	successor reply  // the pair that came of the refresh token
}

// digest returns what a store keeps of a new token of alice.
func digest() string {
	return backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
}

// prepare makes what is there before the changes.
func prepare(t testing.TB, s *service) *things {
	t.Helper()
	w := &things{code: digest(), once: digest()}
	w.revoked, w.others, w.used = s.login("alice").text("token"), s.login("bob").text("token"), s.pair("alice")
	if w.revoked == "" || w.others == "" || w.used.status != 200 {
		t.Fatalf("got %+v, want that all logins work", w)
	}
	now := backend.StoreTime(time.Now())
	client := &server.Client{ID: "web", Created: now, Updated: now}
	if _, err := s.stores.oauth.AddClient(t.Context(), client, 0); err != nil {
		t.Fatal(err)
	}
	grant := &server.Grant{ID: backend.NewIDOf("alice"), ClientID: "web", UserID: "alice", Type: "authorization_code",
		Permissions: server.Permissions{{Resource: "https://api.example/", Scopes: []string{"read"}}},
		Created:     now, LastUsed: now, ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour)}
	code := &server.Code{Digest: w.code, GrantID: grant.ID, ExpiresAt: now.Add(time.Hour)}
	added, err := s.stores.oauth.Approve(t.Context(), server.Approval{Grant: grant, Code: code})
	if err != nil || !added.OK() {
		t.Fatalf("got %+v, %v, want that the grant is approved", added, err)
	}
	return w
}

// redeem uses the code.
func (w *things) redeem(t testing.TB, s *service) server.Verdict {
	t.Helper()
	now := backend.StoreTime(time.Now())
	_, grant, err := s.stores.oauth.FindCode(t.Context(), w.code)
	if err != nil || grant == nil {
		t.Fatalf("got the grant %v, %v", grant, err)
	}
	verdict, err := s.stores.oauth.Redeem(t.Context(), w.code, now, server.Tokens{Access: &server.Access{
		Digest: digest(), ID: backend.NewID(), GrantID: grant.ID, Scopes: []string{"read"},
		Audience: []string{"https://api.example/"}, Issued: now, ExpiresAt: now.Add(time.Hour)}})
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

// fresh uses the key of PutOnce, and reports whether it was fresh.
func (w *things) fresh(t testing.TB, s *service) bool {
	t.Helper()
	now := backend.StoreTime(time.Now())
	return must[bool](t)(s.stores.oauth.PutOnce(t.Context(), w.once, now.Add(time.Hour), now))
}

// change makes the changes, each of which the service acknowledges.
func (w *things) change(t testing.TB, s *service) {
	t.Helper()
	w.login, w.successor = s.login("alice").text("token"), s.refresh(w.used.text("refresh"))
	logout, all := s.logout(w.revoked), s.send("POST", "/auth/logoutall/", "Token "+w.others, "")
	if w.login == "" || w.successor.status != 200 || logout.status != 204 || all.status != 204 {
		t.Fatalf("got %+v, %d, %d, want that each change is acknowledged", w, logout.status, all.status)
	}
	if verdict := w.redeem(t, s); verdict != server.Redeemed {
		t.Fatalf("got %v, want that the code is redeemed", verdict)
	}
	if !w.fresh(t, s) {
		t.Fatal("the key was seen before its first use")
	}
	s.wantAll(t, w.outcomes(s), kept)
}

// outcomes are the answers to what the changes concern. They change nothing.
func (w *things) outcomes(s *service) map[string]int {
	return map[string]int{
		"the token that was revoked":           s.check(w.revoked).status,
		"the token that ended with all others": s.check(w.others).status,
		"the new login":                        s.check(w.login).status,
		"the access token of the new pair":     s.send("GET", "/me", "Bearer "+w.successor.text("access"), "").status,
	}
}

var (
	// kept is what outcomes returns while the changes are there.
	kept = map[string]int{"the token that was revoked": 401, "the token that ended with all others": 401,
		"the new login": 200, "the access token of the new pair": 200}
	// gone is what it returns when they are lost. The login of the pair is there, so its access token is good.
	gone = map[string]int{"the token that was revoked": 200, "the token that ended with all others": 200,
		"the new login": 401, "the access token of the new pair": 200}
)

func (s *service) wantAll(t testing.TB, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// wantKept fails unless all changes are there.
func (w *things) wantKept(t testing.TB, s *service) {
	t.Helper()
	s.wantAll(t, w.outcomes(s), kept)
	if r := s.refresh(w.successor.text("refresh")); r.status != 200 {
		t.Errorf("got %d for the refresh token that was issued, want 200", r.status)
	}
	if r := s.refresh(w.used.text("refresh")); r.status != 401 {
		t.Errorf("got %d for the refresh token that was used, want 401", r.status)
	}
	if w.fresh(t, s) {
		t.Error("a key that may be used once was fresh again")
	}
	if verdict := w.redeem(t, s); verdict != server.Reused {
		t.Errorf("got %v for the code that was redeemed, want that it is noticed", verdict)
	}
}

// wantLost fails unless all changes are lost as the docs say, and unless ending everything of a user closes the gap.
func (w *things) wantLost(t testing.TB, s *service) {
	t.Helper()
	s.wantAll(t, w.outcomes(s), gone)
	if r := s.refresh(w.successor.text("refresh")); r.status != 401 {
		t.Errorf("got %d for the refresh token that is lost, want 401", r.status)
	}
	if r := s.refresh(w.used.text("refresh")); r.status != 200 {
		t.Errorf("got %d %v for the refresh token whose use is lost, want 200", r.status, r.body)
	}
	if !w.fresh(t, s) {
		t.Error("a key that may be used once was not fresh, though its use is lost")
	}
	if verdict := w.redeem(t, s); verdict != server.Redeemed {
		t.Errorf("got %v for the code whose use is lost, want that it is good again", verdict)
	}
	for _, token := range []string{w.revoked, w.others} {
		if r := s.send("POST", "/auth/logoutall/", "Token "+token, ""); r.status != 204 {
			t.Errorf("got %d, want that all tokens of the user end", r.status)
		}
		if r := s.check(token); r.status != 401 {
			t.Errorf("got %d for a token after all of its user ended, want 401", r.status)
		}
	}
}

// lostRow is the row of the table for changes that are lost.
func lostRow(t testing.TB, fault string) {
	t.Helper()
	row(t, fault, fmt.Sprint("the last changes are lost: ended tokens are good again, new logins are unknown, ",
		"used codes and refresh tokens are good again"))
}
