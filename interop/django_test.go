package interop

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/password"
)

// secret is what both sides sign with: 64 bytes.
const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// credentials are alice's, on both sides.
var credentials = map[string]any{"username": "alice", "password": "correct-horse-battery"}

// pair is a service with simplejwt, and one with ours beside it that shares its
// users and its secret, as docs/jwt.md says.
type pair struct {
	theirs, ours string // URLs
	tokens       *jwt.Tokens
}

// account is a user of Django's.
type account struct{ id, password string }

func (a account) UserID() string { return a.id }

func beside(t *testing.T) *pair {
	t.Helper()
	return besideWith(t, nil)
}

// besideWith is beside with arguments of django/server.py, and changes to our configuration.
func besideWith(t *testing.T, change func(*jwt.Config), args ...string) *pair {
	t.Helper()
	p := &pair{theirs: serve(t, secret+"\n", python(t), append([]string{"django/server.py"}, args...)...)}
	accounts := map[string]account{}
	for _, name := range []string{"alice", "inactive"} {
		who := map[string]any{"user": name}
		accounts[name] = account{ask(t, p.theirs+"/user", who, "id"), ask(t, p.theirs+"/user", who, "password")}
	}
	load := func(_ context.Context, id string) (auth.User, error) {
		switch id {
		case accounts["alice"].id:
			return accounts["alice"], nil
		case accounts["inactive"].id:
			return nil, auth.ErrUserInactive
		}
		return nil, auth.ErrUserNotFound
	}
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	passwords, err := password.New(password.Config{
		Hasher: hasher, AllowUnthrottled: true, // as Django is by itself
		Account: func(ctx context.Context, username string) (auth.User, string, error) {
			user, err := load(ctx, accounts[username].id)
			return user, accounts[username].password, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwt.NewKey(jwt.HS256, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	config := jwt.Config{
		Keys: keys, Store: jwt.NewMemoryStore(), LoadUser: load,
		Compat: jwt.Compatibility{
			Format: jwt.SimpleJWT(), AllowNoIssuer: true, AllowNoAudience: true, AllowNoSession: true},
	}
	if change != nil {
		change(&config)
	}
	p.tokens, err = jwt.New(config)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{p.tokens},
		Login: []auth.Authenticator{passwords}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := p.tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handlers.Register(mux, "/api/token")
	mux.Handle("GET /me", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_, _ = io.WriteString(w, `{"user":"`+user.UserID()+`"}`)
	})))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.ours = server.URL
	return p
}

// spec is a token that Django makes: see make in server.py.
type spec struct {
	Kind string         `json:"kind"`
	User string         `json:"user"` // alice, if it is empty
	Set  map[string]any `json:"set"`
	Drop []string       `json:"drop"`
}

func (p *pair) mint(t *testing.T, s spec) string {
	t.Helper()
	s.User = cmp.Or(s.User, "alice")
	return ask(t, p.theirs+"/make", s, "token")
}

// logIn logs alice in at a service.
func logIn(t *testing.T, service string) (access, refresh string) {
	t.Helper()
	text, err := json.Marshal(credentials)
	if err != nil {
		t.Fatal(err)
	}
	answer := send(t, "POST", service+"/api/token/", string(text), "Content-Type", "application/json")
	access, _ = answer.body["access"].(string)
	refresh, _ = answer.body["refresh"].(string)
	if access == "" || refresh == "" {
		t.Fatalf("login: %d %s", answer.status, answer.text)
	}
	return access, refresh
}

// post posts one member as JSON.
func post(t *testing.T, url, name, value string) response {
	t.Helper()
	return send(t, "POST", url, `{"`+name+`":"`+value+`"}`, "Content-Type", "application/json")
}

func TestTokensThatDjangoMadeAreAcceptedHere(t *testing.T) {
	p := beside(t)
	for sentence, s := range map[string]spec{
		"an access token":               {Kind: "access"},
		"with a number for the user":    {Kind: "access", Set: map[string]any{"user_id": 1}},
		"with claims of an application": {Kind: "access", Set: map[string]any{"team": "red"}},
		"by PyJWT, a number for the user": {Kind: "pyjwt", Set: map[string]any{
			"token_type": "access", "exp": 1 << 33, "iat": 1 << 30, "jti": "0123456789abcdef", "user_id": 1}},
	} {
		token := p.mint(t, s)
		if user, _, err := p.tokens.VerifyToken(t.Context(), token); err != nil || user.UserID() != "1" {
			t.Errorf("%s: %v %v", sentence, user, err)
		}
		if got := send(t, "GET", p.ours+"/me", "", "Authorization", "Bearer "+token); got.status != 200 ||
			got.body["user"] != "1" {
			t.Errorf("%s: %d %s", sentence, got.status, got.text)
		}
		if got := post(t, p.ours+"/api/token/verify/", "token", token); got.status != 200 {
			t.Errorf("%s, at verify/: %d %s", sentence, got.status, got.text)
		}
	}
	if _, _, err := p.tokens.VerifyToken(t.Context(), p.mint(t, spec{Kind: "refresh"})); auth.KindOf(
		err) != auth.ErrInvalid {
		t.Errorf("a refresh token as an access token: %v", err)
	}
}

func TestASlidingTokenThatDjangoMadeIsRefreshedHereOnce(t *testing.T) {
	p := beside(t)
	token := p.mint(t, spec{Kind: "sliding"})
	if _, _, err := p.tokens.VerifyToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	answer := post(t, p.ours+"/api/token/sliding/refresh/", "token", token)
	next, _ := answer.body["token"].(string)
	for _, service := range []string{p.ours, p.theirs} {
		if got := post(t, service+"/api/token/verify/", "token", next); got.status != 200 {
			t.Errorf("%d %s, then at %s %d %s", answer.status, answer.text, service, got.status, got.text)
		}
	}
	if got := post(t, p.ours+"/api/token/sliding/refresh/", "token", token); got.status != 401 ||
		got.body["detail"] != "Token is blacklisted" {
		t.Errorf("twice: %d %s", got.status, got.text)
	}
}

func TestARefreshTokenThatDjangoMadeIsRefreshedHereOnce(t *testing.T) {
	p := beside(t)
	for sentence, s := range map[string]spec{
		"of for_user":                {Kind: "refresh"},
		"with a number for the user": {Kind: "refresh", Set: map[string]any{"user_id": 1}},
	} {
		token := p.mint(t, s)
		answer := post(t, p.ours+"/api/token/refresh/", "refresh", token)
		access, _ := answer.body["access"].(string)
		if got := send(t, "GET", p.ours+"/me", "", "Authorization", "Bearer "+access); got.status != 200 ||
			got.body["user"] != "1" {
			t.Fatalf("%s: %d %s, then %d %s", sentence, answer.status, answer.text, got.status, got.text)
		}
		if got := send(t, "GET", p.theirs+"/me", "", "Authorization", "Bearer "+access); got.status != 200 ||
			got.body["user"] != "1" {
			t.Errorf("%s, at Django: %d %s", sentence, got.status, got.text)
		}
		if got := post(t, p.ours+"/api/token/refresh/", "refresh", token); got.status != 401 ||
			got.body["detail"] != "Token is blacklisted" {
			t.Errorf("%s, twice: %d %s", sentence, got.status, got.text)
		}
	}
}

func TestTokensThatWeMakeAreAcceptedByDjango(t *testing.T) {
	p := beside(t)
	access, refresh := logIn(t, p.ours)
	sliding := ask(t, p.ours+"/api/token/sliding/", credentials, "token")
	for _, row := range []struct {
		by, token, refused string
	}{
		{"AccessToken", access, ""},
		{"RefreshToken", refresh, ""},
		{"SlidingToken", sliding, ""},
		{"AccessToken", refresh, "Token has wrong type"},
		{"RefreshToken", access, "Token has wrong type"},
		{"AccessToken", access[:len(access)-6] + "AAAAAA", "Token is invalid"},
		{"UntypedToken", access, ""},
		{"UntypedToken", refresh, ""},
		{"PyJWT", access, ""},
		{"PyJWT", refresh, ""},
		{"PyJWT", sliding, ""},
		{"TokenVerifySerializer", access, ""},
		{"TokenVerifySerializer", refresh, ""},
	} {
		got := send(t, "POST", p.theirs+"/read", `{"by":"`+row.by+`","token":"`+row.token+`"}`)
		said, _ := got.body["error"].(string)
		if said != row.refused || (got.status == 200) != (row.refused == "") {
			t.Errorf("%s: %d %s, want %q", row.by, got.status, got.text, row.refused)
		}
		if row.refused == "" && row.by != "TokenVerifySerializer" && got.body["user_id"] != "1" {
			t.Errorf("%s: %s", row.by, got.text)
		}
	}
	if got := send(t, "GET", p.theirs+"/me", "", "Authorization", "Bearer "+access); got.status != 200 ||
		got.body["user"] != "1" {
		t.Errorf("at a view of Django: %d %s", got.status, got.text)
	}
	answer := post(t, p.theirs+"/api/token/refresh/", "refresh", refresh)
	theirs, _ := answer.body["access"].(string)
	if got := send(t, "GET", p.theirs+"/me", "", "Authorization", "Bearer "+theirs); got.status != 200 {
		t.Errorf("refreshed by Django: %d %s", answer.status, strings.TrimSpace(answer.text))
	}
}
