package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthAnswers checks that a page and what its answer leads to are one step.
func oauthAnswers(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "Approve uses up the page that it answers, and no other page", oauthAnswerOnce)
	check(t, open, "a page that was answered, has expired or never was gives nothing", oauthAnswerLate)
	check(t, open, "an approval that is refused uses up its page", oauthAnswerRefused)
	check(t, open, "after an error of Approve the page can still be answered", oauthAnswerError)
	check(t, open, "of 32 answers to a page one counts", oauthAnswerRace)
}

func oauthAnswerOnce(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.show("page")
	s.show("other")
	if added, err := s.answer("1", "page", noon, nil); !added.OK() || err != nil {
		t.Errorf("got %+v, %v, want it added", added, err)
	}
	if s.waits("page") || !s.waits("other") {
		t.Errorf("got %v and %v, want the other page alone", s.waits("page"), s.waits("other"))
	}
	s.wantLive(true, "1")
}

func oauthAnswerLate(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.show("page")
	s.show("expired")
	remember := func(a *server.Approval) {
		a.Remember = &server.Consent{UserID: "alice", ClientID: "web", Permissions: oauthMay("read")}
	}
	if added, err := s.answer("1", "page", noon, nil); !added.OK() || err != nil {
		t.Fatalf("answer: got %v, %v, want OK", added, err)
	}
	for page, at := range map[string]time.Time{"page": noon, "expired": noon.Add(time.Hour), "never": noon} {
		added, err := s.answer("by "+page, page, at, remember)
		if !added.Answered || added.OK() || err != nil {
			t.Errorf("got %+v, %v for %s, want Answered", added, err, page)
		}
		s.wantLive(false, "by "+page)
		if code, _, err := s.FindCode(s.Context(), "code by "+page); code != nil || err != nil {
			t.Errorf("got the code %+v, %v for %s, want nil", code, err, page)
		}
	}
	if consent, err := s.Consent(s.Context(), "alice", "web"); consent != nil || err != nil {
		t.Errorf("got %+v, %v, want nothing remembered", consent, err)
	}
	if !s.waits("expired") {
		t.Error("got the page used up that had expired for the answer alone")
	}
}

func oauthAnswerRefused(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "there")
	for name, change := range map[string]func(a *server.Approval){
		"withdrawn":  func(a *server.Approval) { a.RequireConsent = true },
		"over limit": func(a *server.Approval) { a.Limit = 1 },
		"no client":  func(a *server.Approval) { a.Grant.ClientID = "gone" },
	} {
		s.show(name)
		added, err := s.answer(name, name, noon, change)
		if added.OK() || added.Answered || err != nil || s.waits(name) {
			t.Errorf("got %+v, %v, want %s to be refused, and the page used up: %v", added, err, name, s.waits(name))
		}
		s.wantLive(false, name)
	}
}

func oauthAnswerError(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "there")
	s.show("page")
	if added, err := s.answer("there", "page", noon, nil); added.OK() && err == nil {
		t.Errorf("Approve with a stored grant: got %+v, want an error", added)
	}
	added, err := s.answer("1", "page", noon, func(a *server.Approval) { a.Code.GrantID = "other" })
	if added.OK() && err == nil {
		t.Errorf("Approve with a code of another grant: got %+v, want an error", added)
	}
	if added, err := s.answer("1", "page", noon, nil); !added.OK() || err != nil {
		t.Errorf("got %+v, %v, want the form to be good", added, err)
	}
}

func oauthAnswerRace(t *testing.T, open openFunc[oauthStore]) {
	for range 3 {
		s := open(t)
		s.show("page")
		var added, answered atomic.Int32
		atOnce(32, func(i int) {
			got, err := s.answer(fmt.Sprint(i), "page", noon, nil)
			switch {
			case err != nil:
				t.Error(err)
			case got.OK():
				added.Add(1)
			case got.Answered:
				answered.Add(1)
			}
		})
		live, err := s.Grants(s.Context(), "alice", "", 100, noon)
		if added.Load() != 1 || answered.Load() != 31 || len(live) != 1 || err != nil {
			t.Errorf("got %d added, %d answered and %d live, %v, want 1, 31 and 1", added.Load(), answered.Load(),
				len(live), err)
		}
	}
}

// show adds a page that expires in an hour.
func (s oauthStore) show(digest string) {
	s.Helper()
	s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: digest, UserID: "alice", Created: noon,
		ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}, 0))
}

// answer approves a grant by the answer to a page, at an instant.
func (s oauthStore) answer(id, page string, at time.Time, change func(a *server.Approval)) (server.Added, error) {
	s.Helper()
	g := oauthGrant("alice", id)
	g.Created = at
	a := server.Approval{Grant: g, Code: oauthCode(g, "code "+id), Interaction: page}
	if change != nil {
		change(&a)
	}
	return s.Approve(s.Context(), a)
}

// waits reports whether a page waits for its answer.
func (s oauthStore) waits(page string) bool {
	s.Helper()
	i, err := s.Interaction(s.Context(), page, noon)
	s.must(err)
	return i != nil
}
