package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// end ends what was issued at an instant or later, and everything if it is zero.
func (s transferService) end(since time.Time) transfer.Ended {
	s.Helper()
	ended, err := s.endFrom(s.Transfer, since)
	s.must(err)
	return ended
}

// endFrom is end with a source that does more than read.
func (s transferService) endFrom(source transfer.Source, since time.Time) (transfer.Ended, error) {
	return transfer.End(s.Context(), source, transfer.EndStores{Knox: s.Knox, Sessions: s.Sessions,
		JWT: s.JWT, OAuth: s.OAuth, OneTime: s.OneTime, External: s.External},
		transfer.EndOptions{Since: since, KeepEnded: time.Hour})
}

// issuing is a source whose service issues a token each time after its tokens were read, some times.
type issuing struct {
	transfer.Source
	s      transferService
	times  int
	issued []*knox.Issued
}

func (i *issuing) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	page, err := i.Source.Export(ctx, kind, after, limit, now)
	if kind == transfer.KnoxTokens && len(i.issued) < i.times {
		i.issued = append(i.issued, i.s.issue("alice", knox.Options{}))
	}
	return page, err
}

func transferEndsMeanwhile(t *testing.T, from, _ TransferEngine) {
	s := serve(t, from, true)
	for name, since := range map[string]time.Time{"of all": {}, "since": time.Now()} {
		for _, times := range []int{1, 2, 5} { // amid the first pass, the second one, and later ones
			source := &issuing{Source: s.Transfer, s: s, times: times}
			ended, err := s.endFrom(source, since)
			if err != nil || ended[transfer.KnoxTokens] != times || len(source.issued) != times {
				t.Errorf("%s: got %d tokens that ended, want %d: %v", name, ended[transfer.KnoxTokens], times, err)
			}
			for _, token := range source.issued {
				s.wantToken("issued meanwhile", token.Secret, false)
			}
		}
	}
}

func transferEndsWhileIssued(t *testing.T, from, _ TransferEngine) {
	s := serve(t, from, true)
	source := &issuing{Source: s.Transfer, s: s, times: 1000}
	ended, err := s.endFrom(source, time.Time{})
	n := len(source.issued)
	if !errors.Is(err, transfer.ErrStillIssued) || n != 20 || ended[transfer.KnoxTokens] != n-1 {
		t.Errorf("got %d of %d tokens that ended, want all but one of 20, and %v: %v", ended[transfer.KnoxTokens], n,
			transfer.ErrStillIssued, err)
	}
}

func transferEndsAll(t *testing.T, from, _ TransferEngine) {
	s := serve(t, from, true)
	m := s.fill()
	ended := s.end(time.Time{})
	for kind, want := range map[transfer.Kind]int{transfer.KnoxTokens: 4, transfer.Sessions: 1, transfer.JWTLogins: 2,
		transfer.OAuthGrants: 3, transfer.OneTimeTokens: 1, transfer.LoginCodes: 1} {
		if ended[kind] != want {
			t.Errorf("got %d %s that ended, want %d", ended[kind], kind, want)
		}
	}
	for name, token := range map[string]*knox.Issued{"alice's": m.token, "without an end": m.forever,
		"bob's": m.sliding, "limited": m.limited} {
		s.wantToken(name, token.Secret, false)
	}
	s.wantSession("alice's", m.cookie, false)
	s.wantAccess("alice's", m.fresh.Access, false)
	s.refresh("alice's", m.fresh.Refresh, false)
	s.refresh("bob's", m.successor.Refresh, false)
	s.wantLink("alice's", m.link, false)
	for _, id := range []string{m.grant.ID, m.machine.ID} {
		if grant, err := s.OAuth.Grant(t.Context(), id); grant != nil && grant.Live(m.now) || err != nil {
			t.Errorf("got the grant %+v, want it to have ended: %v", grant, err)
		}
	}
	if code, err := s.External.TakeCode(t.Context(), m.loginCode.Digest, m.now); code != nil || err != nil {
		t.Errorf("got the code %+v, want it to be gone: %v", code, err)
	}
	if kept, err := s.tokens.Ended(t.Context(), "bob"); len(kept) != 2 || err != nil {
		t.Errorf("got %d ended tokens of bob that are kept, want 2: %v", len(kept), err)
	}

	s.wantToken("issued after", s.issue("alice", knox.Options{}).Secret, true)
	s.wantAccess("issued after", s.login("carol").Access, true)
	s.wantSession("begun after", s.signIn("alice"), true)
}

func transferEndsSince(t *testing.T, from, _ TransferEngine) {
	s := serve(t, from, true)
	before, cookie := s.issue("alice", knox.Options{}), s.signIn("alice")
	login, refreshed := s.login("alice"), s.login("alice")
	since := time.Now()
	after, later := s.issue("alice", knox.Options{}), s.signIn("alice")
	pair := s.login("alice")
	next := s.refresh("of a login of before", refreshed.Refresh, true)
	machine := s.grantSince()

	ended := s.end(since)
	if want := (transfer.Ended{transfer.KnoxTokens: 1, transfer.Sessions: 1, transfer.JWTLogins: 2,
		transfer.OAuthGrants: 1}); !sameEnded(ended, want) {
		t.Errorf("got %v that ended, want %v", ended, want)
	}
	s.wantToken("of before", before.Secret, true)
	s.wantToken("of after", after.Secret, false)
	s.wantSession("of before", cookie, true)
	s.wantSession("of after", later, false)
	s.wantAccess("of before", login.Access, true)
	s.wantAccess("of after", pair.Access, false)
	s.wantAccess("of a login of before that was refreshed", next.Access, false)
	s.refresh("of a login of before that was refreshed", next.Refresh, false)
	access, grant, err := s.OAuth.FindAccess(t.Context(), machine)
	if access != nil && grant.Live(time.Now()) || err != nil {
		t.Errorf("got the token %+v, want it to have ended: %v", access, err)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = transfer.End(canceled, s.Transfer, transfer.EndStores{Knox: s.Knox}, transfer.EndOptions{})
	if err == nil {
		t.Error("got no error of an end that was canceled, want one that says that some may be left")
	}
	s.wantToken("of before", before.Secret, true)
}

// grantSince starts a grant of a client now and returns the digest of its access token.
func (s transferService) grantSince() string {
	s.Helper()
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	s.fillOAuthClient(m)
	grant := s.newGrant(m, "")
	tokens := s.tokensOf(m, grant, "")
	if added, err := s.OAuth.Start(s.Context(), grant, tokens, 0, false); !added.OK() || err != nil {
		s.Fatalf("a grant of a client: %+v, %v, want OK", added, err)
	}
	return tokens.Access.Digest
}

// sameEnded compares numbers, of which 0 is the same as none.
func sameEnded(a, b transfer.Ended) bool {
	for _, kind := range transfer.Kinds() {
		if a[kind] != b[kind] {
			return false
		}
	}
	return true
}
