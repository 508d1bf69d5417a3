package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A string that Django 5.2 made of this secret.
const (
	djangoSecret = "demo-web-secret"
	djangoHash   = "pbkdf2_sha256$1000$FQi5vhWeGkP3FA3yyfWfLu$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0="
)

func TestUnitAClientOfDjangoKeepsItsSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "clients.json")
	args := []string{"-db", "sqlite:" + filepath.Join(dir, "demo.db"), "-clients", file}
	write := func(members string) {
		text := `[{"client_id":"shop.example:1","client_secret_hash":"` + djangoHash +
			`","grant_types":["client_credentials"]` + members + `}]`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	client := newApplication("shop.example:1", djangoSecret)
	write(`,"allow_short_secret":true`)
	for _, sentence := range []string{"before its hash is replaced", "after that, with the same file"} {
		t.Run("it gets tokens "+sentence, func(t *testing.T) {
			p := launch(t, args...)
			for range 2 {
				got := p.token(200, client, "grant_type", "client_credentials")
				p.want(200, "GET", "/api/me", "Bearer "+got.Access)
			}
			p.token(401, newApplication(client.id, "another-secret-of-32-characters"), "grant_type",
				"client_credentials")
			p.stop(syscall.SIGTERM)
		})
	}
	t.Run("a hash that is not read is an error at the start", func(t *testing.T) {
		text := `[{"client_id":"x","client_secret_hash":"md5$salt$hash","grant_types":["client_credentials"]}]`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := refuses(t, args...); !strings.Contains(said, `client "x"`) ||
			!strings.Contains(said, "client_secret_hash") {
			t.Errorf("refuses: got %v, want %q in it and \"client_secret_hash\" in it", said, `client "x"`)
		}
	})
	t.Run("a secret of few bytes is an error at the start that names the member", func(t *testing.T) {
		if err := os.WriteFile(
			file, []byte(`[{"client_id":"x","client_secret":"short","grant_types":["client_credentials"]}]`),
			0o600); err != nil {
			t.Fatal(err)
		}
		if said := refuses(t, args...); !strings.Contains(said, `client "x"`) ||
			!strings.Contains(said, "allow_short_secret") {
			t.Errorf("refuses: got %v, want %q in it and \"allow_short_secret\" in it", said, `client "x"`)
		}
	})
}
