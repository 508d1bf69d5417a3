package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

const inactive = "{\"active\":false}\n"

func TestWhatIntrospectionTells(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice", "scope", "openid read")
	a := s.post("/o/introspect/", "web", "token", tokens.text("access_token"), "token_type_hint", "refresh_token")
	for name, want := range map[string]any{"active": true, "iss": s.http.URL, "aud": s.http.URL, "client_id": "web",
		"sub": "alice", "scope": "openid read", "token_type": "Bearer", "username": "name of alice", "acr": "1"} {
		if a.json(name) != want {
			t.Errorf("%s: %v, want %v", name, a.json(name), want)
		}
	}
	exp, _ := a.json("exp").(float64)
	iat, _ := a.json("iat").(float64)
	if exp-iat != 600 || a.text("jti") == "" || a.json("auth_time") == nil ||
		a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s %v", a.body, a.Header)
	}
	r := s.post("/o/introspect/", "web", "token", tokens.text("refresh_token"))
	exp, _ = r.json("exp").(float64)
	if iat, _ := r.json("iat").(float64); r.json("active") != true || r.json("token_type") != nil ||
		r.json("token_use") != "refresh_token" || a.json("token_use") != nil || exp-iat != 14*24*3600 ||
		r.json("sub") != "alice" {
		t.Error(r.body)
	}
	job := s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")
	if a := s.post("/o/introspect/", "job", "token", job); a.json("sub") != "job" || a.json("username") != nil ||
		a.json("auth_time") != nil {
		t.Error(a.body)
	}
}

func TestIntrospectionTellsNothingToOthers(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice")
	other := s.tokens("alice", "resource", "https://other.example/")
	for sentence, row := range map[string]struct{ client, token string }{
		"unknown":                           {"web", "at_" + strings.Repeat("0", 40)},
		"no token":                          {"web", "evil"},
		"an ID token":                       {"web", tokens.text("id_token")},
		"a code":                            {"web", s.as("alice").code()},
		"of another client":                 {"job", tokens.text("access_token")},
		"a refresh token of another client": {"job", tokens.text("refresh_token")},
		"for another resource":              {"api", other.text("access_token")},
		"a refresh token, for a resource":   {"api", tokens.text("refresh_token")},
	} {
		if a := s.post("/o/introspect/", row.client, "token", row.token); a.StatusCode != 200 || a.body != inactive {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	if a := s.post("/o/introspect/", "api", "token", tokens.text("access_token")); a.json("active") != true {
		t.Errorf("for the resource that it is: %s", a.body)
	}
	refused(t, "a public client", s.post("/o/introspect/", "app", "token", tokens.text("access_token")), 401,
		"invalid_client")
	refused(t, "no token", s.post("/o/introspect/", "web"), 400, "invalid_request")
	used := tokens.text("refresh_token")
	s.refresh(used)
	if a := s.post("/o/introspect/", "web", "token", used); a.body != inactive {
		t.Errorf("a used refresh token: %s", a.body)
	}
	s.users.disable("alice", true)
	if a := s.post("/o/introspect/", "api", "token", tokens.text("access_token")); a.body != inactive {
		t.Errorf("of a disabled user: %s", a.body)
	}
}

func TestWhatRevocationEnds(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice")
	for sentence, row := range map[string]struct {
		client, token string
	}{"unknown": {"web", "at_" + strings.Repeat("0", 40)}, "no token": {"web", "evil"},
		"an ID token": {"web", tokens.text("id_token")}} {
		if a := s.post("/o/revoke_token/", row.client, "token", row.token); a.StatusCode != 200 || a.body != "" ||
			a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	refused(t, "none", s.post("/o/revoke_token/", "web"), 400, "invalid_request")
	for _, client := range []string{"job", "app"} {
		refused(t, client, s.post("/o/revoke_token/", client, "token", tokens.text("access_token")), 400,
			"invalid_grant")
		refused(t, client, s.post("/o/revoke_token/", client, "token", tokens.text("refresh_token")), 400,
			"invalid_grant")
	}
	if !s.good(tokens.text("access_token")) {
		t.Fatal("another client ended it")
	}
	for range 2 {
		if a := s.post("/o/revoke_token/", "web", "token", tokens.text("access_token"), "token_type_hint",
			"refresh_token"); a.StatusCode != 200 || s.good(tokens.text("access_token")) {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
	next := s.refresh(tokens.text("refresh_token"))
	if next.StatusCode != 200 {
		t.Fatalf("the refresh token went with it: %d", next.StatusCode)
	}
	if a := s.post("/o/revoke_token/", "web", "token", next.text("refresh_token"), "token_type_hint",
		"access_token"); a.StatusCode != 200 || s.good(next.text("access_token")) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	refused(t, "afterwards", s.refresh(next.text("refresh_token")), 400, "invalid_grant")

	public := s.as("alice").code("client_id", "app", "redirect_uri", "http://127.0.0.1:5/cb")
	a := s.post("/o/token/", "app", "grant_type", "authorization_code", "code", public, "redirect_uri",
		"http://127.0.0.1:5/cb", "code_verifier", verifier)
	if s.post("/o/revoke_token/", "app", "token", a.text("refresh_token")); s.good(a.text("access_token")) {
		t.Error("a public client cannot revoke its own")
	}
}

// parts returns the header and the claims of a JWT.
func parts(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestAnAccessTokenThatIsAJWT(t *testing.T) {
	s := newService(t, nil)
	a := s.tokens("alice", "resource", "https://jwt.example/api", "scope", "openid read")
	access := a.text("access_token")
	header, claims := parts(t, access)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] != s.keys.Signing().ID() {
		t.Errorf("%v", header)
	}
	for name, want := range map[string]any{"iss": s.http.URL, "aud": "https://jwt.example/api", "sub": "alice",
		"client_id": "web", "scope": "openid read", "acr": "1"} {
		if claims[name] != want {
			t.Errorf("%s: %v", name, claims[name])
		}
	}
	if claims["exp"].(float64)-claims["iat"].(float64) != 600 || claims["jti"] == "" || claims["auth_time"] == nil ||
		strings.Contains(claims["aud"].(string), "web") {
		t.Errorf("%v", claims)
	}
	if s.tokens("alice", "resource", "https://jwt.example/api").text("access_token") == access {
		t.Error("two are the same")
	}
	// Elsewhere, by the published keys.
	source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: s.http.URL, Audience: []string{"https://jwt.example/api"}})
	s.must(err)
	if token, err := source.Inspect(t.Context(), access); err != nil || token.Subject != "alice" ||
		token.ClientID != "web" || !slices.Equal(token.Scope, []string{"openid", "read"}) {
		t.Errorf("%+v, %v", token, err)
	}
	if _, err := source.Inspect(t.Context(), a.text("id_token")); auth.KindOf(err) != auth.ErrInvalid {
		t.Errorf("an ID token: %v", err)
	}
	// Here, it is looked up besides.
	if !s.good(access) {
		t.Error("not good here")
	}
	if a := s.post("/o/introspect/", "api", "token", access); a.json("active") != true ||
		a.text("jti") != claims["jti"] {
		t.Error(a.body)
	}
	s.post("/o/revoke_token/", "web", "token", access)
	if s.good(access) {
		t.Error("revoked, and good here")
	}
	mixed := s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+"&resource="+url.QueryEscape(
		"https://jwt.example/api")+"&resource="+url.QueryEscape("https://other.example/"), "")
	both := s.redeem(s.as("alice").allow(mixed).location("code"))
	if strings.Contains(both.text("access_token"), ".") {
		t.Error("a JWT for a resource that wants none")
	}
	if token, err := s.server.Inspect(t.Context(), both.text("access_token")); err != nil || len(token.Audience) != 2 {
		t.Errorf("%+v, %v", token, err)
	}
	one := s.refresh(both.text("refresh_token"), "resource", "https://jwt.example/api")
	if _, claims := parts(t, one.text("access_token")); claims["aud"] != "https://jwt.example/api" {
		t.Errorf("%v", claims)
	}
}

func TestNoOtherTokenIsAnAccessToken(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice")
	forged := func(typ string, claims map[string]any) string {
		all := map[string]any{"iss": s.http.URL, "aud": "https://jwt.example/api", "sub": "alice", "client_id": "web",
			"scope": "read", "iat": 1, "exp": 1 << 40, "jti": "x"}
		maps.Copy(all, claims)
		token, err := jwt.Sign(s.keys.Signing(), typ, all)
		s.must(err)
		return token
	}
	for sentence, token := range map[string]string{"a refresh token": tokens.text("refresh_token"),
		"an ID token": tokens.text("id_token"), "a code": s.as("alice").code(),
		"one that was never issued": forged("at+jwt", nil), "one of another type": forged("JWT", nil),
		"one for a client": forged("at+jwt", map[string]any{"aud": "web"})} {
		if _, err := s.server.Inspect(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
		if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer "+token); a.StatusCode != 401 {
			t.Errorf("%s at userinfo: %d", sentence, a.StatusCode)
		}
	}
	for _, token := range []string{"evil", "", forged("at+jwt", map[string]any{"iss": "https://other.example"})} {
		if _, err := s.server.Inspect(t.Context(), token); auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestAnIDTokenByEachAlgorithm(t *testing.T) {
	for _, algorithm := range []jwt.Algorithm{jwt.RS256, jwt.ES256, jwt.EdDSA, jwt.ES384} {
		t.Run(string(algorithm), func(t *testing.T) {
			key, err := jwt.GenerateKey(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := jwt.NewKeySet(key)
			if err != nil {
				t.Fatal(err)
			}
			s := newService(t, func(c *server.Config) { c.Keys, c.OpenID.IDTokenAlgorithm = keys, algorithm })
			a := s.tokens("alice", "nonce", "n-0S6_WzA2Mj")
			published := s.stranger().do("GET", "/o/.well-known/jwks.json", "")
			set, err := jwt.ParseJWKS([]byte(published.body))
			s.must(err)
			typ, text, err := jwt.Open(set, a.text("id_token"))
			if err != nil || typ != "jwt" {
				t.Fatalf("%s %v", typ, err)
			}
			claims := answer{body: string(text)}
			for name, want := range map[string]any{"iss": s.http.URL, "sub": "alice", "aud": "web",
				"nonce": "n-0S6_WzA2Mj", "acr": "1", "sid": "session-alice",
				"at_hash": server.HalfHash(algorithm, a.text("access_token"))} {
				if claims.json(name) != want {
					t.Errorf("%s: %v, want %v", name, claims.json(name), want)
				}
			}
			if claims.json("auth_time") == nil || claims.json("exp") == nil || claims.json("iat") == nil ||
				claims.json("client_id") != nil {
				t.Error(claims.body)
			}
			if refreshed := s.refresh(a.text("refresh_token")); idToken(t, refreshed)["nonce"] != nil ||
				idToken(t, refreshed)["auth_time"] != claims.json("auth_time") {
				t.Errorf("%v", idToken(t, refreshed))
			}
			if m := s.stranger().do("GET", "/.well-known/openid-configuration", ""); !slices.Equal(
				m.json("id_token_signing_alg_values_supported").([]any), []any{string(algorithm)}) {
				t.Error(m.body)
			}
		})
	}
	// The example of OpenID Connect Core, appendix A.3.
	if got := server.HalfHash(jwt.RS256,
		"jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); got != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Error(got)
	}
}

func TestUserInfo(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice", "scope", "openid read")
	bearer := "Bearer " + tokens.text("access_token")
	for sentence, a := range map[string]answer{
		"GET":             s.stranger().do("GET", "/o/userinfo/", "", "Authorization", bearer),
		"POST":            s.stranger().do("POST", "/o/userinfo/", "", "Authorization", bearer),
		"POST, in a form": s.stranger().do("POST", "/o/userinfo/", "access_token="+tokens.text("access_token")),
	} {
		if a.StatusCode != 200 || a.text("sub") != "alice" || a.text("name") != "alice" ||
			a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	for sentence, row := range map[string]struct {
		a      answer
		status int
		error  string
	}{
		"no token":  {s.stranger().do("GET", "/o/userinfo/", ""), 401, ""},
		"a session": {s.as("alice").do("GET", "/o/userinfo/", ""), 401, ""},
		"in the query": {s.stranger().do("GET", "/o/userinfo/?access_token="+tokens.text("access_token"), ""), 401,
			""},
		"a bad one": {s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer evil"), 401,
			"invalid_token"},
		"no value": {s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer"), 400,
			"invalid_request"},
		"two ways": {s.stranger().do("POST", "/o/userinfo/", "access_token=x", "Authorization", bearer), 400,
			"invalid_request"},
		"without openid": {s.stranger().do("GET", "/o/userinfo/", "", "Authorization",
			"Bearer "+s.tokens("alice", "scope", "read").text("access_token")), 403, "insufficient_scope"},
		"a program's": {s.stranger().do("GET", "/o/userinfo/", "", "Authorization",
			"Bearer "+s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")), 403,
			"insufficient_scope"},
	} {
		challenge := row.a.Header.Get("WWW-Authenticate")
		if row.a.StatusCode != row.status || !strings.HasPrefix(challenge, "Bearer realm=") ||
			strings.Contains(challenge, "error=") != (row.error != "") || row.error != "" &&
			!strings.Contains(challenge, `error="`+row.error+`"`) {
			t.Errorf("%s: %d %s", sentence, row.a.StatusCode, challenge)
		}
	}
	s.users.disable("alice", true)
	if a := s.stranger().do("GET", "/o/userinfo/", "", "Authorization", bearer); a.StatusCode != 401 {
		t.Errorf("a disabled user: %d", a.StatusCode)
	}
	if a := s.stranger().do("DELETE", "/o/userinfo/", ""); a.StatusCode != 405 {
		t.Errorf("%d", a.StatusCode)
	}
}

func TestMetadataListsWhatIsWiredAndNothingElse(t *testing.T) {
	endpoint := func(name string) bool { return strings.HasSuffix(name, "_endpoint") || name == "jwks_uri" }
	for sentence, row := range map[string]struct {
		change func(*server.Config)
		has    string
	}{
		"everything": {nil, "authorization_endpoint end_session_endpoint introspection_endpoint jwks_uri " +
			"revocation_endpoint token_endpoint userinfo_endpoint"},
		"without keys": {func(c *server.Config) { c.Keys, c.Resources = nil, nil },
			"authorization_endpoint introspection_endpoint revocation_endpoint token_endpoint"},
		"without a logout": {func(c *server.Config) {
			c.OpenID.Logout = nil
		},
			"authorization_endpoint introspection_endpoint jwks_uri revocation_endpoint token_endpoint " +
				"userinfo_endpoint"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := &service{}
			*s = *newBare(t, row.change)
			m := s.stranger().do("GET", "/.well-known/oauth-authorization-server", "")
			var all map[string]any
			s.must(json.Unmarshal([]byte(m.body), &all))
			var has []string
			for name, value := range all {
				if endpoint(name) {
					has = append(has, name)
					if a := s.stranger().do("GET", value.(string), ""); a.StatusCode == 404 || a.StatusCode >= 500 {
						t.Errorf("%s: %d", value, a.StatusCode)
					}
				}
			}
			slices.Sort(has)
			if got := strings.Join(has, " "); got != row.has {
				t.Errorf("%s", got)
			}
			if all["issuer"] != s.http.URL || all["authorization_response_iss_parameter_supported"] != true ||
				all["request_uri_parameter_supported"] != false ||
				!slices.Equal(all["code_challenge_methods_supported"].([]any), []any{"S256"}) ||
				!slices.Equal(all["response_types_supported"].([]any), []any{"code"}) {
				t.Error(m.body)
			}
			openid := s.stranger().do("GET", "/.well-known/openid-configuration", "")
			if (openid.StatusCode == 200) != (sentence != "without keys") || openid.StatusCode == 200 &&
				openid.body != m.body {
				t.Errorf("%d %s", openid.StatusCode, openid.body)
			}
			for _, path := range []string{"/o/device-authorization/", "/o/par/", "/o/register/"} {
				if a := s.stranger().do("POST", path, "a=b"); a.StatusCode != 404 {
					t.Errorf("%s: %d", path, a.StatusCode)
				}
			}
		})
	}
}

// newBare is newService without clients, for configurations that could not have them.
func newBare(t *testing.T, change func(*server.Config)) *service {
	t.Helper()
	s := newService(t, nil)
	if change == nil {
		return s
	}
	c := s.config
	c.Store = server.NewMemoryStore()
	mux := http.NewServeMux()
	s.http.Config.Handler = mux
	change(&c)
	var err error
	s.server, err = server.New(c)
	s.must(err)
	s.config = c
	s.handlers().Register(mux)
	return s
}

func TestAnIssuerWithAPathIsFoundInAllThreePlaces(t *testing.T) {
	s := newBare(t, func(c *server.Config) { c.Issuer, c.Endpoints.Path = c.Issuer+"/tenant", "/tenant/o" })
	for _, path := range []string{"/.well-known/oauth-authorization-server/tenant",
		"/.well-known/openid-configuration/tenant", "/tenant/.well-known/openid-configuration"} {
		if a := s.stranger().do("GET", path, ""); a.StatusCode != 200 || a.text("issuer") != s.http.URL+"/tenant" ||
			a.text("token_endpoint") != s.http.URL+"/tenant/o/token/" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	if a := s.stranger().do("GET", "/.well-known/openid-configuration", ""); a.StatusCode != 404 {
		t.Errorf("somebody else's: %d", a.StatusCode)
	}
}

// RFC 8414 §3.1 and OpenID Connect Discovery §4.1 leave out the slash at the end of an issuer.
func TestUnitAnIssuerWithASlashAtTheEnd(t *testing.T) {
	for _, issuer := range []string{"/tenant/", "/"} {
		t.Run(issuer+" is in the metadata as it is, and not in their address", func(t *testing.T) {
			s := newBare(t, func(c *server.Config) { c.Issuer += issuer })
			path := strings.TrimSuffix(issuer, "/")
			for _, at := range []string{"/.well-known/oauth-authorization-server" + path,
				"/.well-known/openid-configuration" + path,
				path + "/.well-known/openid-configuration"} {
				a := s.stranger().do("GET", at, "")
				if a.StatusCode != 200 || a.text("issuer") != s.http.URL+issuer ||
					a.text("token_endpoint") != s.http.URL+"/o/token/" {
					t.Errorf("%s: %d %s", at, a.StatusCode, a.body)
				}
			}
		})
	}
}

func TestTheHostOfARequestHasNoSay(t *testing.T) {
	s := newService(t, nil)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		plain := s.stranger().do("GET", path, "")
		if a := s.stranger().do("GET", path, "", "Host", "evil.example", "X-Forwarded-Host", "evil.example",
			"X-Forwarded-Proto", "https", "Forwarded", "host=evil.example"); a.body != plain.body ||
			a.StatusCode != 200 {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := s.as("alice").do("GET", "/o/authorize/?"+query("scope", "admin").Encode(), "", "Host",
		"evil.example"); a.location("iss") != s.http.URL {
		t.Error(a.Header.Get("Location"))
	}
}

func TestPagesOfOtherOriginsReadWhatTakesNoCookies(t *testing.T) {
	s := newService(t, nil)
	for path, open := range map[string]bool{"/o/token/": true, "/o/userinfo/": true,
		"/.well-known/openid-configuration": true, "/.well-known/oauth-authorization-server": true,
		"/o/.well-known/jwks.json": true,
		"/o/authorize/":            false, "/o/introspect/": false, "/o/revoke_token/": true, "/o/logout/": false,
		"/o/authorized_tokens/": false, "/o/applications/": false} {
		preflight := s.stranger().do("OPTIONS", path, "", "Origin", "https://spa.example",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
		plain := s.stranger().do("GET", path, "", "Origin", "https://spa.example")
		for sentence, a := range map[string]answer{"preflight": preflight, "request": plain} {
			if got := a.Header.Get("Access-Control-Allow-Origin"); (got == "*") != open || !open && got != "" ||
				a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s of %s: %v", sentence, path, a.Header)
			}
		}
		if open && preflight.StatusCode != 204 {
			t.Errorf("%s: %d", path, preflight.StatusCode)
		}
	}
}

func TestSigningOutAtAClientsRequest(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice", "scope", "openid read")
	offline := s.tokens("alice", "scope", "openid offline_access")
	elsewhere := s.redeem(s.asOf("alice", "elsewhere", s.now()).code("scope", "openid read"))
	hint := tokens.text("id_token")
	bye := url.QueryEscape("https://web.example/bye")
	logout := func(who *browser, parameters string) answer { return who.do("GET", "/o/logout/?"+parameters, "") }
	for sentence, parameters := range map[string]string{
		"an unregistered address":  "id_token_hint=" + hint + "&post_logout_redirect_uri=https://evil.example/",
		"an address, and nobody's": "post_logout_redirect_uri=" + bye,
		"another client's hint":    "client_id=app&id_token_hint=" + hint,
		"an unknown client":        "client_id=evil&post_logout_redirect_uri=" + bye,
		"a hint that is none":      "id_token_hint=evil",
		"an access token as hint":  "id_token_hint=" + tokens.text("access_token"),
		"something twice":          "client_id=web&client_id=web",
	} {
		shown(t, sentence, logout(s.as("alice"), parameters), 400)
	}
	if !s.good(tokens.text("access_token")) {
		t.Fatal("signed out by an error")
	}
	// Without a hint, or with another user's, it could be anybody's request.
	for sentence, a := range map[string]answer{
		"no hint":         logout(s.as("alice"), ""),
		"a client alone":  logout(s.as("alice"), "client_id=web&post_logout_redirect_uri="+bye+"&state=x"),
		"another user":    logout(s.as("bob"), "id_token_hint="+hint),
		"another session": logout(s.asOf("alice", "elsewhere", s.now()), "id_token_hint="+hint),
	} {
		if a.StatusCode != 200 || !strings.Contains(a.body, "Sign out of") || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	page := logout(s.as("alice"), "client_id=web&post_logout_redirect_uri="+bye+"&state=a%26b")
	for sentence, a := range map[string]answer{
		"of another user": s.as("bob").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode()),
		"from elsewhere": s.as("alice").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode(),
			"Sec-Fetch-Site", "cross-site"),
		"as a consent": s.as("alice").do("POST", "/o/authorize/", with(fields(page.body), "allow", "1").Encode()),
		"invented":     s.as("alice").do("POST", "/o/logout/", "allow=1"),
	} {
		if a.StatusCode != 403 || a.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d", sentence, a.StatusCode)
		}
	}
	if a := s.as("alice").do("POST", "/o/logout/",
		fields(logout(s.as("alice"), "").body).Encode()); a.StatusCode != 200 || a.Header.Get("Set-Cookie") != "" ||
		!strings.Contains(a.body, "still signed in") {
		t.Errorf("who stays: %d %s", a.StatusCode, a.body)
	}
	done := s.as("alice").do("POST", "/o/logout/", with(fields(page.body), "allow", "1").Encode())
	if done.StatusCode != 303 || done.Header.Get("Location") != "https://web.example/bye?state=a%26b" ||
		!strings.HasPrefix(done.Header.Get("Set-Cookie"), "login=;") {
		t.Errorf("%d %v", done.StatusCode, done.Header)
	}
	if s.good(tokens.text("access_token")) || s.refresh(tokens.text("refresh_token")).StatusCode != 400 {
		t.Error("what was granted in the session is good")
	}
	if !s.good(offline.text("access_token")) || !s.good(elsewhere.text("access_token")) {
		t.Error("what outlives the session, or is of another, has ended")
	}
	for range 2 { // it is done already, for whichever client
		if a := logout(s.stranger(), "id_token_hint="+hint+"&post_logout_redirect_uri="+bye); a.StatusCode != 303 ||
			a.Header.Get("Location") != "https://web.example/bye" {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
	}
	if a := logout(s.stranger(), ""); a.StatusCode != 200 || !strings.Contains(a.body, "You are signed out") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestAHintOfThisSessionSignsOutAtOnce(t *testing.T) {
	s := newService(t, nil)
	hint := s.tokens("alice", "scope", "openid").text("id_token")
	a := s.as("alice").do("POST", "/o/logout/",
		url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://web.example/bye"}}.Encode(),
		"Sec-Fetch-Site", "cross-site", "Origin", "https://web.example")
	if a.StatusCode != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/o/logout/?") ||
		a.Header.Get("Set-Cookie") != "" {
		t.Fatalf("from the client's page: %d %v", a.StatusCode, a.Header)
	}
	if a := s.as("alice").do("GET", a.Header.Get("Location"), ""); a.StatusCode != 303 ||
		a.Header.Get("Location") != "https://web.example/bye" || a.Header.Get("Set-Cookie") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	expired, err := jwt.Sign(s.keys.Signing(), "JWT", map[string]any{"iss": s.http.URL, "sub": "alice", "aud": "web",
		"exp": 1, "sid": "session-alice"})
	s.must(err)
	if a := s.as("alice").do("GET", "/o/logout/?id_token_hint="+expired, ""); a.StatusCode != 200 ||
		a.Header.Get("Set-Cookie") == "" {
		t.Errorf("an expired one: %d %v", a.StatusCode, a.Header)
	}
}

func TestAnUnavailableStoreOrKeyIs503AndNothingIsUsedUp(t *testing.T) {
	broken := &failing{}
	s := newService(t, func(c *server.Config) { broken.Store = c.Store; c.Store = broken })
	code := s.as("alice").code()
	refresh := s.tokens("bob").text("refresh_token")
	page := s.as("alice").authorize("prompt", "consent")
	requests := map[string]func() answer{
		"code":       func() answer { return s.redeem(code) },
		"refresh":    func() answer { return s.refresh(refresh) },
		"program":    func() answer { return s.post("/o/token/", "job", "grant_type", "client_credentials") },
		"introspect": func() answer { return s.post("/o/introspect/", "web", "token", refresh) },
		"revoke": func() answer {
			return s.post("/o/revoke_token/", "web", "token", "at_"+strings.Repeat("0", 40))
		},
		"userinfo": func() answer {
			return s.stranger().do("GET", "/o/userinfo/", "", "Authorization", "Bearer at_"+strings.Repeat("0", 40))
		},
		"authorize": func() answer { return s.as("alice").authorize() },
		"consent": func() answer {
			return s.as("alice").do("POST", "/o/authorize/", with(fields(page.body), "allow", "1").Encode())
		},
		"access":   func() answer { return s.as("alice").do("GET", "/o/authorized_tokens/", "") },
		"withdraw": func() answer { return s.as("alice").do("POST", "/o/authorized_tokens/app/delete/", "") },
		"logout":   func() answer { return s.as("alice").do("GET", "/o/logout/", "") },
		"list":     func() answer { return s.as("alice").do("GET", "/o/applications/", "") },
		"register": func() answer {
			return s.as("alice").do("POST", "/o/applications/register/",
				"name=x&client_type=public&authorization_grant_type=authorization_code&redirect_uris=https://a.example/")
		},
	}
	for name, request := range requests {
		for nth := int32(1); ; nth++ {
			broken.fail(nth)
			a := request()
			called := broken.calls.Load()
			broken.fail(0)
			if called < nth {
				break
			}
			unavailable := a.StatusCode == 503 && a.Header.Get("Retry-After") != "" || a.StatusCode == 303 &&
				a.location("error") == "temporarily_unavailable"
			if !unavailable || strings.Contains(a.body, "broken") {
				t.Errorf("%s, call %d failing: %d %v %s", name, nth, a.StatusCode, a.Header, a.body)
			}
		}
	}
	if refused := s.redeem(code); refused.StatusCode != 400 { // the loop above ended with a success
		t.Errorf("the code was redeemed and is good: %d", refused.StatusCode)
	}
}

func TestUsersOrKeysThatAreDownAre503AndNothingIsUsedUp(t *testing.T) {
	keys := &brokenKeys{}
	s := newService(t, func(c *server.Config) { keys.KeySource = c.Keys; c.Keys = keys })
	code, refresh := s.as("alice").code(), s.tokens("bob")
	for name, down := range map[string]func(bool){"users": s.users.down.Store,
		"keys": func(off bool) { keys.off = off }} {
		down(true)
		for sentence, a := range map[string]answer{"code": s.redeem(code),
			"refresh": s.refresh(refresh.text("refresh_token"))} {
			if a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s down, %s: %d %s", name, sentence, a.StatusCode, a.body)
			}
		}
		down(false)
	}
	s.users.down.Store(true)
	if a := s.post("/o/introspect/", "web", "token", refresh.text("access_token")); a.StatusCode != 503 {
		t.Errorf("introspection: %d %s", a.StatusCode, a.body)
	}
	s.users.down.Store(false)
	if a := s.redeem(code); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if a := s.refresh(refresh.text("refresh_token")); a.StatusCode != 200 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestAPasswordThatChangesEndsOtherGrants(t *testing.T) {
	s := newService(t, nil)
	kept, other := s.tokens("alice").text("access_token"), s.tokens("alice").text("access_token")
	token, err := s.server.Inspect(t.Context(), kept)
	s.must(err)
	s.users.changePassword("alice")
	r, err := http.NewRequestWithContext(auth.WithIdentity(t.Context(), user{"alice", "ax"}, token), "POST", "/", nil)
	s.must(err)
	s.must(s.server.RevokeOthers(nil, r, user{"alice", "ax"}))
	api, err := oauth2.New(oauth2.Config{Resource: s.http.URL, Sources: []oauth2.Source{s.server},
		LoadUser: s.users.load})
	s.must(err)
	if _, _, err := api.VerifyToken(context.Background(), kept); err != nil {
		t.Errorf("the one in use: %v", err)
	}
	if s.good(other) {
		t.Error("another one is good")
	}
}
