package header_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/knox"
)

func newAPIKey(t testing.TB, verifier auth.TokenVerifier) *header.APIKey {
	t.Helper()
	return must[*header.APIKey](t)(header.NewAPIKey(header.APIKeyConfig{Header: "X-API-Key", Verifier: verifier}))
}

func newTokens(t testing.TB, p *people) *knox.Tokens {
	t.Helper()
	return must[*knox.Tokens](t)(knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: p.Load}))
}

// issue returns a token of alice's.
func issue(t testing.TB, tokens *knox.Tokens, options knox.Options) string {
	t.Helper()
	return must[*knox.Issued](t)(tokens.Issue(context.Background(), "alice", options)).Secret.Reveal()
}

func TestAPIKeyIsAKnoxTokenByAnotherCarrier(t *testing.T) {
	p := newPeople("alice")
	tokens := newTokens(t, p)
	key := issue(t, tokens, knox.Options{Name: "nightly export", Scopes: []string{"reports:read"}, Limited: true})
	last := byte('a')
	if key[len(key)-1] == last {
		last = 'b'
	}
	tests := []struct {
		sentence string
		lines    []string
		status   int
		code     string
	}{
		{"a key is good", []string{key}, 200, ""},
		{"spaces around it are not of it", []string{" " + key + "\t"}, 200, ""},
		{"no header is no credential", nil, 401, "not_authenticated"},
		{"an empty one is no credential", []string{""}, 401, "not_authenticated"},
		{"a blank one is no credential", []string{" \t"}, 401, "not_authenticated"},
		{"a key of one other character is refused", []string{key[:len(key)-1] + string(last)}, 401, "invalid_token"},
		{"what is no token of ours is refused", []string{"sk_live_abc"}, 401, "invalid_token"},
		{"two lines are refused", []string{key, key}, 400, "invalid_request"},
		{"two lines are refused, empty ones too", []string{"", key}, 400, "invalid_request"},
		{"two keys in a line are refused", []string{key + "," + key}, 400, "invalid_request"},
		{"a scheme before it is refused", []string{"Token " + key}, 400, "invalid_request"},
		{"a NUL is refused", []string{key + "\x00"}, 400, "invalid_request"},
		{"a line break is refused", []string{key + "\n"}, 400, "invalid_request"},
		{"bytes outside ASCII are refused", []string{key + "\xff"}, 400, "invalid_request"},
		{"letters outside ASCII are refused", []string{key + "ü"}, 400, "invalid_request"},
		{"padding alone is refused", []string{"=="}, 400, "invalid_request"},
		{"padding inside is refused", []string{"a=b"}, 400, "invalid_request"},
		{"8 KiB are not too long", []string{strings.Repeat("k", 8<<10)}, 401, "invalid_token"},
		{"a byte more is refused", []string{strings.Repeat("k", 8<<10+1)}, 400, "invalid_request"},
	}
	keys := newAPIKey(t, tokens)
	guard := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{keys}}))
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			r := request(outside)
			r.Header["X-Api-Key"] = tt.lines
			a := ask(t, guard.Require(auth.Scopes("reports:read")), r)
			if a.status != tt.status || a.code != tt.code {
				t.Fatalf("%d %q %q, want %d %q", a.status, a.code, a.detail, tt.status, tt.code)
			}
			if a.header.Get("Vary") != "X-Api-Key" {
				t.Errorf("Vary: %q", a.header["Vary"])
			}
			if want := `ApiKey realm="api", header="X-Api-Key"`; a.status == 401 &&
				!slices.Equal(a.challenges, []string{want}) {
				t.Errorf("challenges %q, want %q", a.challenges, want)
			}
			if token, ok := a.credential.(*knox.Token); a.status == 200 &&
				(a.userID != "alice" || !ok || token.Name() != "nightly export") {
				t.Errorf("user %q, credential %v", a.userID, a.credential)
			}
		})
	}
	t.Run("the twin with an underscore is never read", func(t *testing.T) {
		if a := ask(t, guard.Optional(), request(outside, "X_Api_Key", key, "X_API_KEY", key)); a.userID != "" ||
			!a.reached {
			t.Errorf("%d, user %q", a.status, a.userID)
		}
	})
	t.Run("a query parameter is never read", func(t *testing.T) {
		r := request(outside)
		r.URL.RawQuery = "x-api-key=" + key + "&X-API-Key=" + key + "&api_key=" + key
		if a := ask(t, guard.Optional(), r); a.userID != "" || !a.reached {
			t.Errorf("%d, user %q", a.status, a.userID)
		}
	})
	t.Run("scopes are the token's", func(t *testing.T) {
		if a := ask(t, guard.Require(auth.Scopes("reports:write")),
			request(outside, "X-Api-Key", key)); a.status != 403 {
			t.Errorf("got status %d, want 403", a.status)
		}
	})
	t.Run("another origin is not refused: no browser adds the header", func(t *testing.T) {
		r := request(outside, "X-Api-Key", key, "Sec-Fetch-Site", "cross-site")
		r.Method = http.MethodPost
		if a := ask(t, guard.Require(), r); a.status != 200 {
			t.Errorf("got status %d, want 200", a.status)
		}
	})
	t.Run("a disabled user is out at once", func(t *testing.T) {
		p.set(func(p *people) { p.failed["alice"] = auth.ErrUserInactive })
		if a := ask(t, guard.Optional(), request(outside, "X-Api-Key", key)); a.status != 401 ||
			a.detail != "User inactive or deleted." {
			t.Errorf("got %d %q, want 401 User inactive or deleted.", a.status, a.detail)
		}
	})
}

func TestAPIKeyStandsBesideTheBackendOfItsTokens(t *testing.T) {
	tokens := newTokens(t, newPeople("alice"))
	key := issue(t, tokens, knox.Options{})
	guard := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{tokens, newAPIKey(t, tokens)}}))
	for carrier, headers := range map[string][]string{
		"Authorization": {"Authorization", "Token " + key},
		"X-API-Key":     {"X-Api-Key", key},
	} {
		if a := ask(t, guard.Require(), request(outside, headers...)); a.userID != "alice" {
			t.Errorf("%s: got status %d and user %q, want alice", carrier, a.status, a.userID)
		}
	}
	a := ask(t, guard.Require(), request(outside, "X-Api-Key", "nonsense"))
	if want := []string{`Token realm="api"`, `ApiKey realm="api", header="X-Api-Key"`}; !slices.Equal(
		a.challenges, want) {
		t.Errorf("challenges %q, want %q", a.challenges, want)
	}
}

func TestWhatTheVerifierSaysIsTheAnswer(t *testing.T) {
	tests := []struct {
		sentence string
		err      error
		status   int
		userID   string
	}{
		{"a bad key is not rescued by a weaker backend", auth.ErrInvalid, 401, ""},
		{"nor is one that is malformed", auth.ErrMalformed, 400, ""},
		{"nor one that was tried too often", &auth.Error{Kind: auth.ErrThrottled, RetryAfter: time.Minute}, 429, ""},
		{"nor one that cannot be judged", errors.New("connection refused to db.internal"), 503, ""},
		{"an unrecognized one is for the next backend", auth.ErrUnrecognized, 200, "anybody"},
		{"a presented key cannot be absent", auth.ErrNoCredentials, 503, ""},
		{"nor by a statement", &auth.Error{Kind: auth.ErrNoCredentials}, 503, ""},
		{"nor by a wrapped one", fmt.Errorf("cache: %w", auth.ErrNoCredentials), 503, ""},
		{"neither user nor error is a bug", nil, 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			verifier := auth.TokenVerifierFunc(func(_ context.Context, token string) (auth.User,
				auth.Credential, error) {
				if token != "key" {
					t.Errorf("asked about %q", token)
				}
				return nil, nil, tt.err
			})
			a := ask(t, newGuard(t, newAPIKey(t, verifier), everybody).Optional(), request(outside, "X-Api-Key", "key"))
			if a.status != tt.status || a.userID != tt.userID || strings.Contains(a.detail, "internal") {
				t.Errorf("%d %q, user %q; want %d, %q", a.status, a.detail, a.userID, tt.status, tt.userID)
			}
		})
	}
}

func TestTwoVerifiersMayShareAHeader(t *testing.T) {
	tokens := func(name, prefix string) *knox.Tokens {
		return must[*knox.Tokens](t)(
			knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: newPeople("alice").Load, Name: name,
				Token: knox.TokenSettings{Prefix: prefix}}))
	}
	one, other := tokens("people", "acme_"), tokens("partners", "acmep_")
	second := must[*header.APIKey](t)(header.NewAPIKey(header.APIKeyConfig{
		Header: "x-api-key", Verifier: other, Name: "partnerkey", Scheme: "PartnerKey", Realm: `the "x"`}))
	guard := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{newAPIKey(t, one), second}}))
	for backend, key := range map[string]string{"people": issue(t, one, knox.Options{}),
		"partners": issue(t, other, knox.Options{})} {
		if a := ask(t, guard.Require(), request(outside, "X-Api-Key", key)); a.status != 200 ||
			a.credential.Backend() != backend {
			t.Errorf("%s: got %d %q, %v, want a credential of %s", backend, a.status, a.detail, a.credential, backend)
		}
	}
	a := ask(t, guard.Require(), request(outside, "X-Api-Key", "nonsense"))
	if want := `PartnerKey realm="the \"x\"", header="X-Api-Key"`; a.status != 401 || len(a.challenges) != 2 ||
		a.challenges[1] != want {
		t.Errorf("%d, challenges %q", a.status, a.challenges)
	}
}

func TestNewAPIKeyRefuses(t *testing.T) {
	verifier := newTokens(t, newPeople())
	configs := map[string]header.APIKeyConfig{
		"no verifier":                         {Header: "X-API-Key"},
		"a typed nil":                         {Header: "X-API-Key", Verifier: (*knox.Tokens)(nil)},
		"a nil function":                      {Header: "X-API-Key", Verifier: auth.TokenVerifierFunc(nil)},
		"no header":                           {Verifier: verifier},
		"a realm that no challenge can carry": {Header: "X-API-Key", Verifier: verifier, Realm: "a\r\nb"},
		"a scheme that is no name":            {Header: "X-API-Key", Verifier: verifier, Scheme: "Api Key"},
	}
	for _, name := range []string{"Authorization", "Cookie", "Host", "connection", "TE", "Upgrade",
		"Proxy-Authorization",
		"Content-Type", "X-Forwarded-For", "Origin", "Sec-Fetch-Site", "X API Key", "X_API_Key", "X-API-Key:",
		"X-Schlüssel"} {
		configs["the header "+name] = header.APIKeyConfig{Header: name, Verifier: verifier}
	}
	for _, scheme := range []string{"Basic", "bearer", "Digest", "DPoP", "Negotiate", "Token"} {
		configs["the scheme "+scheme] = header.APIKeyConfig{Header: "X-API-Key", Verifier: verifier, Scheme: scheme}
	}
	for sentence, config := range configs {
		if a, err := header.NewAPIKey(config); err == nil || a != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
}

func ExampleNewAPIKey() {
	users := newPeople("alice")
	tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: users.Load,
		Token: knox.TokenSettings{Prefix: "acme_"}})
	if err != nil {
		panic(err)
	}
	keys, err := header.NewAPIKey(header.APIKeyConfig{Header: "X-API-Key", Verifier: tokens})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{keys}})
	if err != nil {
		panic(err)
	}
	hello := guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := auth.CredentialFrom[*knox.Token](r.Context())
		_, _ = fmt.Fprint(w, "hello, ", token.Name())
	}))

	key, err := tokens.Issue(context.Background(), "alice", knox.Options{Name: "nightly export"})
	if err != nil {
		panic(err)
	}
	for _, presented := range []string{key.Secret.Reveal(), ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", presented)
		w := httptest.NewRecorder()
		hello.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, w.Body)
		} else {
			fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	// Output:
	// 200 hello, nightly export
	// 401 ApiKey realm="api", header="X-Api-Key"
}
