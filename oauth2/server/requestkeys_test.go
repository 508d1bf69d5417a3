package server_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// decorated is a source of keys that says what it wraps. The opaque one does not.
type (
	decorated struct{ jwt.KeySource }
	opaque    struct{ jwt.KeySource }
)

func (d decorated) Unwrap() jwt.KeySource { return d.KeySource }

func TestUnitRequestKeysOfADecoratedKeyring(t *testing.T) {
	with := func(store server.Store, log *strings.Builder,
		wrap func(jwt.KeySource) jwt.KeySource) func(*server.Config) {
		return func(c *server.Config) {
			ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: jwt.NewMemoryKeyStore(), Generate: true,
				RSABits: 2048, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))}})
			if err != nil {
				t.Fatal(err)
			}
			c.Keys, c.Store, c.Issuer = wrap(ring), store, "https://login.example"
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
		}
	}
	for name, row := range map[string]struct {
		wrap   func(jwt.KeySource) jwt.KeySource
		status int
		told   bool
	}{
		"one that unwraps is found": {func(k jwt.KeySource) jwt.KeySource {
			return decorated{decorated{k}}
		}, http.StatusOK, false},
		"one that does not is named in the log": {func(k jwt.KeySource) jwt.KeySource { return opaque{k} },
			http.StatusBadRequest, true},
		"a decorator of what is none ends as well": {func(k jwt.KeySource) jwt.KeySource {
			return decorated{opaque{k}}
		}, http.StatusBadRequest, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			change := with(server.NewMemoryStore(), &log, row.wrap)
			one := newService(t, change)
			two := one.sibling(change)
			if a := two.as("alice").do("GET", one.returnPath(), ""); a.StatusCode != row.status {
				t.Errorf("got %d at the other instance, want %d", a.StatusCode, row.status)
			}
			if got := strings.Contains(log.String(), "Config.Endpoints.RequestKeys"); got != row.told &&
				row.status == http.StatusOK || row.told && !strings.Contains(log.String(), "a random key seals") {
				t.Errorf("got the log %s", log.String())
			}
			if got := hasFinding(server.Audit(one.config), "Endpoints.RequestKeys"); got != row.told {
				t.Errorf("got a finding: %t, want %t", got, row.told)
			}
		})
	}
}

func TestUnitNoQuestionIsKeptThatNobodySees(t *testing.T) {
	store := &counted{Store: server.NewMemoryStore()}
	s := newService(t, func(c *server.Config) { c.Store = store })
	page := s.as("alice").authorize()
	before := store.rows.Load()
	for _, dest := range []string{"image", "script", "iframe", "empty"} {
		for _, path := range []string{"/o/logout/", "/o/authorize/?" + query().Encode()} {
			a := s.as("alice").do("GET", path, "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", dest)
			if a.StatusCode != http.StatusForbidden {
				t.Errorf("%.12s as %s: got %d, want 403", path, dest, a.StatusCode)
			}
		}
	}
	if got := store.rows.Load(); got != before {
		t.Errorf("got %d rows more, want none", got-before)
	}
	if a := s.as("alice").do("GET", "/o/logout/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest",
		"document"); a.StatusCode != http.StatusOK {
		t.Errorf("a page: got %d, want the question", a.StatusCode)
	}
	if a := s.as("alice").allow(page); a.location("code") == "" {
		t.Errorf("the page that waited: got %d", a.StatusCode)
	}
}

func TestUnitAReturnToAnyPageIsShort(t *testing.T) {
	s := newService(t, nil)
	for address, want := range map[string]string{
		"/o/authorized_tokens/?x=" + strings.Repeat("'", 9000): "/o/authorized_tokens/",
		"/o/authorized_tokens/?x=" + strings.Repeat("a", 4000): "/o/authorized_tokens/",
		"/o/authorized_tokens/?x=1":                            "/o/authorized_tokens/?x=1",
	} {
		s.logins = nil
		if s.stranger().do("GET", address, ""); len(s.logins) != 1 || s.logins[0].ReturnTo != want {
			t.Errorf("%.30s: got %.60v, want %s", address, s.logins, want)
		}
	}
}
