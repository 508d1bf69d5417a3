package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthPages checks how many pages wait for a user.
func oauthPages(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "one page too many of a user removes the oldest", oauthPagesLimit)
	check(t, open, "adding a page with a stored digest is an error and removes nothing", oauthPagesThere)
	check(t, open, "a page that was answered or has expired does not count for the limit", oauthPagesRoom)
	check(t, open, "of 32 pages at once as many stay as the limit", oauthPagesRace)
}

// page adds a page of a user that expires in an hour, with an identifier that is also its digest.
func (s oauthStore) page(user, id string, limit int) error {
	return s.AddInteraction(s.Context(), &server.Interaction{ID: id, Digest: id, UserID: user, Created: noon,
		ExpiresAt: noon.Add(time.Hour), Data: []byte("{}")}, limit)
}

// wantPages fails unless these pages wait, and the others not.
func (s oauthStore) wantPages(waiting []string, gone ...string) {
	s.Helper()
	for _, id := range waiting {
		if !s.waits(id) {
			s.Errorf("got page %s removed, want that it waits", id)
		}
	}
	for _, id := range gone {
		if s.waits(id) {
			s.Errorf("got page %s waiting, want it removed", id)
		}
	}
}

func oauthPagesLimit(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"2", "1", "3"} { // the identifier counts, not the order of the calls
		s.must(s.page("alice", id, 3))
	}
	s.must(s.page("bob", "0", 3))
	s.must(s.page("", "00", 3))
	s.must(s.page("", "01", 1))
	s.wantPages([]string{"1", "2", "3", "0", "00", "01"})
	s.must(s.page("alice", "4", 3))
	s.wantPages([]string{"2", "3", "4", "0", "00", "01"}, "1")
	s.must(s.page("alice", "5", 0))
	s.wantPages([]string{"2", "3", "4", "5"})
	s.must(s.page("alice", "6", 2))
	s.wantPages([]string{"5", "6", "0", "00", "01"}, "2", "3", "4")
	s.must(s.page("alice", "7", 1))
	s.wantPages([]string{"7", "0"}, "5", "6")
}

func oauthPagesThere(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.must(s.page("alice", "1", 2))
	s.must(s.page("alice", "2", 2))
	if err := s.page("alice", "2", 2); err == nil {
		t.Error("got no error for a digest that is there")
	}
	s.wantPages([]string{"1", "2"})
}

func oauthPagesRoom(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for _, id := range []string{"1", "2", "3"} {
		s.must(s.page("alice", id, 3))
	}
	if i, err := s.ConsumeInteraction(s.Context(), "2", noon); i == nil || err != nil {
		t.Fatalf("ConsumeInteraction: got %v, %v, want a record", i, err)
	}
	if added, err := s.answer("grant", "3", noon, nil); !added.OK() || err != nil {
		t.Fatalf("answer: got %v, %v, want OK", added, err)
	}
	s.must(s.page("alice", "4", 3))
	s.must(s.page("alice", "5", 3))
	s.wantPages([]string{"1", "4", "5"})
	s.must(s.page("alice", "6", 3))
	s.wantPages([]string{"4", "5", "6"}, "1")
}

func oauthPagesRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	atOnce(32, func(i int) {
		if err := s.page("alice", fmt.Sprintf("%02d", i), 5); err != nil {
			t.Error(err)
		}
	})
	waiting := 0
	for i := range 32 {
		if s.waits(fmt.Sprintf("%02d", i)) {
			waiting++
		}
	}
	if waiting < 1 || waiting > 5 {
		t.Errorf("got %d pages, want at most 5", waiting)
	}
}

// oauthRequests checks that an authorization request leads to one code.
func oauthRequests(t *testing.T, open openFunc[oauthStore]) {
	check(t, open, "a request is answered once, until its record expires", oauthRequestOnce)
	check(t, open, "after an error of Approve the request can still be answered", oauthRequestError)
	check(t, open, "of 32 answers to a request, each from its own page, one counts", oauthRequestRace)
}

// oauthRequest makes an approval that of a request with a record that is kept for an hour.
func oauthRequest(key string) func(a *server.Approval) {
	return func(a *server.Approval) { a.Request, a.RequestExpires = key, noon.Add(time.Hour) }
}

func oauthRequestOnce(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.wantAnswer("the first answer to a request", "1", "", "r", noon, true)
	s.show("page")
	s.wantAnswer("a second answer without a page", "2", "", "r", noon, false)
	s.wantLive(false, "2")
	s.wantAnswer("a second answer from a page", "3", "page", "r", noon, false)
	s.wantLive(false, "3")
	if fresh, err := s.PutOnce(s.Context(), "r", noon.Add(time.Hour), noon); fresh || err != nil {
		t.Errorf("PutOnce with the key of the request: got fresh %v, %v, want false", fresh, err)
	}
	if fresh, err := s.PutOnce(s.Context(), "denied", noon.Add(time.Hour), noon); !fresh || err != nil {
		t.Fatalf("PutOnce with a new key: got fresh %v, %v, want true", fresh, err)
	}
	s.wantAnswer("an answer to a request that was denied", "4", "", "denied", noon, false)
	s.wantAnswer("an answer to another request", "5", "", "other", noon, true)
	s.wantAnswer("an answer before the record expires", "6", "", "r", noon.Add(time.Hour-time.Microsecond), false)
	if added, err := s.answer("7", "", noon.Add(time.Hour), oauthRequest("r")); added.Answered || err != nil {
		t.Errorf("an answer after the record expired: got %+v, %v, want the record not to count", added, err)
	}
}

// wantAnswer approves a grant for a request. It checks that the grant is added, or that the request counts as answered.
func (s oauthStore) wantAnswer(what, id, page, request string, at time.Time, wantOK bool) {
	s.Helper()
	added, err := s.answer(id, page, at, oauthRequest(request))
	if added.OK() != wantOK || added.Answered == wantOK || err != nil {
		s.Errorf("%s: Approve: got %+v, %v, want OK to be %v and Answered to be %v", what, added, err, wantOK, !wantOK)
	}
}

func oauthRequestError(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	s.start("alice", "there")
	if added, err := s.answer("there", "", noon, oauthRequest("r")); added.OK() && err == nil {
		t.Errorf("Approve with a stored grant: got %+v, want an error", added)
	}
	if added, err := s.answer("1", "", noon, oauthRequest("r")); !added.OK() || err != nil {
		t.Errorf("got %+v, %v, want the request to be good", added, err)
	}
}

func oauthRequestRace(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	for i := range 32 {
		s.show(fmt.Sprint("page", i))
	}
	var added, answered atomic.Int32
	atOnce(32, func(i int) {
		got, err := s.answer(fmt.Sprint(i), fmt.Sprint("page", i), noon, oauthRequest("r"))
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
