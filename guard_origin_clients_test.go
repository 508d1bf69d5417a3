package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// app is the origin of a single-page application on another host than its API.
const app = "https://app.example"

// cors is a middleware as applications have one: it tells browsers that scripts of app may
// call the API and read its answers (Fetch standard, "CORS protocol").
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Header.Get("Origin") == app {
			w.Header().Set("Access-Control-Allow-Origin", app)
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// crossOriginAPI serves logins, with alice among its users, behind cors.
func crossOriginAPI(t *testing.T, protection *http.CrossOriginProtection) *httptest.Server {
	t.Helper()
	hasher := must(password.NewHasher(password.HasherConfig{}))(t)
	hash := must(hasher.Hash(t.Context(), "correct-horse-battery"))(t)
	load := func(_ context.Context, id string) (auth.User, error) { return userID(id), nil }
	passwords := must(password.New(password.Config{Hasher: hasher, AllowUnthrottled: true,
		Account: func(context.Context, string) (auth.User, string, error) { return userID("alice"), hash, nil }}))(t)
	devices := must(knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: load}))(t)
	key := must(jwt.GenerateKey(jwt.ES256))(t)
	keys := must(jwt.NewKeySet(key))(t)
	pairs := must(jwt.New(jwt.Config{Issuer: "https://api.example", Keys: keys, Store: jwt.NewMemoryStore(),
		LoadUser: load}))(t)
	sessions := must(session.New(session.Config{Store: session.NewMemoryStore(), LoadUser: load}))(t)
	guard := must(auth.New(auth.Config{Backends: []auth.Authenticator{devices, pairs, sessions},
		Login: []auth.Authenticator{passwords}, CrossOrigin: protection}))(t)
	mux := http.NewServeMux()
	must(devices.Handlers(guard))(t).Register(mux, "/auth")
	must(pairs.Handlers(guard))(t).Register(mux, "/api/token")
	must(sessions.Handlers(guard))(t).Register(mux, "/session")
	mux.Handle("POST /api-token-auth/", must(devices.ObtainAuthToken(guard))(t))
	server := httptest.NewServer(cors(mux))
	t.Cleanup(server.Close)
	return server
}

type userID string

func (u userID) UserID() string { return string(u) }

// must returns a function that returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// script is a page's script in a browser: fetch in the mode "cors".
type script struct {
	t      *testing.T
	api    *httptest.Server
	origin string
}

// fetch asks for permission, as a browser does before it sends JSON or an Authorization
// header, and then sends a request. It reports whether the script may read the answer.
func (s script) fetch(path, body string, header ...string) (status int, answer map[string]any, readable bool) {
	s.t.Helper()
	do := func(method, body string, header ...string) *http.Response {
		r := must(http.NewRequest(method, s.api.URL+path, strings.NewReader(body)))(s.t)
		r.Header.Set("Origin", s.origin)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return must(s.api.Client().Transport.RoundTrip(r))(s.t)
	}
	preflight := do("OPTIONS", "", "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,content-type")
	_ = preflight.Body.Close()
	if preflight.StatusCode != 204 {
		s.t.Errorf("%s: got %d for the preflight, want 204", path, preflight.StatusCode)
	}
	response := do("POST", body, append(header, "Content-Type", "application/json")...)
	defer response.Body.Close()
	text := must(io.ReadAll(response.Body))(s.t)
	_ = json.Unmarshal(text, &answer)
	readable = preflight.Header.Get("Access-Control-Allow-Origin") == s.origin &&
		response.Header.Get("Access-Control-Allow-Origin") == s.origin
	return response.StatusCode, answer, readable
}

func TestUnitClientsOfAnotherOrigin(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin(app); err != nil {
		t.Fatal(err)
	}
	const login = `{"username":"alice","password":"correct-horse-battery"}`
	t.Run("an origin that is trusted logs in, refreshes and logs out", func(t *testing.T) {
		s := script{t, crossOriginAPI(t, trusting), app}
		want := func(path, body string, status int, header ...string) map[string]any {
			t.Helper()
			got, answer, readable := s.fetch(path, body, header...)
			if got != status || !readable {
				t.Errorf("%s: got %d %v, readable: %v, want %d and readable", path, got, answer, readable, status)
			}
			return answer
		}
		text := func(answer map[string]any, name string) string { s, _ := answer[name].(string); return s }
		device := "Token " + text(want("/auth/login/", login, 200), "token")
		want("/auth/logout/", "", 204, "Authorization", device)
		want("/auth/logout/", "", 401, "Authorization", device)
		device = "Token " + text(want("/api-token-auth/", login, 200), "token")
		want("/auth/logoutall/", "", 204, "Authorization", device)

		pair := want("/api/token/", login, 200)
		next := want("/api/token/refresh/", `{"refresh":"`+text(pair, "refresh")+`"}`, 200)
		want("/api/token/verify/", `{"token":"`+text(next, "access")+`"}`, 200)
		want("/api/token/logoutall/", "", 204, "Authorization", "Bearer "+text(next, "access"))
		sliding := want("/api/token/sliding/", login, 200)
		sliding = want("/api/token/sliding/refresh/", `{"token":"`+text(sliding, "token")+`"}`, 200)
		want("/api/token/blacklist/", `{"refresh":"`+text(sliding, "token")+`"}`, 200)
		want("/session/login", login, 200)
	})
	t.Run("another origin, and each origin without the setting, is refused at all of them", func(t *testing.T) {
		for origin, protection := range map[string]*http.CrossOriginProtection{
			"https://evil.example": trusting, app: nil} {
			s := script{t, crossOriginAPI(t, protection), origin}
			for _, path := range []string{"/auth/login/", "/auth/logout/", "/auth/logoutall/", "/api-token-auth/",
				"/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/",
				"/api/token/sliding/", "/api/token/sliding/refresh/", "/api/token/logoutall/", "/session/login",
				"/session/logout"} {
				status, answer, readable := s.fetch(path, login)
				if status != 403 || answer["code"] != "cross_origin" || readable != (origin == app) {
					t.Errorf("%s from %s: got %d %v, readable: %v, want 403 cross_origin", path, origin, status,
						answer, readable)
				}
			}
		}
	})
}
