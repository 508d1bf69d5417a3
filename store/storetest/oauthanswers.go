package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthAnswers checks that a page and what its answer leads to are one step.
func oauthAnswers(t *testing.T, open func(t *testing.T) oauthStore) {
	// show adds a page that expires in an hour.
	show := func(s oauthStore, digest string) {
		s.Helper()
		s.must(s.AddInteraction(s.Context(), &server.Interaction{Digest: digest, UserID: "alice", Created: noon,
			ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}))
	}
	// answer approves a grant by the answer to a page, at an instant.
	answer := func(s oauthStore, id, page string, at time.Time, change func(a *server.Approval)) (server.Added, error) {
		s.Helper()
		g := oauthGrant("alice", id)
		g.Created = at
		a := server.Approval{Grant: g, Code: oauthCode(g, "code "+id), Interaction: page}
		if change != nil {
			change(&a)
		}
		return s.Approve(s.Context(), a)
	}
	there := func(s oauthStore, page string) bool {
		s.Helper()
		i, err := s.Interaction(s.Context(), page, noon)
		s.must(err)
		return i != nil
	}
	t.Run("an answer uses its page up, and no other one", func(t *testing.T) {
		s := open(t)
		show(s, "page")
		show(s, "other")
		if added, err := answer(s, "1", "page", noon, nil); !added.OK() || err != nil {
			t.Errorf("got %+v, %v, want it added", added, err)
		}
		if there(s, "page") || !there(s, "other") {
			t.Errorf("got %v and %v, want the other page alone", there(s, "page"), there(s, "other"))
		}
		s.wantLive(true, "1")
	})
	t.Run("a page that was answered, has expired or never was gives nothing", func(t *testing.T) {
		s := open(t)
		show(s, "page")
		show(s, "expired")
		remember := func(a *server.Approval) {
			a.Remember = &server.Consent{UserID: "alice", ClientID: "web", Permissions: oauthMay("read")}
		}
		if added, err := answer(s, "1", "page", noon, nil); !added.OK() || err != nil {
			t.Fatal(added, err)
		}
		for page, at := range map[string]time.Time{"page": noon, "expired": noon.Add(time.Hour), "never": noon} {
			added, err := answer(s, "by "+page, page, at, remember)
			if !added.Answered || added.OK() || err != nil {
				t.Errorf("got %+v, %v for %s, want Answered", added, err, page)
			}
			s.wantLive(false, "by "+page)
			if code, _, err := s.FindCode(s.Context(), "code by "+page); code != nil || err != nil {
				t.Errorf("got the code %+v, %v for %s", code, err, page)
			}
		}
		if consent, err := s.Consent(s.Context(), "alice", "web"); consent != nil || err != nil {
			t.Errorf("got %+v, %v, want nothing remembered", consent, err)
		}
		if !there(s, "expired") {
			t.Error("got the page used up that had expired for the answer alone")
		}
	})
	t.Run("an answer that is refused uses its page up", func(t *testing.T) {
		s := open(t)
		s.start("alice", "there")
		for name, change := range map[string]func(a *server.Approval){
			"withdrawn":  func(a *server.Approval) { a.Recall = true },
			"over limit": func(a *server.Approval) { a.Limit = 1 },
			"no client":  func(a *server.Approval) { a.Grant.ClientID = "gone" },
		} {
			show(s, name)
			added, err := answer(s, name, name, noon, change)
			if added.OK() || added.Answered || err != nil || there(s, name) {
				t.Errorf("got %+v, %v, want %s to be refused, and the page used up: %v", added, err, name, there(s, name))
			}
			s.wantLive(false, name)
		}
	})
	t.Run("an error leaves the page", func(t *testing.T) {
		s := open(t)
		s.start("alice", "there")
		show(s, "page")
		if added, err := answer(s, "there", "page", noon, nil); added.OK() && err == nil {
			t.Errorf("got %+v for a grant that is there", added)
		}
		added, err := answer(s, "1", "page", noon, func(a *server.Approval) { a.Code.GrantID = "other" })
		if added.OK() && err == nil {
			t.Errorf("got %+v for a code of another grant", added)
		}
		if added, err := answer(s, "1", "page", noon, nil); !added.OK() || err != nil {
			t.Errorf("got %+v, %v, want the form to be good", added, err)
		}
	})
	t.Run("of 32 answers to a page one counts", func(t *testing.T) {
		for range 3 {
			s := open(t)
			show(s, "page")
			var added, answered atomic.Int32
			together(32, func(i int) {
				got, err := answer(s, fmt.Sprint(i), "page", noon, nil)
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
	})
}
