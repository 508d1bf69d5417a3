package knox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

// listed is a token as the list over HTTP has it.
type listed struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Current bool      `json:"current"`
}

// get reads a page from a server, and the address of the next one, or "".
func get(t *testing.T, server *httptest.Server, path, token string) (rows []listed, next string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Token "+token)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Fatalf("%s: got %d", path, answer.StatusCode)
	}
	if err := json.NewDecoder(answer.Body).Decode(&rows); err != nil {
		t.Fatal(err)
	}
	if links := answer.Header["Link"]; len(links) > 0 {
		target, ok := strings.CutSuffix(strings.TrimPrefix(links[0], "<"), `>; rel="next"`)
		if len(links) > 1 || !ok {
			t.Fatalf("got %q, want one link", links)
		}
		url, err := answer.Request.URL.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		next = url.RequestURI()
	}
	return rows, next
}

// TestUnitPages reads the list of one user with 5,000 tokens.
func TestUnitPages(t *testing.T) {
	const n = 5_000
	s := start(t, func(c *knox.Config) { c.Limit = knox.NoLimit })
	token := s.login("alice") // the oldest
	for range n - 1 {
		if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	s.login("bob")
	server := httptest.NewServer(s.handler)
	defer server.Close()
	t.Run("the first page has the token of the request and the 100 newest", func(t *testing.T) {
		rows, next := get(t, server, "/auth/tokens/", token)
		if len(rows) != 101 || !rows[0].Current || next == "" {
			t.Fatalf("got %d rows, the first %+v, then %q", len(rows), rows[0], next)
		}
		for i, row := range rows[1:] {
			if row.Current || i > 0 && row.Created.After(rows[i].Created) {
				t.Errorf("row %d is %+v after %+v", i+1, row, rows[i])
			}
		}
	})
	t.Run("the links lead to every token once", func(t *testing.T) {
		seen, pages, current := map[string]bool{}, 0, 0
		for next := "/auth/tokens/?shown=all"; next != ""; pages++ {
			if pages > 0 && !strings.Contains(next, "shown=all") {
				t.Errorf("%q lost the rest of the query", next)
			}
			var rows []listed
			rows, next = get(t, server, next, token)
			for _, row := range rows {
				if seen[row.ID] {
					t.Errorf("%s came twice", row.ID)
				}
				if seen[row.ID] = true; row.Current {
					current++
				}
			}
		}
		if len(seen) != n || pages != n/100 || current != 1 {
			t.Errorf("got %d tokens on %d pages and %d current ones, want %d, %d and 1", len(seen), pages,
				current, n, n/100)
		}
	})
	t.Run("a page costs a page of memory", func(t *testing.T) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		get(t, server, "/auth/tokens/", token)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
			t.Errorf("got %d KiB, want at most 2,048", got>>10)
		}
	})
	t.Run("limit is a number from 1 to 100, and cursor is one that came", func(t *testing.T) {
		one, next := get(t, server, "/auth/tokens/?limit=1", token)
		if len(one) != 2 || !strings.Contains(next, "limit=1&") && !strings.HasSuffix(next, "limit=1") {
			t.Errorf("got %v, then %q", one, next)
		}
		id := one[1].ID
		for _, query := range []string{"limit=0", "limit=-1", "limit=101", "limit=1000", "limit=", "limit=x",
			"limit=1&limit=2",
			"cursor=", "cursor=x", "cursor=" + strings.ToUpper(id), "cursor={" + id + "}", "cursor=urn:uuid:" + id,
			"cursor=" + id + "&cursor=" + id, "cursor=9b2fd2ba-6c0d-4ad5-8f36-1a9a8e9d7f12", "cursor=%00"} {
			got := s.do("GET", "/auth/tokens/?"+query, "Bearer "+token, "")
			if got.status != 400 || got.json(t)["code"] != auth.CodeInvalidRequest || got.header.Get("Link") != "" {
				t.Errorf("%s: got %d %s, want 400", query, got.status, got.text)
			}
		}
	})
	t.Run("in Go a page is up to 1,000 tokens", func(t *testing.T) {
		for limit, want := range map[int]int{0: 100, 1: 1, 1000: 1000} {
			tokens, next, err := s.tokens.List(t.Context(), "alice", backend.Page{Limit: limit})
			if err != nil || len(tokens) != want || next != tokens[want-1].ID() {
				t.Errorf("limit %d: got %d tokens, %q, %v", limit, len(tokens), next, err)
			}
		}
		for _, page := range []backend.Page{{Limit: -1}, {Limit: 1001}, {After: "x"}} {
			if tokens, next, err := s.tokens.List(t.Context(), "alice", page); auth.KindOf(err) != auth.ErrMalformed ||
				tokens != nil || next != "" {
				t.Errorf("%+v: got %d tokens, %q, %v", page, len(tokens), next, err)
			}
		}
	})
}

// TestUnitPagesOfDeadTokens has a user with a stamp that changed behind the tokens.
func TestUnitPagesOfDeadTokens(t *testing.T) {
	s := start(t, nil)
	s.login("alice")
	s.people.set(func() { s.people.stamps["alice"] = "before" })
	for range 30 {
		s.login("alice")
	}
	s.people.set(func() { s.people.stamps["alice"] = "" })
	s.login("alice")
	t.Run("tokens of another stamp are not listed, however many there are", func(t *testing.T) {
		for _, limit := range []int{1, 2, 3, 10, 100} {
			got, pages := 0, 0
			for page := (backend.Page{Limit: limit}); pages < 50; pages++ {
				tokens, next, err := s.tokens.List(t.Context(), "alice", page)
				if err != nil {
					t.Fatal(err)
				}
				if got += len(tokens); next == "" {
					break
				}
				page.After = next
			}
			if got != 2 {
				t.Errorf("limit %d: got %d tokens on %d pages, want 2", limit, got, pages)
			}
		}
	})
}

func TestUnitDefaultLimit(t *testing.T) {
	t.Run("60 logins at once with 970 tokens leave 1,000, and the oldest make room", func(t *testing.T) {
		s := start(t, nil)
		var oldest []string
		for i := range 970 {
			issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if i < 30 {
				oldest = append(oldest, issued.ID())
			}
		}
		var group sync.WaitGroup
		for range 60 {
			group.Go(func() {
				if got := s.do("POST", "/auth/login/", basicOf("alice"), ""); got.status != 200 {
					t.Errorf("got %d %s", got.status, got.text)
				}
			})
		}
		group.Wait()
		left := map[string]bool{}
		for _, record := range s.rows("alice") {
			left[record.ID] = true
		}
		if len(left) != 1000 || s.events.count(auth.EventRevoked) != 30 {
			t.Errorf("got %d tokens and %d events, want 1,000 and 30", len(left), s.events.count(auth.EventRevoked))
		}
		for _, id := range oldest {
			if left[id] {
				t.Errorf("%s is one of the 30 oldest and is left", id)
			}
		}
	})
	t.Run("NoLimit has none", func(t *testing.T) {
		s := start(t, func(c *knox.Config) { c.Limit = knox.NoLimit })
		for range 1002 {
			if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(s.rows("alice")); n != 1002 || s.events.count(auth.EventRevoked) != 0 {
			t.Error(fmt.Sprint(n), "tokens, want 1002")
		}
	})
}
