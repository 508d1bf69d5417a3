package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

const jwtAPI = "https://jwt.example/api"

func names(members map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(members)), " ")
}

func TestAJWTSaysWhatAnAPINeedsAndNoMore(t *testing.T) {
	s := newService(t, nil)
	header, claims := parts(t, s.tokens("alice", "resource", jwtAPI).text("access_token"))
	if names(header) != "alg kid typ" ||
		names(claims) != "acr amr aud auth_time client_id exp grant_id iat iss jti scope sub" {
		t.Errorf("of a user: %v %v", header, claims)
	}
	if amr, _ := claims["amr"].([]any); len(amr) != 1 || amr[0] != "pwd" {
		t.Errorf("%v", claims["amr"])
	}
	at, _ := claims["auth_time"].(float64)
	if ago := time.Since(time.Unix(int64(at), 0)); ago < 0 || ago > time.Minute {
		t.Errorf("auth_time %v ago", ago)
	}
	header, claims = parts(t, s.post("/o/token/", "job", "grant_type", "client_credentials", "resource", jwtAPI).text(
		"access_token"))
	if header["typ"] != "at+jwt" || names(claims) != "aud client_id exp grant_id iat iss jti scope sub" {
		t.Errorf("of a program: %v %v", header, claims)
	}
}

func TestAJWTIsForResourcesAloneAndForTheClientNever(t *testing.T) {
	s := newService(t, func(c *server.Config) {
		c.Resources = []server.Resource{{ID: c.Issuer}, {ID: jwtAPI, JWT: true},
			{ID: "https://second.example/", JWT: true}}
	})
	both := s.as("alice").do("GET", "/o/authorize/?"+query().Encode()+"&resource="+jwtAPI+"&resource=https://"+
		"second.example/", "")
	a := s.redeem(s.as("alice").allow(both).location("code"))
	_, claims := parts(t, a.text("access_token"))
	if aud, _ := claims["aud"].([]any); len(aud) != 2 || !slices.Contains(aud, any(jwtAPI)) ||
		!slices.Contains(aud, any("https://second.example/")) {
		t.Errorf("%v", claims["aud"])
	}
	if !s.good(a.text("access_token")) {
		t.Error("not good")
	}
	if a := s.post("/o/introspect/", "api", "token", a.text("access_token")); a.json("active") != true {
		t.Errorf("to one of them: %s", a.body)
	}
	// The same one twice is one (RFC 8707 §2).
	twice := s.stranger().do("POST", "/o/token/",
		"grant_type=refresh_token&resource="+jwtAPI+"&resource="+jwtAPI+"&refresh_token="+a.text("refresh_token"),
		"Authorization", basic("web", s.secrets["web"]))
	if _, claims := parts(t, twice.text("access_token")); claims["aud"] != jwtAPI {
		t.Errorf("%v", claims["aud"])
	}
}

// resigned is a token of ours again, with other claims (nil is without one) and
// another type, by a key.
func resigned(t *testing.T, key *jwt.Key, token, typ string, change map[string]any) string {
	t.Helper()
	_, claims := parts(t, token)
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	// Numbers as they were.
	for _, name := range []string{"exp", "iat", "auth_time"} {
		if f, ok := claims[name].(float64); ok {
			claims[name] = int64(f)
		}
	}
	text, err := jwt.Sign(key, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The tokens here are all known to the store by their "jti": nothing but what is
// changed speaks against them.
func TestAJWTThatDiffersInOneThingIsRefused(t *testing.T) {
	s := newService(t, nil)
	tokens := s.tokens("alice", "resource", jwtAPI, "scope", "openid read")
	real := tokens.text("access_token")
	other, err := jwt.GenerateKey(jwt.ES256)
	s.must(err)
	ours := s.keys.Signing()
	for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt"} {
		if !s.good(resigned(t, ours, real, typ, nil)) {
			t.Fatalf("as it is, %s, it is refused: the rows below prove nothing", typ)
		}
	}
	segments := strings.Split(real, ".")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for sentence, token := range map[string]string{
		"an ID token's type":        resigned(t, ours, real, "JWT", nil),
		"no type":                   resigned(t, ours, real, "", nil),
		"another issuer":            resigned(t, ours, real, "at+jwt", map[string]any{"iss": "https://evil.example"}),
		"a slash behind the issuer": resigned(t, ours, real, "at+jwt", map[string]any{"iss": s.http.URL + "/"}),
		"no issuer":                 resigned(t, ours, real, "at+jwt", map[string]any{"iss": nil}),
		"for a client":              resigned(t, ours, real, "at+jwt", map[string]any{"aud": "web"}),
		"for nobody":                resigned(t, ours, real, "at+jwt", map[string]any{"aud": nil}),
		"for a prefix":              resigned(t, ours, real, "at+jwt", map[string]any{"aud": jwtAPI + "/v2"}),
		"expired": resigned(t, ours, real, "at+jwt",
			map[string]any{"exp": time.Now().Add(-time.Second).Unix()}),
		"without an end":        resigned(t, ours, real, "at+jwt", map[string]any{"exp": nil}),
		"without a client":      resigned(t, ours, real, "at+jwt", map[string]any{"client_id": nil}),
		"without a time":        resigned(t, ours, real, "at+jwt", map[string]any{"iat": nil}),
		"without an identifier": resigned(t, ours, real, "at+jwt", map[string]any{"jti": nil}),
		"another identifier": resigned(t, ours, real, "at+jwt",
			map[string]any{"jti": "abc" + strings.Repeat("A", 26)}),
		"a short identifier":     resigned(t, ours, real, "at+jwt", map[string]any{"jti": "x"}),
		"an empty identifier":    resigned(t, ours, real, "at+jwt", map[string]any{"jti": ""}),
		"without a subject":      resigned(t, ours, real, "at+jwt", map[string]any{"sub": nil}),
		"another key":            resigned(t, other, real, "at+jwt", nil),
		"no signature":           segments[0] + "." + segments[1] + ".",
		"no algorithm":           header(`{"alg":"none","typ":"at+jwt"}`) + "." + segments[1] + ".",
		"its signature, changed": segments[0] + "." + segments[1] + "." + strings.Repeat("A", len(segments[2])),
		"an ID token":            tokens.text("id_token"),
	} {
		if _, err := s.server.Inspect(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid &&
			auth.KindOf(err) != auth.ErrUnrecognized {
			t.Errorf("%s: %v", sentence, err)
		}
		if a := s.post("/o/introspect/", "api", "token", token); a.StatusCode != 200 || a.body != inactive {
			t.Errorf("introspection of %s: %d %s", sentence, a.StatusCode, a.body)
		}
		if a := s.post("/o/revoke_token/", "web", "token", token); a.StatusCode != 200 {
			t.Errorf("revocation of %s: %d %s", sentence, a.StatusCode, a.body)
		}
	}
	if !s.good(real) {
		t.Error("revoking what is not the token has revoked it")
	}
}

func TestAJWTThatWasRevokedIsRefusedHereAtOnce(t *testing.T) {
	for sentence, revoke := range map[string]func(s *service, code string, a answer){
		"the token": func(s *service, _ string, a answer) {
			s.post("/o/revoke_token/", "web", "token", a.text("access_token"))
		},
		"its refresh token": func(s *service, _ string, a answer) {
			s.post("/o/revoke_token/", "web", "token", a.text("refresh_token"))
		},
		"its code again": func(s *service, code string, _ answer) { s.redeem(code) },
		"its session": func(s *service, _ string, _ answer) {
			_, err := s.server.EndSession(s.Context(), "session-alice")
			s.must(err)
		},
		"all of its user": func(s *service, _ string, _ answer) {
			_, err := s.server.RevokeAll(s.Context(), "alice")
			s.must(err)
		},
		"its consent": func(s *service, _ string, _ answer) {
			_, err := s.server.Withdraw(s.Context(), "alice", "web")
			s.must(err)
		},
		"its client": func(s *service, _ string, _ answer) {
			_, err := s.server.RemoveClient(s.Context(), "web")
			s.must(err)
		},
		"its grant": func(s *service, _ string, a answer) {
			_, claims := parts(s.T, a.text("access_token"))
			ended, err := s.server.Revoke(s.Context(), claims["grant_id"].(string))
			if s.must(err); !ended {
				s.Error("grant_id names no grant")
			}
		},
	} {
		s := newService(t, nil)
		code := s.as("alice").code("resource", jwtAPI, "scope", "openid read")
		a := s.redeem(code)
		if !s.good(a.text("access_token")) {
			t.Fatal("not good")
		}
		revoke(s, code, a)
		if _, err := s.server.Inspect(t.Context(), a.text("access_token")); auth.KindOf(err) != auth.ErrInvalid {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

func TestAnAPITakesNothingButAccessTokensThatAreForIt(t *testing.T) {
	s := newService(t, nil)
	api, err := oauth2.New(oauth2.Config{Resource: s.http.URL, Sources: []oauth2.Source{s.server},
		LoadUser: s.users.load})
	s.must(err)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{api}})
	s.must(err)
	handler := guard.Require(auth.Scopes("read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_ = json.NewEncoder(w).Encode(user.UserID())
	}))
	ask := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	tokens := s.tokens("alice", "scope", "openid read")
	if w := ask(tokens.text("access_token")); w.Code != 200 || w.Body.String() != "\"alice\"\n" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for sentence, token := range map[string]string{
		"an ID token":               tokens.text("id_token"),
		"a refresh token":           tokens.text("refresh_token"),
		"a code":                    s.as("alice").code(),
		"a token for another API":   s.tokens("alice", "resource", otherAPI).text("access_token"),
		"a JWT for another API":     s.tokens("alice", "resource", jwtAPI).text("access_token"),
		"one that was never issued": "at_" + strings.Repeat("0", 40),
	} {
		if w := ask(token); w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"),
			`error="invalid_token"`) {
			t.Errorf("%s: %d %v", sentence, w.Code, w.Header())
		}
	}
	if w := ask(s.tokens("alice", "scope", "write").text("access_token")); w.Code != 403 {
		t.Errorf("another scope: %d", w.Code)
	}
	if w := ask(s.post("/o/token/", "job", "grant_type", "client_credentials").text("access_token")); w.Code != 403 {
		t.Errorf("a program where people are meant: %d", w.Code)
	}
	s.users.down.Store(true)
	if w := ask(tokens.text("access_token")); w.Code != 503 {
		t.Errorf("users down: %d", w.Code)
	}
}

func TestKeysThatAreNotToBePublishedSignNothing(t *testing.T) {
	s := newService(t, nil)
	key, err := jwt.GenerateKey(jwt.HS256)
	s.must(err)
	shared, err := jwt.NewKeySet(key)
	s.must(err)
	verifying, err := jwt.NewKeySet(nil, s.keys.Signing())
	s.must(err)
	for sentence, keys := range map[string]*jwt.KeySet{"a secret": shared, "none that signs": verifying} {
		c := s.config
		c.Keys = keys
		if _, err := server.New(c); err == nil || !strings.Contains(err.Error(), "Keys") {
			t.Errorf("%s: %v", sentence, err)
		}
		// A source that has such keys later on is an outage.
		c.Keys = &brokenKeys{KeySource: keys}
		srv, err := server.New(c)
		s.must(err)
		later, err := srv.Handlers(s.guard)
		s.must(err)
		w := httptest.NewRecorder()
		later.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/openid-configuration", nil))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s, later: %d %s", sentence, w.Code, w.Body)
		}
		w = httptest.NewRecorder()
		later.ServeHTTP(w, httptest.NewRequest("GET", "/o/.well-known/jwks.json", nil))
		if strings.Contains(w.Body.String(), `"oct"`) || strings.Contains(w.Body.String(), `"d"`) {
			t.Errorf("%s is published: %s", sentence, w.Body)
		}
	}
}
