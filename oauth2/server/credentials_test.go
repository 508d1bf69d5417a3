package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// grantFunc is a grant of the application's own.
type grantFunc func(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse, error)

func (grantFunc) Name() string { return "urn:example:own" }

func (f grantFunc) Exchange(ctx context.Context, s *server.Server, r *server.TokenRequest) (
	*server.TokenResponse, error) {
	return f(ctx, s, r)
}

// newOwn is a service with a grant of the application's own, that the client own has.
func newOwn(t *testing.T, f grantFunc, change func(*server.Config)) *service {
	t.Helper()
	s := newService(t, func(c *server.Config) {
		c.Tokens.Grants = []server.GrantType{server.AuthorizationCode{}, server.RefreshToken{},
			server.ClientCredentials{}, f}
		if change != nil {
			change(c)
		}
	})
	s.add(server.Registration{ClientID: "own", GrantTypes: []string{"urn:example:own", "refresh_token"}})
	return s
}

func (s *service) own(pairs ...string) answer {
	s.Helper()
	return s.post("/o/token/", "own", append([]string{"grant_type", "urn:example:own"}, pairs...)...)
}

func TestAProgramIsItselfToWhoeverAsks(t *testing.T) {
	s := newService(t, nil)
	a := s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", "https://jwt.example/api")
	_, claims := parts(t, a.text("access_token"))
	if claims["sub"] != "job" || claims["client_id"] != "job" || claims["auth_time"] != nil || claims["amr"] != nil {
		t.Errorf("%v", claims)
	}
	source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: s.http.URL, Audience: []string{"https://jwt.example/api"}})
	s.must(err)
	opaque := s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")
	// There is a user of the same name, and that user must not be taken for it.
	for _, row := range []struct {
		sentence, resource, token string
		source                    oauth2.Source
	}{
		{"elsewhere, by its keys", "https://jwt.example/api", a.text("access_token"), source},
		{"here, a JWT", "https://jwt.example/api", a.text("access_token"), s.server},
		{"here", s.http.URL, opaque, s.server},
	} {
		api, err := oauth2.New(oauth2.Config{Resource: row.resource, Sources: []oauth2.Source{row.source},
			LoadUser: s.users.load})
		s.must(err)
		user, _, err := api.VerifyToken(t.Context(), row.token)
		if machine, ok := user.(auth.Machine); err != nil || !ok || machine.ID != "job" {
			t.Errorf("%s: %#v, %v", row.sentence, user, err)
		}
	}
}

func TestAUserOfTheNameOfAClientGivesItNothing(t *testing.T) {
	s := newService(t, nil)
	s.add(server.Registration{ClientID: "alice", RedirectURIs: []string{"https://web.example/callback?a=b"}})
	sent(t, s, "alice to alice", s.as("alice").authorize("client_id", "alice"), "access_denied")
	if a := s.as("bob").authorize("client_id", "alice"); a.StatusCode != 200 {
		t.Errorf("bob to alice: %d", a.StatusCode)
	}
	// Not by another spelling either, where users have several.
	issue := grantFunc(func(ctx context.Context, s *server.Server, r *server.TokenRequest) (
		*server.TokenResponse, error) {
		return s.Issue(ctx, server.Issuance{Client: r.Client, Type: "urn:example:own", UserID: r.Form.Get("user"),
			Scopes: []string{"read"}})
	})
	var users *users
	o := newOwn(t, issue, func(c *server.Config) {
		c.LoadUser = func(ctx context.Context, id string) (auth.User, error) {
			return users.load(ctx, strings.ToLower(id))
		}
	})
	users = o.users
	users.stamps["own"] = "x"
	for _, user := range []string{"own", "OWN"} {
		refused(t, user, o.own("user", user), 400, "invalid_grant")
	}
	if a := o.own("user", "Alice"); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	} else if token, err := o.server.Inspect(t.Context(), a.text("access_token")); err != nil ||
		token.Subject != "alice" {
		t.Errorf("%+v, %v", token, err)
	}
}

func TestAScopeAboutUsersIsNoPrograms(t *testing.T) {
	s := newService(t, nil)
	for _, scope := range []string{"openid", "profile", "email", "address", "phone", "offline_access", "read openid"} {
		refused(t, scope, s.post("/o/token/", "api", "grant_type", "client_credentials", "scope", scope), 400,
			"invalid_scope")
	}
	refused(t, "a malformed one", s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "read\"evil"),
		400, "invalid_scope")
	refused(t, "two spaces", s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "read  write"),
		400, "invalid_scope")
	if a := s.post("/o/token/", "job", "grant_type", "client_credentials", "scope", "write write"); a.text(
		"scope") != "write" {
		t.Errorf("twice the same: %d %s", a.StatusCode, a.body)
	}
	job := s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")
	client, err := s.server.Client(t.Context(), "job")
	s.must(err)
	_, err = s.server.DisableClient(t.Context(), client, true)
	s.must(err)
	if s.good(job) {
		t.Error("a disabled program has its token")
	}
	refused(t, "a disabled program", s.post("/o/token/", "job", "grant_type", "client_credentials"), 401,
		"invalid_client")
}

func TestAProgramThatIsDisabledWhileItAsksGetsNothing(t *testing.T) {
	s := newService(t, func(c *server.Config) { c.Store = disabling{c.Store} })
	refused(t, "disabled meanwhile", s.post("/o/token/", "job", "grant_type", "client_credentials"), 401,
		"invalid_client")
}

// disabling is a store where a client is disabled just before it gets something.
type disabling struct{ server.Store }

func (d disabling) Start(ctx context.Context, grant *server.Grant, tokens server.Tokens, limit int, evict bool) (
	server.Added, error) {
	client, err := d.Client(ctx, grant.ClientID)
	if err == nil {
		off := *client
		off.Disabled = true
		_, _, err = d.ChangeClient(ctx, &off, client.Updated)
	}
	if err != nil {
		return server.Added{}, err
	}
	return d.Store.Start(ctx, grant, tokens, limit, evict)
}

func TestWhatIssueRefuses(t *testing.T) {
	var issuance func(r *server.TokenRequest) server.Issuance
	var log bytes.Buffer
	s := newOwn(t, func(ctx context.Context, s *server.Server, r *server.TokenRequest) (*server.TokenResponse, error) {
		return s.Issue(ctx, issuance(r))
	}, func(c *server.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for sentence, row := range map[string]struct {
		issuance func(r *server.TokenRequest) server.Issuance
		status   int
		code     string
	}{
		"a scope that there is not": {func(r *server.TokenRequest) server.Issuance {
			return server.Issuance{Client: r.Client, Type: "x", Scopes: []string{"admin"}}
		}, 400, "invalid_scope"},
		"a scope of other clients": {func(r *server.TokenRequest) server.Issuance {
			narrow := *r.Client
			narrow.Scopes = []string{"write"}
			return server.Issuance{Client: &narrow, Type: "x", Scopes: []string{"read"}}
		}, 400, "invalid_scope"},
		"a resource that there is not": {func(r *server.TokenRequest) server.Issuance {
			return server.Issuance{Client: r.Client, Type: "x", Resources: []string{"https://evil.example/"}}
		}, 400, "invalid_target"},
		"an unknown user": {func(r *server.TokenRequest) server.Issuance {
			return server.Issuance{Client: r.Client, Type: "x", UserID: "nobody"}
		}, 400, "invalid_grant"},
		"without a client": {func(r *server.TokenRequest) server.Issuance { return server.Issuance{Type: "x"} }, 503,
			"temporarily_unavailable"},
		"without a type": {func(r *server.TokenRequest) server.Issuance { return server.Issuance{Client: r.Client} },
			503, "temporarily_unavailable"},
	} {
		issuance = row.issuance
		refused(t, sentence, s.own(), row.status, row.code)
	}
	if strings.Count(log.String(), "without a client or a type") != 2 {
		t.Errorf("whoever wrote the grant is not told: %s", log.String())
	}
}

func TestWhatAGrantOfOnesOwnDoesWrongIsNotTheClientsFault(t *testing.T) {
	var response *server.TokenResponse
	var err error
	s := newOwn(t, func(context.Context, *server.Server, *server.TokenRequest) (*server.TokenResponse, error) {
		return response, err
	}, nil)
	refused(t, "nothing", s.own(), 503, "temporarily_unavailable")
	err = errors.New("evil")
	refused(t, "an error", s.own(), 503, "temporarily_unavailable")
	err = &server.Error{Code: "invalid_grant", Description: "Say \"no\",\r\nback\\slash, ü.", Cause: errors.New("evil")}
	a := s.own()
	refused(t, "a description of other characters than those of RFC 6749 §5.2", a, 400, "invalid_grant")
	if a.text("error_description") != "Say no,backslash, ." {
		t.Error(a.body)
	}
}
