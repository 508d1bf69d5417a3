package knox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

const format = "2006-01-02T15:04:05.000000Z"

// keep is a configuration that keeps ended tokens for a day.
func keep(c *knox.Config) { c.KeepEnded = 24 * time.Hour }

// ended returns the items of GET /auth/tokens/ended/.
func (s *service) ended(authorization string) (items []map[string]any) {
	s.t.Helper()
	got := s.do("GET", "/auth/tokens/ended/", authorization, "")
	if got.status != 200 || json.Unmarshal([]byte(got.text), &items) != nil || items == nil {
		s.t.Fatalf("got %d %s, want 200 and a JSON array", got.status, got.text)
	}
	return items
}

func TestAnEndedTokenIsListedWithWhyItEnded(t *testing.T) {
	for _, row := range []struct {
		sentence string
		end      func(s *service, token string)
		reason   string
	}{
		{"by its own logout", func(s *service, token string) {
			s.do("POST", "/auth/logout/", "Token "+token, "")
		}, "logged_out"},
		{"by its identifier", func(s *service, _ string) {
			s.do("DELETE", "/auth/tokens/"+s.rows("alice")[0].ID+"/", basicOf("alice"), "")
		}, "revoked"},
		{"by a logout from everywhere", func(s *service, token string) {
			s.do("POST", "/auth/logoutall/", "Token "+token, "")
		}, "revoked_all"},
		{"by a change of password", func(s *service, _ string) {
			if err := s.revokeOthers(nil, &person{name: "alice"}); err != nil {
				s.t.Error(err)
			}
		}, "revoked_all"},
		{"by a login beyond the limit", func(s *service, _ string) { s.login("alice") }, "evicted"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, func(c *knox.Config) { c.KeepEnded, c.Limit, c.EvictOldest = time.Hour, 1, true })
			created := time.Now().UTC().Format(format)
			got := s.do("POST", "/auth/login/", basicOf("alice"), `{"name": "phone"}`, "User-Agent", "phone/1")
			token := got.json(t)["token"].(string)
			record := s.rows("alice")[0]
			time.Sleep(time.Minute)
			s.me(token)
			used := time.Now().UTC().Format(format)
			time.Sleep(time.Minute)
			row.end(s, token)
			now := time.Now().UTC().Format(format)

			items := s.ended(basicOf("alice"))
			if len(items) != 1 || len(items[0]) != 9 {
				t.Fatalf("%s: %v", row.sentence, items)
			}
			if strings.Contains(row.sentence, "logout") { // for which it was used
				used = now
			}
			for name, want := range map[string]any{"id": record.ID, "name": "phone", "scopes": nil, "created": created,
				"last_used": used,
				"ended":     now, "reason": row.reason, "ip": "192.0.2.1", "user_agent": "phone/1"} {
				if items[0][name] != want {
					t.Errorf("%s: %s is %v, want %v", row.sentence, name, items[0][name], want)
				}
			}
			text := s.do("GET", "/auth/tokens/ended/", basicOf("alice"), "").text
			if strings.Contains(text, record.Digest) || strings.Contains(text, token) {
				t.Errorf("%s: it tells the digest or the token: %s", row.sentence, text)
			}
			if others := s.ended(basicOf("bob")); len(others) != 0 {
				t.Errorf("%s: bob sees %v", row.sentence, others)
			}
		})
	}
}

func TestAnExpiredTokenIsListedOncePurgedAsEndedWhenItExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, keep)
		s.login("alice")
		expires := s.rows("alice")[0].ExpiresAt.Format(format)
		time.Sleep(12 * time.Hour)
		if n, err := s.tokens.Purge(t.Context(), 500); n != 1 || err != nil {
			t.Fatalf("got %v, %v, want 1 and no error", n, err)
		}
		items := s.ended(basicOf("alice"))
		if len(items) != 1 || items[0]["reason"] != "expired" || items[0]["ended"] != expires ||
			items[0]["last_used"] != nil {
			t.Errorf("%v, expired %s", items, expires)
		}
	})
}

func TestEndedTokensAreKeptForAsLongAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, keep)
		kept := func() int {
			ended, err := s.store.Ended(t.Context(), "alice", time.Time{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(ended)
		}
		token := s.login("alice")
		s.do("POST", "/auth/logout/", "Token "+token, "")
		time.Sleep(24*time.Hour - time.Microsecond)
		if n, err := s.tokens.Purge(t.Context(), 500); n != 0 || err != nil || len(s.ended(basicOf("alice"))) != 1 ||
			kept() != 1 {
			t.Errorf("just before: %d, %v, listed %v, kept %d", n, err, s.ended(basicOf("alice")), kept())
		}
		time.Sleep(time.Microsecond)
		if len(s.ended(basicOf("alice"))) != 0 {
			t.Error("listed after that")
		}
		if n, err := s.tokens.Purge(t.Context(), 500); n != 1 || err != nil || kept() != 0 {
			t.Errorf("then: %d, %v, kept %d", n, err, kept())
		}
	})
}

func TestNothingIsKeptUnlessConfiguredAndWhatWasIsPurged(t *testing.T) {
	store := knox.NewMemoryStore()
	for name, change := range map[string]func(*knox.Config){"alice": keep, "bob": nil} {
		s := start(t, func(c *knox.Config) {
			if c.Store = store; change != nil {
				change(c)
			}
		})
		s.do("POST", "/auth/logout/", "Token "+s.login(name), "")
		if got := len(s.ended(basicOf(name))); (got == 1) != (change != nil) {
			t.Errorf("%s: %d listed", name, got)
		}
	}
	if ended, err := store.Ended(t.Context(), "bob", time.Time{}, 10); err != nil || len(ended) != 0 {
		t.Errorf("kept %v, %v", ended, err)
	}
	s := start(t, func(c *knox.Config) { c.Store = store })
	if items := s.ended(basicOf("alice")); len(items) != 0 {
		t.Errorf("listed %v", items)
	}
	if _, err := s.tokens.Purge(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	if ended, err := store.Ended(t.Context(), "alice", time.Time{}, 10); err != nil || len(ended) != 0 {
		t.Errorf("still kept %v, %v", ended, err)
	}
}

func TestTheLast100EndedTokensAreListedAndAllArePurged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, keep)
		for i := range 1001 { // more than two batches
			if _, err := s.tokens.Issue(t.Context(), "alice", knox.Options{Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond + time.Nanosecond)
			if _, err := s.tokens.RevokeAll(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
		}
		ended, err := s.tokens.Ended(t.Context(), "alice")
		if err != nil || len(ended) != 100 || ended[0].Name != "1000" || ended[99].Name != "901" {
			t.Errorf("%d listed, %v", len(ended), err)
		}
		if at := ended[0].EndedAt; !at.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("it ended %v, but stores keep microseconds", at)
		}
		time.Sleep(24 * time.Hour)
		if n, err := auth.PurgeAll(t.Context(), s.tokens); n != 1001 || err != nil {
			t.Fatalf("got %v, %v, want 1001 and no error", n, err)
		}
		if left, err := s.store.Ended(t.Context(), "alice", time.Time{}, 2000); err != nil || len(left) != 0 {
			t.Errorf("%d left, %v", len(left), err)
		}
	})
}

func TestEndedTokensAreForUnlimitedCredentialsOfTheirUser(t *testing.T) {
	s := start(t, keep)
	limited, err := s.tokens.Issue(t.Context(), "alice", knox.Options{Scopes: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		sentence, method, authorization string
		status                          int
	}{
		{"nobody", "GET", "", 401},
		{"a token limited to scopes", "GET", "Token " + limited.Secret.Reveal(), 403},
		{"a token", "GET", "Token " + s.login("alice"), 200},
		{"a password", "GET", basicOf("alice"), 200},
		{"another method", "DELETE", basicOf("alice"), 405}, // and not the token "ended"
	} {
		if got := s.do(row.method, "/auth/tokens/ended/", row.authorization, ""); got.status != row.status {
			t.Errorf("%s: %d %s", row.sentence, got.status, got.text)
		}
	}
}

func TestPurgeSaysWhatItDidBeforeAStoreFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{Store: knox.NewMemoryStore()}
		s := start(t, func(c *knox.Config) { c.Store = store })
		s.login("alice")
		time.Sleep(10 * time.Hour)
		store.calls.Store(0)
		store.nth = 2 // PurgeEnded
		if n, err := s.tokens.Purge(t.Context(), 500); n != 1 || err == nil || auth.KindOf(err) != nil {
			t.Errorf("got %d, %v, want 1 and an error without a kind", n, err)
		}
	})
}
