package knox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// Whatever is wrong with a token, the client reads one sentence and the operator why.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		sentence string
		spoil    func(s *service, issued *knox.Issued) string // returns the token to send
		detail   string
		cause    string // "ID" is the identifier of the token
	}{
		{"a mistyped token", func(_ *service, i *knox.Issued) string { return i.Secret.Reveal() + "x" },
			"Invalid token.",
			"the token starts with Config.Token.Prefix or one of AcceptPrefixes, and its length, characters or " +
				"checksum are wrong"},
		{"a token of another prefix", func(*service, *knox.Issued) string { return "other_abc" }, "Invalid token.",
			"the token does not start with the prefix acme_ (see Config.Token.Prefix and AcceptPrefixes)"},
		{"a revoked token", func(s *service, i *knox.Issued) string {
			_, _ = s.tokens.Revoke(t.Context(), "alice", i.ID())
			return i.Secret.Reveal()
		}, "Invalid token.", "the store has no such token: it was revoked, or expired and was purged"},
		{"an expired token", func(_ *service, i *knox.Issued) string {
			time.Sleep(10 * time.Hour)
			return i.Secret.Reveal()
		}, "Invalid token.", "token ID of user alice: has expired"},
		{"another stamp", func(s *service, i *knox.Issued) string {
			s.people.set(func() { s.people.stamps["alice"] = "changed" })
			return i.Secret.Reveal()
		}, "Invalid token.", "token ID of user alice: was issued before the user's AuthStamp changed"},
		{"an inactive user", func(s *service, i *knox.Issued) string {
			s.people.set(func() { s.people.inactive["alice"] = true })
			return i.Secret.Reveal()
		}, "User inactive or deleted.", "token ID of user alice: "},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told error
				s := start(t, func(c *knox.Config) { c.Token.Prefix = "acme_" })
				guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens},
					Observer: auth.ObserverFunc(func(_ context.Context, e auth.Event) { told = e.Err })})
				if err != nil {
					t.Fatal(err)
				}
				issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Authorization", "Token "+row.spoil(s, issued))
				w := httptest.NewRecorder()
				guard.Require()(http.NotFoundHandler()).ServeHTTP(w, r)
				var body map[string]any
				if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 401 ||
					body["detail"] != row.detail {
					t.Errorf("the client got %d %s", w.Code, w.Body)
				}
				want := strings.ReplaceAll(row.cause, "ID", issued.ID())
				if told == nil || !strings.Contains(told.Error(), want) {
					t.Errorf("the operator got %v, want %q", told, want)
				}
				if bytes.Contains(w.Body.Bytes(), []byte(issued.ID())) ||
					strings.Contains(told.Error(), issued.Secret.Reveal()) {
					t.Errorf("too much was told: %s, %v", w.Body, told)
				}
			})
		})
	}
}

// A flood of tokens that were not issued allocates nothing for the refusal.
func TestRefusalsOfUnknownTokensDoNotAllocate(t *testing.T) {
	s := start(t, func(c *knox.Config) { c.Token.Prefix = "acme_" })
	for _, token := range []string{"other_abc", "acme_abc"} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = s.tokens.VerifyToken(t.Context(), token) }); n > 0 {
			t.Errorf("%s: %v allocations", token, n)
		}
	}
}
