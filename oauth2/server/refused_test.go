package server_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2/server"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was written, and forgets it.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	l.text.Reset()
	return strings.ReplaceAll(text, `\"`, `"`)
}

// logged is a service that keeps its log.
func logged(t *testing.T, change func(*server.Config)) (*service, *lines) {
	log := &lines{}
	s := newService(t, func(c *server.Config) {
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
		if change != nil {
			change(c)
		}
	})
	return s, log
}

// refusal is a request that is refused, and what the log and the client are told.
type refusal struct {
	request func() answer
	log     string // the whole of it, in this order, with "…" for what is not compared
	told    string // all that the client is told, in words of OAuth
}

// refuses runs a table of refusals.
func refuses(t *testing.T, s *service, log *lines, kind auth.EventKind, level string, rows map[string]refusal) {
	t.Helper()
	for sentence, row := range rows {
		t.Run(sentence, func(t *testing.T) {
			log.take()
			before := len(s.events.all)
			a := row.request()
			text := log.take()
			shown := []string{"level=" + level, `msg="auth ` + string(kind) + `"`, "backend=oauth2", "route="}
			rest := text
			for _, want := range append(shown, strings.Split(row.log, "…")...) {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("want %s in the log, got %s", want, text)
				}
				rest = after
			}
			if strings.Count(text, "auth "+string(kind)) != 1 || strings.Count(text, "\n") != 1 {
				t.Errorf("want one line in the log, got %s", text)
			}
			if got := s.events.all[before:]; len(got) != 1 || got[0].Kind != kind || got[0].Err == nil ||
				!strings.Contains(got[0].Err.Error(), strings.Split(row.log, "…")[0]) {
				t.Errorf("want one event with %q, got %v", row.log, got)
			}
			told := a.text("error") + " " + a.text("error_description")
			if to := a.Header.Get("Location"); to != "" {
				told = a.location("error") + " " + a.location("error_description")
			} else if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				told = "page"
			}
			if told != row.told {
				t.Errorf("want the client told %q, got %q", row.told, told)
			}
			whole := a.body + a.Header.Get("Location") + a.Header.Get("WWW-Authenticate")
			for _, part := range strings.Split(row.log, "…") {
				if strings.Contains(whole, part) {
					t.Errorf("want nothing of the cause for the client, got %q in %s", part, whole)
				}
			}
			for _, secret := range append([]string{verifier}, s.allSecrets()...) {
				if strings.Contains(text, secret) {
					t.Errorf("a secret is in the log: %s", text)
				}
			}
		})
	}
}

// posting, refreshing and doing are post, refresh and do of later.
func (s *service) posting(path, client string, pairs ...string) func() answer {
	return func() answer { return s.post(path, client, pairs...) }
}

func (s *service) refreshing(token string, pairs ...string) func() answer {
	return func() answer { return s.refresh(token, pairs...) }
}

func (b *browser) doing(method, path, body string, headers ...string) func() answer {
	return func() answer { return b.do(method, path, body, headers...) }
}

func (s *service) allSecrets() (all []string) {
	for _, secret := range s.secrets {
		if secret != "" {
			all = append(all, secret)
		}
	}
	return all
}

const (
	clientFailed = "invalid_client Client authentication failed."
	badGrant     = "invalid_grant The code or token is unknown, expired, revoked, used, or not for this client."
)

func TestUnitARefusedClientLeavesTheReasonInTheLog(t *testing.T) {
	s, log := logged(t, nil)
	basicOnly := s.add(server.Registration{ClientID: "basic-only", GrantTypes: []string{"client_credentials"},
		TokenEndpointAuthMethod: "client_secret_basic"})
	off := s.add(server.Registration{ClientID: "off", GrantTypes: []string{"client_credentials"}})
	if _, err := s.server.DisableClient(t.Context(), off, true); err != nil {
		t.Fatal(err)
	}
	token := func(body string, headers ...string) func() answer {
		return s.stranger().doing("POST", "/o/token/", "grant_type=client_credentials&"+body, headers...)
	}
	wrongSecret := "Wr0ngSecret"
	s.secrets["wrong"] = wrongSecret
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"no client_id": {token(""), "the client_id is missing", clientFailed},
		"an unknown client": {token("client_id=nobody&client_secret=x"),
			`no client is registered with this client_id: "nobody"`, clientFailed},
		"a long and strange client_id": {token("client_id=" + url.QueryEscape("a\n"+strings.Repeat("x", 500))),
			`the client_id is longer than 200, or not of visible characters`, clientFailed},
		"a disabled client": {token("client_id=off&client_secret=x"), `the client is disabled: "off"`, clientFailed},
		"a wrong secret": {token("client_id=web&client_secret=" + wrongSecret),
			`client "web": …the client secret is wrong`, clientFailed},
		"a wrong secret by Basic": {token("", "Authorization", basic("web", wrongSecret)),
			`client "web": …the client secret is wrong`, clientFailed},
		"no secret": {token("client_id=web"), `client "web": …the client is confidential, and sent no secret`,
			clientFailed},
		"a secret of a public one": {token("client_id=app&client_secret=" + wrongSecret),
			`client "app": …the client is public, and sent a secret`, clientFailed},
		"another method": {token("client_id=basic-only&client_secret=" + s.secrets[basicOnly.ID]),
			`client "basic-only": …may not authenticate by this method: "client_secret_post", want ` +
				`"client_secret_basic", see Client.AuthMethod`, clientFailed},
		"an assertion": {token("client_id=web&client_assertion=x"),
			"a client_assertion came, and the server does not take any", clientFailed},
		"another scheme": {token("", "Authorization", "Bearer "+wrongSecret),
			`does not authenticate clients: "Bearer", want "Basic"`, clientFailed},
		"no scheme": {token("", "Authorization", wrongSecret), `does not authenticate clients, want "Basic"`,
			clientFailed},
		"no base64": {token("", "Authorization", "Basic "+wrongSecret+"!"), "not two form-encoded texts in base64",
			clientFailed},
		"two ways": {token("client_secret=another", "Authorization", basic("web", wrongSecret)),
			"the request has two different credentials, of which one is of client_secret_post",
			"invalid_request The client must authenticate in one way only."},
		"two names": {token("client_id=app", "Authorization", basic("web", wrongSecret)),
			`the client_id is not that of the Authorization header: "app", want "web"`,
			"invalid_request The client_id is not that of the Authorization header."},
		"no form": {token("", "Content-Type", "application/json"),
			`the Content-Type is not a form, is there twice, or has a Content-Encoding: "application/json"`,
			"invalid_request The body must be application/x-www-form-urlencoded."},
		"a long body": {token("x=" + strings.Repeat("x", 70_000)), "longer than 65536 bytes",
			"invalid_request The body is too long."},
		"a repeated field": {token("client_id=web&client_id=web"), `a parameter is repeated: "client_id"`,
			"invalid_request A parameter must not be there twice."},
		"a NUL": {token("client_id=%00"), `a parameter is not UTF-8, or has a NUL: "client_id"`,
			"invalid_request A parameter is not UTF-8, or has a NUL."},
		"GET": {s.stranger().doing("GET", "/o/token/", ""),
			`the method is not one of the endpoint: "GET"`, "invalid_request The method must be POST."},
		"no grant_type": {s.posting("/o/token/", "web", "x", "y"),
			`client "web": …the grant_type is missing`, "invalid_request The grant_type is missing."},
		"another grant_type": {s.posting("/o/token/", "web", "grant_type", "password"),
			`the server has no such grant_type: "password", want "authorization_code" or "client_credentials" ` +
				`or "refresh_token", see Config.Tokens.Grants`,
			"unsupported_grant_type The grant_type is not supported."},
		"a grant that it has not": {s.posting("/o/token/", "web", "grant_type", "client_credentials"),
			`the client does not have the grant: "client_credentials", want "authorization_code" or ` +
				`"refresh_token", see Client.GrantTypes`, "unauthorized_client The client may not use this grant."},
		"an unknown scope": {s.posting("/o/token/", "job", "grant_type", "client_credentials", "scope", "admin"),
			`client "job": …the server has no such scope: "admin", see Config.Scopes`, "invalid_scope The scope " +
				"has one that the client may not ask for."},
		"a scope of others": {s.posting("/o/token/", "job", "grant_type", "client_credentials", "scope", "openid"),
			`the client does not have the scope: "openid", want "read" or "write", see Client.Scopes`,
			"invalid_scope The scope has one that the client may not ask for."},
		"a scope about a user": {s.posting("/o/token/", "api", "grant_type", "client_credentials", "scope", "openid"),
			`the scope is about a user, and client_credentials has no user: "openid"`, "invalid_scope The scope " +
				"has one that is about a user."},
		"an unknown resource": {s.posting("/o/token/", "job", "grant_type", "client_credentials", "resource",
			"https://evil.example/"),
			`the server has no such resource: "https://evil.example/", want "http://127.0.0.1…see ` +
				`Config.Resources`, "invalid_target The resource is not known, or not for this client."},
		"introspection by a public client": {s.posting("/o/introspect/", "app", "token", "x"),
			`client "app": …only clients with a secret may introspect`, clientFailed},
		"introspection without a token": {s.posting("/o/introspect/", "web", "x", "y"),
			`client "web": …the token is missing`, "invalid_request The token is missing."},
		"revocation without a token": {s.posting("/o/revoke_token/", "web", "x", "y"),
			`client "web": …the token is missing`, "invalid_request The token is missing."},
	})
}

func TestUnitACodeOrTokenThatIsNoGoodLeavesTheReasonInTheLog(t *testing.T) {
	s, log := logged(t, nil)
	s.add(server.Registration{ClientID: "web2", RedirectURIs: []string{"https://web2.example/"},
		GrantTypes: []string{"authorization_code", "refresh_token"}})
	kept := s.tokens("alice")
	revoked := s.tokens("alice")
	s.post("/o/revoke_token/", "web", "token", revoked.text("refresh_token"))
	gone := s.tokens("bob")
	s.users.changePassword("bob")
	code := func(pairs ...string) func() answer {
		return func() answer { return s.redeem(s.as("alice").code(), pairs...) }
	}
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"no code": {func() answer { return s.redeem("") }, `client "web": …the code is missing`,
			"invalid_request The code is missing."},
		"another text": {func() answer { return s.redeem("evil") },
			"the code is none of this server by its form, see Config.Tokens.Prefix", badGrant},
		"another address": {code("redirect_uri", "https://evil.example/"),
			`the redirect_uri is not that of the authorization request (RFC 6749 §4.1.3): ` +
				`"https://evil.example/", want "https://web.example/callback?a=b"`,
			badGrant},
		"a code of another client": {s.posting("/o/token/", "web2", "grant_type", "authorization_code", "code",
			s.as("alice").code(), "code_verifier", verifier),
			`client "web2": …the code was issued to another client, want "web"`, badGrant},
		"no refresh token": {s.refreshing(""), "the refresh_token is missing",
			"invalid_request The refresh_token is missing."},
		"another text for a refresh token": {s.refreshing("evil"),
			"the refresh_token is none of this server by its form, see Config.Tokens.Prefix", badGrant},
		"a refresh token of another client": {s.posting("/o/token/", "web2", "grant_type", "refresh_token",
			"refresh_token", kept.text("refresh_token")),
			`the refresh token was issued to another client, want "web"`, badGrant},
		"a revoked refresh token": {s.refreshing(revoked.text("refresh_token")),
			"the grant was ended: revoked, withdrawn, signed out", badGrant},
		"a refresh token of before a new password": {s.refreshing(gone.text("refresh_token")),
			"the AuthStamp of the user has changed", badGrant},
		"a scope that was not granted": {s.refreshing(kept.text("refresh_token"), "scope", "write"),
			`the scope was not granted, or the client may not have it any more: "write", want "openid" or ` +
				`"read"`, "invalid_scope The scope has one that was not granted."},
		"a resource that was not granted": {s.refreshing(kept.text("refresh_token"), "resource",
			"https://other.example/"),
			`the resource was not granted, or the client may not have it any more: "https://other.example/", ` +
				`want`, "invalid_target The resource is none that was granted, or the client may not have it " +
				"any more."},
		"revocation of another client's token": {s.posting("/o/revoke_token/", "web2", "token",
			kept.text("access_token")),
			`the token was issued to another client, want "web"`, "invalid_grant The token was issued to " +
				"another client."},
		"introspection of another client's token": {s.posting("/o/introspect/", "web2", "token",
			kept.text("access_token")),
			`client "web2": …the token was issued to another client, for a resource that the caller is not: ` +
				`"http://127.0.0.1`, " "},
		"introspection of a revoked token": {s.posting("/o/introspect/", "web", "token", revoked.text("refresh_token")),
			"the grant was ended", " "},
		"introspection of no token": {s.posting("/o/introspect/", "web", "token", "evil"),
			`client "web": …unrecognized`, " "},
	})
	twice := s.as("alice").code()
	s.redeem(twice)
	wrong := func(value string) func() answer {
		return func() answer { return s.redeem(s.as("alice").code(), "code_verifier", value) }
	}
	refuses(t, s, log, auth.EventReuse, "WARN", map[string]refusal{
		"a code that comes again": {func() answer { return s.redeem(twice) },
			`client "web": …the code was redeemed before, so that the grant …has ended`, badGrant},
		"no verifier":      {wrong("-"), "the code_verifier is missing (RFC 7636 §4.5), so that the grant", badGrant},
		"a short verifier": {wrong("x"), "the code_verifier is not 43 to 128 unreserved characters", badGrant},
		"another verifier": {wrong(strings.Repeat("x", 43)), "the code_verifier does not fit the code_challenge",
			badGrant},
	})
	used := kept.text("refresh_token")
	s.refresh(used)
	refuses(t, s, log, auth.EventReuse, "WARN", map[string]refusal{
		"a refresh token that comes again": {s.refreshing(used),
			"the refresh token was used before (RFC 9700 §4.14.2), see Config.Tokens.Grace and " +
				"Client.RefreshGrace, so that " +
				"the grant", badGrant},
	})
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"and once more": {s.refreshing(used),
			"the refresh token was used before (RFC 9700 §4.14.2), see Config.Tokens.Grace and " +
				"Client.RefreshGrace, and its " +
				"grant had ended already", badGrant},
		"and a code": {func() answer { return s.redeem(twice) },
			"the code was redeemed before, and its grant had ended already", badGrant},
	})
}

func TestUnitAnExpiredCodeOrTokenLeavesTheReasonInTheLog(t *testing.T) {
	s := newService(t, nil)
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		c := s.config
		c.Store, c.Logger = server.NewMemoryStore(), slog.New(slog.NewTextHandler(log, nil))
		srv, err := server.New(c)
		s.must(err)
		handlers, err := srv.Handlers(s.guard)
		s.must(err)
		_, secret, err := srv.AddClient(t.Context(), server.Registration{ClientID: "web", FirstParty: true,
			RedirectURIs: []string{"https://web.example/callback?a=b"},
			GrantTypes:   []string{"authorization_code", "refresh_token"}})
		s.must(err)
		send := func(method, path, body string, headers ...string) answer {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.AddCookie(&http.Cookie{Name: "login", Value: "alice:session:0"})
			for i := 0; i+1 < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			handlers.ServeHTTP(w, r)
			return answer{w.Result(), w.Body.String()}
		}
		redeem := func(pairs ...string) answer {
			form := with(url.Values{"redirect_uri": {"https://web.example/callback?a=b"}, "code_verifier": {verifier}},
				pairs...)
			return send("POST", "/o/token/", form.Encode(), "Authorization", basic("web", secret.Reveal()))
		}
		code := func() string { return send("GET", "/o/authorize/?"+query().Encode(), "").location("code") }
		tokens := redeem("grant_type", "authorization_code", "code", code())
		if tokens.StatusCode != 200 {
			t.Fatalf("want tokens, got %d %s", tokens.StatusCode, tokens.body)
		}
		late := code()
		expired := func(want string, request func() answer) {
			t.Helper()
			log.take()
			a := request()
			if got := log.take(); !strings.Contains(got, "level=INFO") || !strings.Contains(got, want) ||
				strings.Contains(a.body, "expired, see") {
				t.Errorf("want %s in the log alone, got %s and %s", want, got, a.body)
			}
		}
		time.Sleep(11 * time.Minute)
		expired("the grant has expired, see Lifetimes", func() answer {
			return redeem("grant_type", "authorization_code", "code", late)
		})
		expired("the access token has expired, see Lifetimes.Access", func() answer {
			return send("GET", "/o/userinfo/", "", "Authorization", "Bearer "+tokens.text("access_token"))
		})
		time.Sleep(15 * 24 * time.Hour)
		expired("has expired, see Lifetimes", func() answer {
			return redeem("grant_type", "refresh_token", "refresh_token", tokens.text("refresh_token"))
		})
	})
}

func TestUnitARefusedAuthorizationRequestLeavesTheReasonInTheLog(t *testing.T) {
	s, log := logged(t, nil)
	ask := func(pairs ...string) func() answer {
		return func() answer { return s.as("alice").authorize(pairs...) }
	}
	hint := s.tokens("bob").text("id_token")
	other := s.tokens("alice").text("id_token")
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"an unknown client": {ask("client_id", "nobody"), `no client is registered with this client_id: "nobody"`,
			"page"},
		"no client": {ask("client_id", "-"), `the client_id is missing`, "page"},
		"another address": {ask("redirect_uri", "https://evil.example/"+strings.Repeat("x", 500)),
			`client "web": …the redirect_uri is not registered: "https://evil.example/xxx…, want ` +
				`"https://web.example/callback?a=b", see Client.RedirectURIs`, "page"},
		"no address of several": {ask("client_id", "app", "redirect_uri", "-"),
			"the redirect_uri is missing, and the client has not exactly one", "page"},
		"no address, with openid": {ask("redirect_uri", "-"),
			"the redirect_uri is missing, which a request with the scope openid must have", "page"},
		"no response_type": {ask("response_type", "-"), `client "web": …the response_type is missing`,
			"invalid_request The response_type is missing."},
		"another response_type": {ask("response_type", "token"),
			`the response_type is not supported: "token", want "code"`,
			"unsupported_response_type The response_type must be code."},
		"another response_mode": {ask("response_mode", "fragment"), `the response_mode is not supported: "fragment"`,
			"invalid_request The response_mode must be query or form_post."},
		"a request object": {ask("request", "x"), "the request has a request or request_uri (RFC 9101)",
			"request_not_supported Request objects are not supported."},
		"an unknown scope": {ask("scope", "openid admin"), `the server has no such scope: "admin", see Config.Scopes`,
			"invalid_scope The scope has one that the client may not ask for."},
		"a malformed scope": {ask("scope", `a"b`), "a scope is malformed (RFC 6749 §3.3): ",
			"invalid_scope The scope is malformed."},
		"an unknown resource": {ask("resource", "https://evil.example/"),
			`the server has no such resource: "https://evil.example/"`,
			"invalid_target The resource is not known, or not for this client."},
		"no PKCE": {ask("code_challenge", "-"),
			"the code_challenge is missing (RFC 7636 §4.3), see Client.AllowWithoutPKCE",
			"invalid_request PKCE is required for this client. The code_challenge is missing."},
		"plain PKCE": {ask("code_challenge_method", "plain"),
			`the code_challenge_method is missing or not supported: "plain", want "S256"`,
			"invalid_request The code_challenge_method must be S256."},
		"a short challenge": {ask("code_challenge", "x"), `the code_challenge is not 43 characters of base64url: "x"`,
			"invalid_request The code_challenge is not 43 characters of base64url."},
		"a long nonce": {ask("nonce", strings.Repeat("x", 3000)), `a parameter is too long: "nonce"`,
			"invalid_request A parameter is too long."},
		"a long request": {ask("x", strings.Repeat("x", 70_000)), "longer than 65536 bytes", "page"},
		"an unknown prompt": {ask("prompt", "perhaps"),
			`the prompt is unknown: "perhaps", want "none" or "login" or "consent" or "select_account"`,
			"invalid_request The prompt is unknown."},
		"two prompts": {ask("prompt", "none login"), `the prompt none goes with no other: "none login"`,
			"invalid_request The prompt none goes with no other."},
		"a strange max_age": {ask("max_age", "soon"), `the max_age is no number of seconds: "soon"`,
			"invalid_request The max_age is no number of seconds."},
		"a strange hint": {ask("id_token_hint", "evil"),
			"the id_token_hint is refused: its form or signature is none of Config.Keys",
			"invalid_request The id_token_hint is no ID token of this server for the client."},
		"a hint for another client": {ask("id_token_hint", other, "client_id", "first", "redirect_uri",
			"https://first.example/cb"),
			`the id_token_hint is refused: its aud is not the client: "web", want "first"`, "invalid_request " +
				"The id_token_hint is no ID token of this server for the client."},
		"prompt=none for nobody": {func() answer { return s.stranger().authorize("prompt", "none") },
			"no user is signed in", "login_required The user must sign in."},
		"prompt=none for another user": {ask("prompt", "none", "id_token_hint", hint),
			`another user than that of the id_token_hint is signed in: "alice", want "bob"`, "login_required " +
				"The user must sign in."},
		"prompt=none and an old login": {func() answer {
			return s.asOf("alice", "session-alice", time.Now().Add(-time.Hour)).authorize("prompt", "none",
				"max_age", "60")
		}, "the login is older than max_age, or does not tell when it was", "login_required The user must sign in."},
		"prompt=none without a consent": {ask("prompt", "none", "scope", "openid write"),
			"the prompt is none, and the user has not agreed", "consent_required The user must agree."},
		"no agreement": {func() answer {
			page := s.as("alice").authorize("prompt", "consent")
			return s.as("alice").do("POST", "/o/authorize/", fields(page.body).Encode())
		}, "the user did not agree", "access_denied The user did not agree."},
		"a login for less": {func() answer {
			b := s.as("alice")
			b.cookie += ":read"
			return b.authorize()
		}, "insufficient", "access_denied The user signed in for less than that."},
	})
}

func TestUnitARefusedPageLeavesTheReasonInTheLog(t *testing.T) {
	s, log := logged(t, func(c *server.Config) {
		c.Clients.Developers = func(_ *http.Request, u auth.User, _ auth.Credential) error {
			if u.UserID() == "bob" {
				return &auth.Error{Kind: auth.ErrInsufficient, Cause: errors.New("bob is no developer")}
			}
			return nil
		}
	})
	consent := func(b *browser) url.Values { return fields(s.as("alice").authorize("prompt", "consent").body) }
	send := func(b *browser, form url.Values, headers ...string) answer {
		return b.do("POST", "/o/authorize/", with(form, "allow", "1").Encode(), headers...)
	}
	alice := s.as("alice")
	register := func(pairs ...string) func() answer {
		form := url.Values{"name": {"x"}, "client_type": {"public"}, "authorization_grant_type": {"authorization-code"},
			"redirect_uris": {"https://a.example/"}}
		return alice.doing("POST", "/o/applications/register/", with(form, pairs...).Encode())
	}
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"a form of another site": {func() answer { return send(alice, consent(alice), "Sec-Fetch-Site", "cross-site") },
			"cross-origin request", "page"},
		"a form of another user": {func() answer { return send(s.as("bob"), consent(alice)) },
			"the page was shown to another user", "page"},
		"a form of another session": {func() answer { return send(s.asOf("alice", "x", time.Now()), consent(alice)) },
			"the page was shown in another session of the user", "page"},
		"a form without a user": {func() answer { return send(s.stranger(), consent(alice)) }, "no user is signed in",
			"page"},
		"a form of no page": {func() answer { return send(alice, url.Values{"interaction": {"x"}}) },
			"the interaction is unknown, expired or answered, or of another page", "page"},
		"a return of no login": {alice.doing("GET", "/o/authorize/?interaction=x", ""),
			"the request in the address was changed or cut on the way, or sealed by other keys than " +
				"Config.Endpoints.RequestKeys", "page"},
		"no developer": {func() answer { return s.as("bob").do("GET", "/o/applications/", "") },
			`Config.Clients.Developers refused the user: …bob is no developer`, "page"},
		"an application of others": {alice.doing("GET", "/o/applications/web/", ""),
			`the client has another Owner than the user: "web"`, "page"},
		"an application of nobody": {alice.doing("GET", "/o/applications/none/", ""),
			`no client is registered with this client_id: "none"`, "page"},
		"an address that is not safe": {register("redirect_uris", "http://evil.example/"),
			`the redirect URI is not of an allowed form: "http://evil.example/"`, "page"},
		"no kind of client": {register("client_type", "strange"),
			`the client_type is neither confidential nor public: "strange"`, "page"},
		"a grant not for developers": {register("authorization_grant_type", "client-credentials"),
			`the grant is not for developers: "client_credentials", want "authorization_code" or ` +
				`"refresh_token", see Config.Clients.DeveloperGrants`,
			"page"},
		"a method of another page": {alice.doing("DELETE", "/o/applications/", ""),
			`the method is not one of the endpoint: "DELETE"`, "page"},
		"access for less": {func() answer {
			b := s.as("alice")
			b.cookie += ":read"
			return b.do("GET", "/o/authorized_tokens/", "")
		}, `limited to scopes: "read"`, "page"},
		"a logout to elsewhere": {alice.doing(
			"GET", "/o/logout/?client_id=web&post_logout_redirect_uri="+url.QueryEscape("https://evil.example/"), ""),
			`client "web": …the post_logout_redirect_uri is not registered: "https://evil.example/", want ` +
				`"https://web.example/bye", see Client.PostLogoutRedirectURIs`, "page"},
		"a logout with a strange hint": {alice.doing("GET", "/o/logout/?id_token_hint=evil", ""),
			"the id_token_hint is refused: its form or signature is none of Config.Keys", "page"},
		"a logout of an unknown client": {alice.doing("GET", "/o/logout/?client_id=none&post_logout_redirect_uri=x",
			""),
			`no client is registered with this client_id: "none"`, "page"},
	})
	t.Run("who stays signed in is no failure", func(t *testing.T) {
		page := alice.do("GET", "/o/logout/", "")
		log.take()
		if a := alice.do("POST", "/o/logout/", fields(page.body).Encode()); a.StatusCode != 200 {
			t.Errorf("want 200, got %d", a.StatusCode)
		}
		if got := log.take(); got != "" {
			t.Errorf("want no line, got %s", got)
		}
	})
}

func TestUnitARefusedUserInfoRequestLeavesTheReasonInTheLog(t *testing.T) {
	s, log := logged(t, nil)
	tokens := s.tokens("alice")
	read := s.tokens("alice", "scope", "read").text("access_token")
	ask := func(token string) func() answer {
		return func() answer { return s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+token) }
	}
	bob := s.tokens("bob").text("access_token")
	s.users.disable("bob", true)
	forged, err := jwt.Sign(s.keys.Signing(), "at+jwt", map[string]any{"iss": s.http.URL, "aud": s.http.URL,
		"sub":       "alice",
		"client_id": "web", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 60, "jti": "x"})
	s.must(err)
	refuses(t, s, log, auth.EventFailure, "INFO", map[string]refusal{
		"a refresh token": {ask(tokens.text("refresh_token")), "a refresh token came as an access token",
			"invalid_token "},
		"a code": {ask(s.as("alice").code()), "an authorization code came as an access token",
			"invalid_token "},
		"a JWT that was not issued": {ask(forged), "the jti of the JWT is none of this server", "invalid_token "},
		"no openid": {ask(read), `does not have the scope openid: "read", want "openid"`,
			"insufficient_scope "},
		"a user that is inactive": {ask(bob), "the user is inactive", "invalid_token "},
		"another scheme": {s.stranger().doing("GET", "/o/userinfo/", "", "Authorization", "Token x"),
			"the scheme of the Authorization header is not Bearer, or the token is in the query", " "},
		"two tokens": {s.stranger().doing("POST", "/o/userinfo/", "access_token=x", "Authorization", "Bearer x"),
			"an access_token came in the body beside the Authorization header", "invalid_request "},
	})
	t.Run("a request without a token is no failure", func(t *testing.T) {
		log.take()
		s.stranger().do("GET", "/o/userinfo/", "")
		if got := log.take(); got != "" {
			t.Errorf("want no line, got %s", got)
		}
	})
}

func TestUnitAnOutageIsAnErrorInTheLog(t *testing.T) {
	s, log := logged(t, func(c *server.Config) {
		c.Tokens.Claims = func(context.Context, server.ClaimsRequest) (map[string]any, error) {
			return nil, errors.New("claims are down")
		}
	})
	tokens := s.tokens("alice")
	s.users.down.Store(true)
	unavailable := "temporarily_unavailable The server cannot answer now."
	refuses(t, s, log, auth.EventFailure, "ERROR", map[string]refusal{
		"at the token endpoint": {s.refreshing(tokens.text("refresh_token")),
			`client "web": auth: user loader: users are down`, unavailable},
		"at introspection": {s.posting("/o/introspect/", "web", "token", tokens.text("access_token")),
			"users are down", unavailable},
	})
	s.users.down.Store(false)
	refuses(t, s, log, auth.EventFailure, "ERROR", map[string]refusal{
		"at userinfo": {s.stranger().doing("GET", "/o/userinfo/", "", "Authorization", "Bearer "+
			""+tokens.text("access_token")),
			"claims are down", unavailable},
	})
}
