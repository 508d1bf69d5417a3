package server_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/oauth2/server"
)

func strictService(t *testing.T, change func(*server.Config)) *service {
	t.Helper()
	return newService(t, func(c *server.Config) {
		c.Store = strict{c.Store}
		if change != nil {
			change(c)
		}
	})
}

func TestUnitOddTextsOfClients(t *testing.T) {
	s := strictService(t, nil)
	parameters := []string{"client_id", "redirect_uri", "scope", "state", "nonce", "login_hint", "acr_values", "prompt",
		"code_challenge", "resource", "id_token_hint", "max_age"}
	for _, name := range parameters {
		texttest.Run(t, texttest.Unstorable, "as "+name+" is refused before the store is asked",
			func(t *testing.T, text string) {
				got := s.as("alice").authorize(name, text)
				if got.StatusCode != 400 && (got.StatusCode != 303 || got.location("error") == "") {
					t.Errorf("got %d to %q, want 400 or an error for the client", got.StatusCode,
						got.Header.Get("Location"))
				}
			})
	}
	for _, path := range []string{"/o/token/", "/o/revoke_token/", "/o/introspect/"} {
		for _, name := range []string{"client_id", "client_secret", "token", "code", "refresh_token", "grant_type",
			"scope"} {
			texttest.Run(t, texttest.Unstorable, "as "+name+" at "+path+" is no outage",
				func(t *testing.T, text string) {
					values := with(url.Values{"client_id": {"app"}, "grant_type": {"refresh_token"}, "token": {"x"},
						"refresh_token": {"x"}}, name, text)
					got := s.stranger().do("POST", path, values.Encode())
					if got.StatusCode >= 500 || got.StatusCode == 200 && path == "/o/token/" {
						t.Errorf("got %d %s, want a refusal", got.StatusCode, got.body)
					}
				})
		}
	}
	texttest.Run(t, texttest.Unstorable, "as Basic credentials or a bearer token is no outage", func(t *testing.T,
		text string) {
		plain := base64Of(text)
		for _, authorization := range []string{"Basic " + base64Of(text+":"+text), "Bearer " + plain[:min(len(plain),
			4000)]} {
			for _, path := range []string{"/o/token/", "/o/userinfo/"} {
				got := s.stranger().do("POST", path, "grant_type=client_credentials", "Authorization", authorization)
				if got.StatusCode >= 500 || got.StatusCode < 400 {
					t.Errorf("got %d %s at %s, want a refusal", got.StatusCode, got.body, path)
				}
			}
		}
	})
}

func TestUnitOddTextsOfUsers(t *testing.T) {
	s := strictService(t, nil)
	b := s.as("alice")
	paths := []string{"/o/applications/%s/", "/o/applications/%s/update/", "/o/authorized_tokens/%s/delete/",
		"/o/applications/?after=%s", "/o/authorized_tokens/?after=%s"}
	for _, path := range paths {
		texttest.Run(t, texttest.Unstorable, "in the address "+path+" is no outage", func(t *testing.T, text string) {
			escaped := url.PathEscape(text)
			if strings.Contains(path, "?") {
				escaped = url.QueryEscape(text)
			}
			for _, method := range []string{"GET", "POST"} {
				got := b.do(method, strings.ReplaceAll(path, "%s", escaped), "", "Sec-Fetch-Site", "same-origin")
				if got.StatusCode >= 500 {
					t.Errorf("got %d %s, want a refusal or a page", got.StatusCode, got.body)
				}
			}
		})
	}
	for _, name := range []string{"name", "redirect_uris", "post_logout_redirect_uris", "client_type",
		"authorization_grant_type"} {
		texttest.Run(t, texttest.Unstorable, "as "+name+" of an application is no outage",
			func(t *testing.T, text string) {
				form := with(url.Values{"name": {"Shop"}, "client_type": {"public"},
					"redirect_uris":            {"https://a.example/"},
					"authorization_grant_type": {"authorization-code"}}, name, text)
				got := b.do("POST", "/o/applications/register/", form.Encode(), "Sec-Fetch-Site", "same-origin")
				if got.StatusCode >= 500 {
					t.Errorf("got %d %s, want a refusal or a page", got.StatusCode, got.body)
				}
			})
	}
	texttest.Run(t, texttest.Unstorable, "as the interaction of a form is no outage", func(t *testing.T, text string) {
		for _, path := range []string{"/o/authorize/", "/o/logout/"} {
			got := b.do("POST", path, url.Values{"interaction": {text}, "allow": {"1"}}.Encode(), "Sec-Fetch-Site",
				"same-origin")
			if got.StatusCode >= 500 {
				t.Errorf("got %d %s at %s, want a refusal", got.StatusCode, got.body, path)
			}
		}
	})
}

func TestUnitOddTextsOfApplications(t *testing.T) {
	s := strictService(t, nil)
	ctx, page := t.Context(), backend.Page{}
	texttest.Run(t, texttest.Unstorable, "as an identifier finds nothing", func(t *testing.T, id string) {
		for name, ask := range map[string]func() (int, error){
			"Revoke":      func() (int, error) { found, err := s.server.Revoke(ctx, id); return count(found), err },
			"RevokeAll":   func() (int, error) { return s.server.RevokeAll(ctx, id) },
			"EndSession":  func() (int, error) { return s.server.EndSession(ctx, id) },
			"Withdraw":    func() (int, error) { return s.server.Withdraw(ctx, id, "web") },
			"Withdraw of": func() (int, error) { return s.server.Withdraw(ctx, "alice", id) },
			"RemoveClient": func() (int, error) {
				found, err := s.server.RemoveClient(ctx, id)
				return count(found),
					err
			},
			"RemoveUser": func() (int, error) { return 0, s.server.RemoveUser(ctx, id) },
			"Grants":     func() (int, error) { all, _, err := s.server.Grants(ctx, id, page); return len(all), err },
			"Authorized": func() (int, error) {
				all, _, err := s.server.Authorized(ctx, id, page)
				return len(all),
					err
			},
			"Clients": func() (int, error) {
				all, _, err := s.server.Clients(ctx, id, page)
				return len(all),
					err
			},
			"Client": func() (int, error) { c, err := s.server.Client(ctx, id); return count(c != nil), err },
		} {
			if n, err := ask(); n != 0 || err != nil {
				t.Errorf("got %d, %v from %s, want none", n, err, name)
			}
		}
	})
	texttest.Run(t, texttest.Unstorable, "in a registration is refused", func(t *testing.T, text string) {
		for name, r := range map[string]server.Registration{
			"an owner":     {Owner: text, GrantTypes: []string{"client_credentials"}},
			"a client_id":  {ClientID: text, GrantTypes: []string{"client_credentials"}},
			"a redirect":   {RedirectURIs: []string{"https://a.example/" + text}},
			"a scope":      {Scope: text},
			"a grant type": {GrantTypes: []string{text}},
		} {
			r.ClientName = "Shop"
			var e *server.Error
			if _, _, err := s.server.AddClient(ctx, r); !errors.As(err, &e) {
				t.Errorf("got %v for %s, want an *Error", err, name)
			}
			if r.ClientID = text; name == "a client_id" {
				if _, err := s.server.EnsureClient(ctx, r); !errors.As(err, &e) {
					t.Errorf("got %v from EnsureClient, want an *Error", err)
				}
			}
		}
	})
	t.Run("a user or a session that no store keeps gets an error page before anything is stored", func(t *testing.T) {
		long := strings.Repeat("x", 600)
		s.users.mu.Lock()
		s.users.stamps[long] = "l"
		s.users.mu.Unlock()
		for name, b := range map[string]*browser{"the user": s.as(long), "the session": s.asOf("alice", long,
			time.Now())} {
			for _, path := range []string{"/o/authorize/?" + query().Encode(), "/o/authorized_tokens/"} {
				if got := b.do("GET", path, ""); got.StatusCode != 503 {
					t.Errorf("%s: got %d %s at %s, want 503", name, got.StatusCode, got.body, path)
				}
			}
		}
	})
}

// oddGrant is a grant of an application that issues as it is told.
type oddGrant struct{ change func(*server.Issuance) }

func (oddGrant) Name() string { return "urn:example:issuing" }

func (i oddGrant) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse,
	error) {
	issuance := server.Issuance{Client: r.Client, Type: i.Name(), UserID: "alice"}
	i.change(&issuance)
	return s.Issue(ctx, issuance)
}

func TestUnitOddTextsOfGrants(t *testing.T) {
	texttest.Run(t, texttest.Unstorable, "in a grant of an application is its error", func(t *testing.T, text string) {
		for name, change := range map[string]func(*server.Issuance){
			"the UserID": func(i *server.Issuance) { i.UserID = text },
			"the ACR":    func(i *server.Issuance) { i.AuthInfo.ACR = text },
			"an AMR":     func(i *server.Issuance) { i.AuthInfo.AMR = []string{text} },
			"the Extra":  func(i *server.Issuance) { i.Extra = map[string]string{"what": text} },
			"the Type":   func(i *server.Issuance) { i.Type = text },
		} {
			s := strictService(t, func(c *server.Config) {
				c.Tokens.Grants = []server.GrantType{server.AuthorizationCode{}, server.RefreshToken{},
					server.ClientCredentials{},
					oddGrant{change}}
				c.LoadUser = func(_ context.Context, id string) (auth.User, error) { return user{id, "1"}, nil }
			})
			s.add(server.Registration{ClientID: "own", GrantTypes: []string{"urn:example:issuing"}})
			if got := s.post("/o/token/", "own", "grant_type", "urn:example:issuing"); got.StatusCode != 503 {
				t.Errorf("got %d %s for %s, want 503", got.StatusCode, got.body, name)
			}
			if all, err := s.config.Store.Grants(t.Context(), "alice", "", 10, time.Now()); len(all) != 0 ||
				err != nil {
				t.Errorf("got %d grants, %v for %s, want none", len(all), err, name)
			}
		}
	})
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func count(found bool) int {
	if found {
		return 1
	}
	return 0
}
