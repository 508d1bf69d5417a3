package server_test

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oddIDs are identifiers of clients that RFC 6749 appendix A.1 allows.
func oddIDs() []string {
	ids := []string{"https://app.example/client?a=b#c", "a/../b", "..x", "/", "a//b", "register",
		"%2e%2e", "a%2Fb", "a b", " ", "\"><script>", "'x'", "a?delete", "alice", "a;b", "a\\b",
		strings.Repeat("/", 200)}
	for c := '!'; c <= '~'; c++ {
		if c != '.' {
			ids = append(ids, "x"+string(c)+"y", string(c))
		}
	}
	return ids
}

func basicOf(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

var actions = regexp.MustCompile(`<form method="post" action="([^"]*)"`)

// The page of authorizations, the token endpoint, introspection and revocation work for every client_id.
func TestUnitEveryClientIDHasItsPages(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Limits.User = server.NoLimit })
	for _, id := range oddIDs() {
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			if id == "alice" || id == "-" {
				t.Skip("the user has the name of the client, or the helper reads it as none")
			}
			client, secret, err := s.server.AddClient(t.Context(), server.Registration{ClientID: id, ClientName: "n",
				RedirectURIs: []string{"https://odd.example/cb"},
				GrantTypes:   []string{"authorization_code", "refresh_token", "client_credentials"}})
			if err != nil {
				t.Fatal(err)
			}
			code := s.as("alice").code("client_id", id, "redirect_uri", "https://odd.example/cb")
			a := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"authorization_code"}, "code": {code},
				"redirect_uri": {"https://odd.example/cb"}, "code_verifier": {verifier}}.Encode(), "Authorization",
				basicOf(id, secret.Reveal()))
			if a.StatusCode != 200 {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			told := s.stranger().do("POST", "/o/introspect/", url.Values{"token": {a.text("access_token")}}.Encode(),
				"Authorization", basicOf(id, secret.Reveal()))
			if told.text("client_id") != id {
				t.Errorf("introspection: %s", told.body)
			}
			page := s.as("alice").do("GET", "/o/authorized_tokens/", "")
			all := actions.FindAllStringSubmatch(page.body, -1)
			if len(all) != 1 {
				t.Fatalf("%d forms", len(all))
			}
			if done := s.as("alice").do("POST", html.UnescapeString(all[0][1]), ""); done.StatusCode != 303 {
				t.Errorf("withdraw %s: got %d", all[0][1], done.StatusCode)
			}
			if s.good(a.text("access_token")) {
				t.Error("the token is good after the withdrawal")
			}
			if ok, err := s.server.RemoveClient(t.Context(), client.ID); !ok || err != nil {
				t.Error(ok, err)
			}
		})
	}
}

var links = regexp.MustCompile(`<li><a href="([^"]*)"`)
var button = regexp.MustCompile(`(?:href|action)="([^"]*/(?:update|secret|delete)/)"`)

// The links and forms of the pages of developers lead to the application that they are about.
func TestUnitEveryApplicationHasItsPages(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Clients.DeveloperLimit = server.NoLimit })
	for _, id := range oddIDs() {
		if id == "register" {
			continue // was so before
		}
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			client, _, err := s.server.AddClient(t.Context(), server.Registration{ClientID: id, ClientName: "n",
				Owner:        "alice",
				RedirectURIs: []string{"https://odd.example/cb"}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _, _ = s.server.RemoveClient(t.Context(), client.ID) }()
			list := s.as("alice").do("GET", "/o/applications/", "")
			to := html.UnescapeString(links.FindStringSubmatch(list.body)[1])
			if _, err := url.Parse(to); err != nil {
				t.Fatal(err)
			}
			page := s.as("alice").do("GET", to, "")
			if page.StatusCode != 200 || !strings.Contains(page.body, `<code id="client_id">`) {
				t.Fatalf("the link %s of the list: got %d", to, page.StatusCode)
			}
			for _, found := range button.FindAllStringSubmatch(page.body, -1) {
				path := html.UnescapeString(found[1])
				method, body := "POST", ""
				if strings.HasSuffix(path, "/update/") {
					body = "name=n&client_type=confidential&authorization_grant_type=authorization_code&" +
						"redirect_uris=https://odd.example/cb"
				}
				a := s.as("alice").do(method, path, body)
				if a.StatusCode != 200 && a.StatusCode != 303 {
					t.Errorf("%s: got %d", path, a.StatusCode)
				}
				if _, err := url.Parse(a.Header.Get("Location")); err != nil {
					t.Fatalf("after %s: %v", path, err)
				}
				if body != "" {
					if next := s.as("alice").do("GET", a.Header.Get("Location"), ""); next.StatusCode != 200 {
						t.Errorf("after a change, at %s: got %d", a.Header.Get("Location"), next.StatusCode)
					}
				}
			}
		})
	}
}

// A form of one application must not act on another one.
func TestUnitAFormOfOneApplicationLeavesOthers(t *testing.T) {
	s := newService(t, nil)
	for _, id := range []string{"shop", "shop/delete?"} {
		s.add(server.Registration{ClientID: id, ClientName: id, Owner: "alice",
			RedirectURIs: []string{"https://odd.example/cb"}})
	}
	page := s.as("alice").do("GET", "/o/applications/"+url.PathEscape("shop/delete?")+"/", "")
	found := regexp.MustCompile(`action="([^"]*)"><button class="second">New secret`).FindStringSubmatch(page.body)
	if found == nil {
		t.Fatalf("no form: %d %s", page.StatusCode, page.body)
	}
	s.as("alice").do("POST", html.UnescapeString(found[1]), "")
	if client, err := s.server.Client(t.Context(), "shop"); client == nil || err != nil {
		t.Errorf("the button for a new secret at %s deleted another application", found[1])
	}
}

// What the form of an application does not show stays as it is.
func TestUnitAChangeOnThePageKeepsTheGrace(t *testing.T) {
	for _, grace := range []int{-1, 30} {
		s := newService(t, func(c *server.Config) { c.Tokens.Grace = 0 })
		s.add(server.Registration{ClientID: "mine", Owner: "alice", RedirectURIs: []string{"https://odd.example/cb"},
			RefreshGrace: grace,
			GrantTypes:   []string{"authorization_code", "refresh_token"}})
		a := s.as("alice").do("POST", "/o/applications/mine/update/",
			url.Values{"name": {"Mine"}, "client_type": {"confidential"},
				"authorization_grant_type": {"authorization_code", "refresh_token"},
				"redirect_uris":            {"https://odd.example/cb"}}.Encode())
		client, err := s.server.Client(t.Context(), "mine")
		s.must(err)
		if a.StatusCode != 303 || client.RefreshGrace != grace {
			t.Errorf("got %d and a grace of %d, want 303 and %d", a.StatusCode, client.RefreshGrace, grace)
		}
	}
}

// noPKCE is the service with the confidential client "legacy", which needs no PKCE, and its request that waits for a
// login.
func noPKCE(t *testing.T) (*service, *server.Client, server.Registration, string) {
	s := newService(t, nil)
	r := server.Registration{ClientID: "legacy", RedirectURIs: []string{"https://legacy.example/cb"},
		AllowWithoutPKCE: true}
	client := s.add(r)
	s.stranger().authorize("client_id", "legacy", "redirect_uri", "https://legacy.example/cb", "code_challenge", "-",
		"code_challenge_method", "-", "scope", "read")
	if len(s.logins) != 1 {
		t.Fatal("no login was asked for")
	}
	return s, client, r, s.logins[0].ReturnTo
}

// A request that was kept is refused if the client could not ask the same now.
func TestUnitAKeptRequestWithoutPKCE(t *testing.T) {
	for sentence, change := range map[string]func(r *server.Registration){
		"the client needs PKCE now": func(r *server.Registration) { r.AllowWithoutPKCE = false },
		"the client is public now": func(r *server.Registration) {
			r.AllowWithoutPKCE, r.TokenEndpointAuthMethod = false, "none"
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, client, r, returnTo := noPKCE(t)
			change(&r)
			_, err := s.server.ChangeClient(t.Context(), client, r)
			s.must(err)
			page := s.as("alice").do("GET", returnTo, "")
			if page.StatusCode != 200 || !strings.Contains(page.body, `name="interaction"`) {
				return // refused
			}
			code := s.as("alice").allow(page).location("code")
			if code == "" {
				return
			}
			t.Errorf("a code was given without a code_challenge")
			if r.TokenEndpointAuthMethod == "none" {
				a := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"authorization_code"},
					"code":      {code},
					"client_id": {"legacy"}, "redirect_uri": {"https://legacy.example/cb"}}.Encode())
				if a.StatusCode == 200 {
					t.Errorf("and it was redeemed with neither a secret nor a code_verifier")
				}
			}
		})
	}
}

// A code without a challenge is of no use for a client that has become public.
func TestUnitACodeWithoutPKCEOfAPublicClient(t *testing.T) {
	s, client, r, returnTo := noPKCE(t)
	code := s.as("alice").allow(s.as("alice").do("GET", returnTo, "")).location("code")
	r.AllowWithoutPKCE, r.TokenEndpointAuthMethod = false, "none"
	_, err := s.server.ChangeClient(t.Context(), client, r)
	s.must(err)
	a := s.stranger().do("POST", "/o/token/", url.Values{"grant_type": {"authorization_code"}, "code": {code},
		"client_id": {"legacy"}, "redirect_uri": {"https://legacy.example/cb"}}.Encode())
	if a.StatusCode == 200 {
		t.Error("the code was redeemed with neither a secret nor a code_verifier")
	}
}
