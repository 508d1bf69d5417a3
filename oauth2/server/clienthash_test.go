package server_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
)

// Strings that Django 5.2 made of these secrets.
const (
	shortOfDjango  = "demo-web-secret"
	shortHash      = "pbkdf2_sha256$1000$FQi5vhWeGkP3FA3yyfWfLu$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0="
	secretOfDjango = "correct horse battery staple"
)

// hasher is a password.Hasher that counts, and that calls before.
type hasher struct {
	*password.Hasher
	calls  atomic.Int32
	before func() error
}

func (h *hasher) VerifySecret(ctx context.Context, secret, encoded string) (bool, error) {
	h.calls.Add(1)
	if h.before != nil {
		if err := h.before(); err != nil {
			return false, err
		}
	}
	return h.Hasher.VerifySecret(ctx, secret, encoded)
}

// newHasher returns a hasher and a hash of secretOfDjango as Django makes it, with few iterations.
func newHasher(t *testing.T) (h *hasher, encoded string) {
	t.Helper()
	inner, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const salt, iterations = "abcdefghijklmnopqrstuv", 1000
	key, err := pbkdf2.Key(sha256.New, secretOfDjango, []byte(salt), iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return &hasher{Hasher: inner}, fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", iterations, salt,
		base64.StdEncoding.EncodeToString(key))
}

// imported returns a service with the client django, which is registered with a hash.
func imported(t *testing.T, encoded string, allowShort bool, change func(*server.Config)) (*service, *lines,
	server.Registration) {
	s, log := logged(t, change)
	r := server.Registration{ClientID: "django", GrantTypes: []string{"client_credentials"},
		ClientSecretHash: auth.Secret(encoded),
		AllowShortSecret: allowShort}
	if c, err := s.server.EnsureClient(t.Context(), r); err != nil || c.SecretHash != encoded || c.SecretDigest != "" {
		t.Fatalf("%+v %v", c, err)
	}
	return s, log, r
}

// asDjango asks as the client django.
func (s *service) asDjango(path, secret string) answer {
	s.Helper()
	body := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}.Encode()
	return s.stranger().do("POST", path, body, "Authorization", basicOf("django", secret))
}

// kept returns the client django as the store has it.
func (s *service) kept() *server.Client {
	s.Helper()
	c, err := s.server.Client(s.Context(), "django")
	s.must(err)
	return c
}

func TestUnitSecretsThatDjangoHashed(t *testing.T) {
	h, encoded := newHasher(t)
	using := func(c *server.Config) { c.Clients.SecretHashes = h }
	for _, path := range endpoints {
		t.Run("the first right secret replaces the hash, and the next one is compared by its digest: "+path,
			func(t *testing.T) {
				h.calls.Store(0)
				s, _, r := imported(t, encoded, false, using)
				for range 3 {
					if a := s.asDjango(path, secretOfDjango); a.StatusCode != 200 {
						t.Fatalf("%d %s", a.StatusCode, a.body)
					}
				}
				c := s.kept()
				if c.SecretHash != "" || c.SecretDigest != server.DigestSecret(secretOfDjango) || h.calls.Load() != 1 {
					t.Errorf("%+v, %d hashes", c, h.calls.Load())
				}
				refused(t, "a wrong one", s.asDjango(path, "wrong"), 401, "invalid_client")
				// as when the program starts again with the same file
				again, err := s.server.EnsureClient(t.Context(), r)
				if err != nil || again.SecretDigest != c.SecretDigest || again.SecretHash != "" {
					t.Errorf("%+v %v", again, err)
				}
				r.ClientSecretHash = auth.Secret(shortHash)
				if other, err := s.server.EnsureClient(t.Context(), r); err != nil || other.SecretHash != shortHash ||
					other.SecretDigest != "" {
					t.Errorf("another hash: %+v %v", other, err)
				}
			})
	}
	t.Run("a hash of Django itself is verified, and kept for a secret that is short", func(t *testing.T) {
		s, log, _ := imported(t, shortHash, false, using)
		log.take()
		for range 2 {
			if a := s.asDjango("/o/token/", shortOfDjango); a.StatusCode != 200 {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		}
		if c := s.kept(); c.SecretHash != shortHash || c.SecretDigest != "" {
			t.Errorf("%+v", c)
		}
		if told := log.take(); strings.Count(told, "shorter than 16 bytes") != 1 ||
			!strings.Contains(told, "Client.AllowShortSecret") {
			t.Errorf("the log: %s", told)
		}
		s, _, _ = imported(t, shortHash, true, using)
		if a := s.asDjango("/o/token/", shortOfDjango); a.StatusCode != 200 || !s.kept().CheckSecret(shortOfDjango) {
			t.Errorf("with the setting: %d %+v", a.StatusCode, s.kept())
		}
	})
	t.Run("right secrets that come at once are all let in, and one of them replaces the hash", func(t *testing.T) {
		h.calls.Store(0)
		s, _, _ := imported(t, encoded, false, using)
		var good atomic.Int32
		var group sync.WaitGroup
		for range 32 {
			group.Go(func() {
				if s.asDjango("/o/token/", secretOfDjango).StatusCode == 200 {
					good.Add(1)
				}
			})
		}
		group.Wait()
		if good.Load() != 32 || h.calls.Load() != 1 {
			t.Errorf("%d of 32 are let in, after %d hashes", good.Load(), h.calls.Load())
		}
	})
	t.Run("a secret that is renewed meanwhile is not undone", func(t *testing.T) {
		h := &hasher{Hasher: h.Hasher}
		s, _, _ := imported(t, encoded, false, func(c *server.Config) { c.Clients.SecretHashes = h })
		var renewed auth.Secret
		h.before = func() (err error) {
			_, renewed, err = s.server.RenewSecret(t.Context(), s.kept())
			return err
		}
		if a := s.asDjango("/o/token/", secretOfDjango); a.StatusCode != 200 { // it was right when it was asked
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		if c := s.kept(); !c.CheckSecret(renewed.Reveal()) || c.SecretHash != "" || c.SecretReplaces != "" {
			t.Errorf("%+v", c)
		}
		refused(t, "the old one", s.asDjango("/o/token/", secretOfDjango), 401, "invalid_client")
	})
	t.Run("wrong secrets cost at most 30 hashes, and none after that", func(t *testing.T) {
		h := &hasher{Hasher: h.Hasher}
		s, _, _ := imported(t, shortHash, true, func(c *server.Config) { c.Clients.SecretHashes = h })
		var refusals, throttled atomic.Int32
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				switch s.asDjango("/o/token/", fmt.Sprint("wrong ", i)).StatusCode {
				case 401:
					refusals.Add(1)
				case 429:
					throttled.Add(1)
				}
			})
		}
		group.Wait()
		if n := h.calls.Load(); refusals.Load() != n || n < 30 || n > 32 || throttled.Load() != 60-n {
			t.Errorf("%d hashes, %d answers 401, %d answers 429", n, refusals.Load(), throttled.Load())
		}
		if c := s.kept(); c.SecretHash != shortHash {
			t.Errorf("%+v", c)
		}
	})
	t.Run("the same wrong secret costs one hash", func(t *testing.T) {
		h := &hasher{Hasher: h.Hasher}
		s, _, _ := imported(t, shortHash, true, func(c *server.Config) { c.Clients.SecretHashes = h })
		for range 40 {
			refused(t, "a wrong one", s.asDjango("/o/token/", "wrong"), 401, "invalid_client")
		}
		if n := h.calls.Load(); n != 1 {
			t.Errorf("want 1 hash, got %d", n)
		}
	})
	t.Run("an outage is no refusal and no guess, and of the store it does not keep the client out", func(t *testing.T) {
		h := &hasher{Hasher: h.Hasher, before: func() error { return password.ErrBusy }}
		store := &failing{Store: server.NewMemoryStore()}
		s, log, _ := imported(t, shortHash, true, func(c *server.Config) { c.Clients.SecretHashes, c.Store = h, store })
		for range 40 {
			if a := s.asDjango("/o/token/", shortOfDjango); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
		}
		h.before = nil
		store.fail(3) // after two looks at the client, the change of it
		log.take()
		if a := s.asDjango("/o/token/", shortOfDjango); a.StatusCode != 200 || s.kept().SecretHash == "" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
		if told := log.take(); !strings.Contains(told, "could not be replaced") {
			t.Errorf("the log: %s", told)
		}
		store.fail(0)
		if a := s.asDjango("/o/token/", shortOfDjango); a.StatusCode != 200 || s.kept().SecretHash != "" {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	})
	t.Run("without a SecretHasher the client is refused, and the log names the setting", func(t *testing.T) {
		s, log, _ := imported(t, shortHash, true, using)
		c := s.config
		c.Clients.SecretHashes = nil
		other, err := server.New(c)
		s.must(err)
		handlers, err := other.Handlers(s.guard)
		s.must(err)
		s.http.Config.Handler = handlers
		log.take()
		refused(t, "it", s.asDjango("/o/token/", shortOfDjango), 401, "invalid_client")
		if told := log.take(); !strings.Contains(told, "Config.Clients.SecretHashes") {
			t.Errorf("the log: %s", told)
		}
	})
	t.Run("the audit lists the client until its hash is replaced", func(t *testing.T) {
		s, _, _ := imported(t, encoded, false, using)
		if !hasFinding(server.Audit(s.config, s.kept()), "client django SecretHash") {
			t.Error("not before")
		}
		s.asDjango("/o/token/", secretOfDjango)
		if hasFinding(server.Audit(s.config, s.kept()), "client django SecretHash") {
			t.Error("after")
		}
	})
}

// readsStart is a SecretHasher of secrets that begin alike, as bcrypt reads them.
type readsStart struct{}

func (readsStart) CheckHash(string) error { return nil }

func (readsStart) VerifySecret(_ context.Context, secret, encoded string) (bool, error) {
	return strings.HasSuffix(encoded, secret[:min(len(secret), 72)]), nil
}

func TestUnitAHashThatReadsPartOfASecretIsKept(t *testing.T) {
	start := strings.Repeat("0123456789ab", 6)
	for _, row := range []struct {
		hash, secret string
		kept         bool
	}{
		{"bcrypt$$2b$04$" + start, start + "x", true},
		{"$2b$04$" + start, start + "x", true},
		{"bcrypt$$2b$04$" + start, start, false},
		{"bcrypt_sha256$$2b$04$" + start, start + "x", false},
	} {
		t.Run(fmt.Sprintf("%.14s and a secret of %d bytes", row.hash, len(row.secret)), func(t *testing.T) {
			s, _, _ := imported(t, row.hash, false, func(c *server.Config) { c.Clients.SecretHashes = readsStart{} })
			if a := s.asDjango("/o/token/", row.secret); a.StatusCode != 200 {
				t.Fatalf("%d %s", a.StatusCode, a.body)
			}
			if c := s.kept(); (c.SecretHash != "") != row.kept {
				t.Errorf("the hash is %q", c.SecretHash)
			}
		})
	}
}

func TestUnitHashesThatCannotBeRegistered(t *testing.T) {
	h, encoded := newHasher(t)
	for sentence, row := range map[string]struct {
		r    server.Registration
		says string
	}{
		"no hash": {server.Registration{ClientSecretHash: "secret-in-the-clear-of-32-characters"},
			"no format"},
		"too many iterations": {
			server.Registration{
				ClientSecretHash: "pbkdf2_sha256$100000000$abcdefghijklmnopqrstuv$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0="}, "MaxTime"},
		"too much memory": {
			server.Registration{ClientSecretHash: "argon2$argon2id$v=19$m=4194304,t=1," +
				"p=1$c29tZXNhbHRzb21lc2FsdA$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0"}, "MaxMemory"},
		"a secret besides": {server.Registration{ClientSecretHash: auth.Secret(encoded),
			ClientSecret: "a-secret-of-24-characters"}, "client_secret and a client_secret_hash"},
		"one of a public client": {server.Registration{ClientSecretHash: auth.Secret(encoded),
			TokenEndpointAuthMethod: "none",
			RedirectURIs:            []string{"https://c.example/"}}, "public"},
	} {
		t.Run(sentence+" is refused, and shows nothing of it", func(t *testing.T) {
			s := newService(t, func(c *server.Config) { c.Clients.SecretHashes = h })
			r := row.r
			if r.ClientID = "c"; r.TokenEndpointAuthMethod == "" {
				r.GrantTypes = []string{"client_credentials"}
			}
			_, err := s.server.EnsureClient(t.Context(), r)
			var e *server.Error
			if !errors.As(err, &e) || e.Code != "invalid_client_metadata" || !strings.Contains(err.Error(), row.says) {
				t.Errorf("want %q, got %v", row.says, err)
			}
			if err != nil && strings.Contains(err.Error(), r.ClientSecretHash.Reveal()) {
				t.Error(err)
			}
		})
	}
	t.Run("a server without a SecretHasher takes none", func(t *testing.T) {
		_, err := newService(t, nil).server.EnsureClient(t.Context(),
			server.Registration{ClientID: "c", ClientSecretHash: auth.Secret(encoded),
				GrantTypes: []string{"client_credentials"}})
		if err == nil || !strings.Contains(err.Error(), "Config.Clients.SecretHashes") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file has it as client_secret_hash", func(t *testing.T) {
		all, err := server.ParseRegistrations([]byte(`[{"client_id":"c","client_secret_hash":"` + shortHash + `"}]`))
		if err != nil || all[0].ClientSecretHash.Reveal() != shortHash || len(all[0].Members) > 0 {
			t.Errorf("%v %v", all, err)
		}
	})
	t.Run("a client that becomes public, or gets another secret, loses it", func(t *testing.T) {
		s, _, _ := imported(t, encoded, false, func(c *server.Config) { c.Clients.SecretHashes = h })
		c, err := s.server.ChangeClient(t.Context(), s.kept(), server.Registration{TokenEndpointAuthMethod: "none",
			RedirectURIs: []string{"https://c.example/"}})
		if err != nil || c.SecretHash != "" {
			t.Errorf("%+v %v", c, err)
		}
	})
}

// takesTime is a SecretHasher that takes 6 seconds, which is longer than a secret waits for its turn.
type takesTime struct{}

func (takesTime) CheckHash(string) error { return nil }

func (takesTime) VerifySecret(_ context.Context, secret, encoded string) (bool, error) {
	time.Sleep(6 * time.Second)
	return encoded == "hash of "+secret, nil
}

func TestUnitASecretThatWaitsInVainIsAGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuessed(t, func(c *server.Config) { c.Clients.SecretHashes = takesTime{} })
		_, err := g.server.EnsureClient(t.Context(),
			server.Registration{ClientID: "django", GrantTypes: []string{"client_credentials"},
				ClientSecretHash: "hash of " + secretOfDjango})
		if err != nil {
			t.Fatal(err)
		}
		const here = "192.0.2.66:1"
		var late atomic.Int32
		var group sync.WaitGroup
		for range 40 {
			group.Go(func() {
				if g.ask("/o/token/", here, "django", g.wrong()).Code == 503 {
					late.Add(1)
				}
			})
		}
		group.Wait()
		if late.Load() != 39 {
			t.Errorf("%d of 40 waited in vain", late.Load())
		}
		if w := g.ask("/o/token/", here, "django", g.wrong()); w.Code != 429 {
			t.Errorf("one more: %d", w.Code)
		}
		if w := g.ask("/o/token/", "192.0.2.67:1", "django", secretOfDjango); w.Code != 200 {
			t.Errorf("the client at another address: %d %s", w.Code, w.Body)
		}
	})
}
