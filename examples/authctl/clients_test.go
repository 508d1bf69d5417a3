package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// grant gives an application something of a user until expires.
func (s *service) grant(t *testing.T, name, id string, expires time.Time) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	if _, err := s.oauth.EnsureClient(t.Context(),
		server.Registration{ClientID: "shop", RedirectURIs: []string{"https://shop.example/cb"}}); err != nil {
		t.Fatal(err)
	}
	expires = expires.UTC().Truncate(time.Microsecond)
	added, err := s.oauthConfig.Store.Start(t.Context(), &server.Grant{ID: id, ClientID: "shop", UserID: name,
		Type:        "test",
		Permissions: server.Permissions{{Resource: "http://127.0.0.1:8000", Scopes: []string{"reports:read"}}},
		Created:     now, LastUsed: now, ExpiresAt: expires, MaxExpiresAt: expires},
		server.Tokens{Access: &server.Access{Digest: id, ID: id, GrantID: id, Issued: now, ExpiresAt: expires}}, 0,
		false)
	if err != nil || !added.OK() {
		t.Fatalf("got %v, %v, want OK", added, err)
	}
}

func TestWhatApplicationsWereGrantedIsListedAndEnded(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	s.grant(t, "alice", "one", time.Now().Add(time.Hour))
	s.grant(t, "alice", "two", time.Now().Add(time.Hour))
	all := f.entries("list", "alice")
	if len(all) != 2 || all[0].Kind != "grant" || all[0].Name != "shop" ||
		!slices.Equal(all[0].Scopes, []string{"reports:read"}) {
		t.Fatalf("entries: got %+v, want 2 entries and Kind \"grant\" and Name \"shop\" and Scopes [reports:read]",
			all)
	}
	if r := f.run("revoke", "bob", "one"); r.code != 1 {
		t.Errorf("authctl revoke bob one: got %+v, want exit code 1", r)
	}
	if out := f.want("revoke", "alice", "one"); !strings.Contains(out, "grant one of alice has ended") {
		t.Errorf("authctl revoke alice one: got %v, want \"grant one of alice has ended\" in it", out)
	}
	if all := f.entries("list", "alice"); len(all) != 1 || all[0].ID != "two" {
		t.Errorf("entries: got %+v, want 1 entry and ID \"two\"", all)
	}
}

func TestAClientFromItsRegistrationToItsEnd(t *testing.T) {
	f := newFile(t)
	s := library(t, f)
	check := func(secret string, want bool) *server.Client {
		t.Helper()
		client, err := s.oauth.Client(t.Context(), "shop")
		if err != nil || client == nil || client.CheckSecret(strings.TrimSpace(secret)) != want {
			t.Errorf("the secret %v, want %v (%v)", client, want, err)
		}
		return client
	}
	secret := f.want("clients", "add", "-id", "shop", "-name", "Shop", "-owner", "alice", "-redirect",
		"https://shop.example/cb", "-redirect", "http://127.0.0.1/cb", "-scopes", "openid reports:read")
	client := check(secret, true)
	if client.Name != "Shop" || client.Owner != "alice" || len(client.RedirectURIs) != 2 ||
		!slices.Equal(client.Scopes, []string{"openid", "reports:read"}) || !client.Allows("refresh_token") {
		t.Errorf("added client: got %+v, want what the flags say", client)
	}
	another := f.want("clients", "secret", "shop")
	check(secret, false)
	check(another, true)
	f.want("clients", "change", "shop", "-name", "Bigger shop", "-grant", "client_credentials")
	if client := check(another, true); client.Name != "Bigger shop" || client.Allows("authorization_code") ||
		len(client.RedirectURIs) != 2 {
		t.Errorf("changed client: got %+v, want name Bigger shop, only client_credentials and 2 redirect URIs", client)
	}
	if out := f.want("clients", "list"); !strings.Contains(strings.Join(strings.Fields(out), " "),
		"shop Bigger shop confidential client_credentials alice") {
		t.Errorf("clients list: got %s, want the confidential client shop of alice", out)
	}
	var shown []map[string]any
	if err := json.Unmarshal([]byte(f.want("clients", "show", "shop", "-json")), &shown); err != nil ||
		len(shown) != 1 || shown[0]["client_id"] != "shop" || shown[0]["client_secret"] != nil {
		t.Errorf("clients show shop: got %v, %v, want the client without its secret", shown, err)
	}
	f.want("clients", "disable", "shop")
	if !check(another, true).Disabled {
		t.Error("not disabled")
	}
	f.want("clients", "enable", "shop")
	if check(another, true).Disabled {
		t.Error("still disabled")
	}
	if out := f.want("clients", "audit"); !strings.Contains(out, "RFC 9700 §2.6: Issuer") ||
		!strings.Contains(out, "client shop") {
		t.Errorf("authctl clients audit: got %v, want %q in it and \"client shop\" in it", out, "RFC 9700 §2.6: Issuer")
	}
	f.want("clients", "delete", "shop")
	if out := f.want("clients", "list"); strings.Contains(out, "shop") {
		t.Errorf("authctl clients list: got %v, want no \"shop\"", out)
	}
	public := f.run("clients", "add", "-id", "app", "-public", "-redirect", "com.example.app:/cb")
	if public.code != 0 || public.out != "" || !strings.Contains(public.err, "client app") {
		t.Errorf("authctl clients add -public: got %+v, want exit code 0, no output and \"client app\" in the errors",
			public)
	}
}

func TestWhatCannotBeDoneWithClientsSaysSo(t *testing.T) {
	f := newFile(t)
	f.want("clients", "add", "-id", "shop", "-redirect", "https://shop.example/cb")
	for sentence, row := range map[string]struct {
		args string
		code int
		says string
	}{
		"without a word":       {"clients", 2, "argument is missing"},
		"a word there is not":  {"clients frobnicate shop", 2, "frobnicate"},
		"an ID too many":       {"clients list shop", 2, "want list"},
		"an ID too few":        {"clients show", 2, "want list"},
		"a client there isn't": {"clients show x", 1, `no client "x"`},
		"one that is there":    {"clients add -id shop -redirect https://shop.example/cb", 1, "there is a client"},
		"a bad redirect URI":   {"clients add -redirect javascript:alert(1)", 1, "redirect URI"},
		"no redirect URI":      {"clients add", 1, "redirect URI"},
		"an unknown grant":     {"clients add -grant password", 1, "grant type"},
		"an unknown scope":     {"clients add -redirect https://x.example/ -scopes admin", 1, "scope"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if r := f.run(strings.Fields(row.args)...); r.code != row.code || !strings.Contains(r.err, row.says) ||
				r.out != "" {
				t.Errorf("authctl: got %+v, want exit code %v and %q in it and no output", r, row.code, row.says)
			}
		})
	}
}
