package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// anon marks a row where Optional lets the request through without a user.
const anon = "anonymous"

// TestOutcomes is the table of outcomes: what each of them does to Require and
// to Optional, over a real connection.
func TestOutcomes(t *testing.T) {
	const outageCause = "dial tcp 10.9.9.9: password for user admin"
	basic := func(err error) *backend { return speaking("Basic", err) }
	header := func() *backend { // reads no Authorization at all
		return &backend{name: "header", answer: func(*http.Request) (auth.User, auth.Credential, error) {
			return user("header-user"), nil, nil
		}, challenges: []auth.Challenge{{Scheme: "Header"}}}
	}
	rows := []struct {
		name     string
		backends []auth.Authenticator
		lines    []string // of Authorization
		policies []auth.Policy
		optional string // body of Optional where it differs: anon
		status   int
		body     string // of a 200
		code     string
		detail   string
		error    string // attribute of the first challenge; "-" is no error
		retry    string
	}{
		{name: "a proof stops the chain and the handler runs", backends: []auth.Authenticator{speaking("Token", nil),
			speaking("Bearer", auth.ErrInvalid)}, status: 200, body: "token-user"},
		{name: "no header is absent", backends: []auth.Authenticator{tokens("Token", "Bearer")}, optional: anon,
			status: 401,
			code:   "not_authenticated", detail: "Authentication credentials were not provided.", error: "-"},
		{name: "an empty Authorization is absent", backends: []auth.Authenticator{tokens("Token")}, lines: []string{""},
			optional: anon, status: 401, code: "not_authenticated", error: "-"},
		{name: "an Authorization of spaces is absent", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{" \t "}, optional: anon, status: 401, code: "not_authenticated", error: "-"},
		{name: "a scheme nobody here speaks is absent", backends: []auth.Authenticator{tokens("Token", "Bearer")},
			lines: []string{"Digest x"}, optional: anon, status: 401, code: "not_authenticated", error: "-",
			detail: "The scheme of the Authorization header is not accepted here. See WWW-Authenticate."},
		{name: "a scheme that is misspelled is malformed", backends: []auth.Authenticator{tokens("Token", "Bearer")},
			lines: []string{"Bearer: x"}, status: 400, code: "invalid_request", error: "invalid_request"},
		{name: "a scheme is read in any case", backends: []auth.Authenticator{tokens("Token", "Bearer")},
			lines: []string{"bEARER good-alice"}, status: 200, body: "alice"},
		{name: "spaces and tabs before the token are skipped",
			backends: []auth.Authenticator{tokens("Token", "Bearer")}, lines: []string{"Token  \t good-alice "},
			status: 200, body: "alice"},
		{name: "after an unrecognized credential the next backend may prove",
			backends: []auth.Authenticator{speaking("Bearer", auth.ErrUnrecognized), basic(nil)},
			lines:    []string{"Bearer x"}, status: 200, body: "basic-user"},
		{name: "an unrecognized credential nobody proves is refused",
			backends: []auth.Authenticator{basic(auth.ErrNoCredentials), tokens("Bearer")}, lines: []string{
				"Bearer other-1"}, status: 401,
			code: "invalid_token", detail: "Invalid token.", error: "invalid_token"},
		{name: "an invalid credential is refused though a weaker backend would prove",
			backends: []auth.Authenticator{speaking("Bearer", auth.ErrInvalid), basic(nil)}, lines: []string{
				"Bearer x"}, status: 401,
			code: "authentication_failed", detail: "Incorrect authentication credentials.", error: "invalid_token"},
		{name: "an invalid credential has the backend's own words", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token bad"}, status: 401, code: "authentication_failed", detail: "Invalid token.",
			error: "invalid_token"},
		{name: "an inactive user is invalid", backends: []auth.Authenticator{speaking("Token", auth.ErrUserInactive)},
			lines: []string{"Token x"}, status: 401, code: "authentication_failed", detail: "User inactive or deleted.",
			error: "invalid_token"},
		{name: "a deleted user is invalid",
			backends: []auth.Authenticator{speaking("Token", fmt.Errorf("row 7: %w", auth.ErrUserNotFound))},
			lines:    []string{"Token x"}, status: 401, code: "authentication_failed",
			detail: "User inactive or deleted.", error: "invalid_token"},
		{name: "two Authorization lines are malformed", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token good-a", "Token good-a"}, status: 400, code: "invalid_request",
			detail: "More than one Authorization header.", error: "-"},
		{name: "two Authorization lines of unknown schemes are malformed",
			backends: []auth.Authenticator{tokens("Token")}, lines: []string{"Digest a", "Hawk b"}, status: 400,
			code: "invalid_request", error: "-"},
		{name: "two Authorization lines, one of them empty, are malformed",
			backends: []auth.Authenticator{tokens("Token")}, lines: []string{"", "Token good-a"}, status: 400,
			code: "invalid_request", error: "-"},
		{name: "two Authorization lines are malformed where no backend reads them",
			backends: []auth.Authenticator{header()}, lines: []string{"Digest a", "Digest b"}, status: 400,
			code: "invalid_request", error: "-"},
		{name: "Bearer alone is malformed", backends: []auth.Authenticator{tokens("Token", "Bearer")},
			lines: []string{"Bearer"}, status: 400, code: "invalid_request",
			detail: "Invalid token header. No credentials provided.", error: "invalid_request"},
		{name: "junk after a Bearer token is malformed", backends: []auth.Authenticator{tokens("Bearer")},
			lines: []string{"Bearer good-a b"}, status: 400, code: "invalid_request",
			detail: "Invalid token header. Token string should not contain spaces.", error: "invalid_request"},
		{name: "a comma in a Bearer token is malformed", backends: []auth.Authenticator{tokens("Bearer")},
			lines: []string{"Bearer a,b"}, status: 400, code: "invalid_request",
			detail: "Invalid token header. Token string should not contain invalid characters.",
			error:  "invalid_request"},
		{name: "byte 0xFF in a Bearer token is malformed", backends: []auth.Authenticator{tokens("Bearer")},
			lines: []string{"Bearer a\xff"}, status: 400, code: "invalid_request", error: "invalid_request"},
		{name: "DPoP alone is malformed", backends: []auth.Authenticator{tokens("DPoP")}, lines: []string{"dpop"},
			status: 400, code: "invalid_request", error: "invalid_request"},
		{name: "Token alone is malformed but 401", backends: []auth.Authenticator{tokens("Token", "Bearer")},
			lines: []string{"Token"}, status: 401, code: "invalid_request",
			detail: "Invalid token header. No credentials provided.", error: "invalid_request"},
		{name: "junk after a Token is malformed but 401", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token a b"}, status: 401, code: "invalid_request",
			detail: "Invalid token header. Token string should not contain spaces.", error: "invalid_request"},
		{name: "byte 0xFF in a Token is malformed but 401", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token \xff"}, status: 401, code: "invalid_request",
			detail: "Invalid token header. Token string should not contain invalid characters.",
			error:  "invalid_request"},
		{name: "more than 8 KiB is malformed", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token " + strings.Repeat("a", auth.MaxAuthorization)}, status: 400,
			code: "invalid_request", detail: "Authorization header is too long.", error: "-"},
		{name: "8 KiB is read", backends: []auth.Authenticator{tokens("Token")},
			lines: []string{"Token " + strings.Repeat("a", auth.MaxAuthorization-6)}, status: 401,
			code: "authentication_failed", error: "invalid_token"},
		{name: "a malformed credential stops the chain", backends: []auth.Authenticator{tokens("Bearer"), basic(nil)},
			lines: []string{"Bearer"}, status: 400, code: "invalid_request", error: "invalid_request"},
		{name: "a proof that is not enough is 403 with the scopes that are",
			backends: []auth.Authenticator{tokens("Bearer")}, lines: []string{"Bearer good-a"}, policies: []auth.Policy{
				auth.Scopes("r", "w")}, status: 403,
			code: "insufficient_scope", detail: "You do not have permission to perform this action.",
			error: "insufficient_scope"},
		{name: "an old login is 401 with what to ask for", backends: []auth.Authenticator{tokens("Bearer")},
			lines: []string{"Bearer good-a"}, policies: []auth.Policy{auth.Fresh(time.Minute, "mfa")}, status: 401,
			code: "insufficient_user_authentication", detail: "A more recent or stronger authentication is required.",
			error: "insufficient_user_authentication"},
		{name: "too many tries are 429",
			backends: []auth.Authenticator{
				speaking("Basic", &auth.Error{Kind: auth.ErrThrottled, RetryAfter: 59*time.Second + time.Millisecond}),
				speaking("Token", nil)}, status: 429,
			code: "throttled", detail: "Request was throttled. Expected available in 60 seconds.", error: "-",
			retry: "60"},
		{name: "throttled without a time waits a second",
			backends: []auth.Authenticator{speaking("Basic", auth.ErrThrottled)}, status: 429, code: "throttled",
			error: "-", retry: "1"},
		{name: "throttled stays 429 whatever else the error says",
			backends: []auth.Authenticator{speaking("Basic", &auth.Error{Kind: auth.ErrThrottled, Status: 401})},
			status:   429, code: "throttled", error: "-", retry: "1"},
		{name: "an outage is 503, stops the chain and tells nothing",
			backends: []auth.Authenticator{speaking("Token", errors.New(outageCause)), basic(nil)}, lines: []string{
				"Token x"}, status: 503,
			code: "unavailable", detail: "Authentication is temporarily unavailable.", error: "-", retry: "5"},
		{name: "an outage may say when to come back, and no more",
			backends: []auth.Authenticator{
				speaking("Token", &auth.Error{Detail: outageCause, Code: "secret", RetryAfter: 90 * time.Second,
					Cause: errors.New(outageCause)})}, status: 503,
			code: "unavailable", detail: "Authentication is temporarily unavailable.", error: "-", retry: "90"},
		{name: "an outage is never 401",
			backends: []auth.Authenticator{speaking("Token", &auth.Error{Status: 401, Cause: errors.New(outageCause)})},
			lines:    []string{"Token x"}, status: 503, code: "unavailable", error: "-", retry: "5"},
		{name: "an outage caused by an invalid row is an outage",
			backends: []auth.Authenticator{speaking("Token", &auth.Error{Cause: auth.ErrInvalid})},
			lines:    []string{"Token x"}, status: 503, code: "unavailable", error: "-", retry: "5"},
		{name: "a nil *Error that became an error is an outage",
			backends: []auth.Authenticator{speaking("Token", (*auth.Error)(nil))}, lines: []string{"Token x"},
			status: 503, code: "unavailable", error: "-", retry: "5"},
		{name: "absent and invalid at once is invalid",
			backends: []auth.Authenticator{speaking("Token", errors.Join(auth.ErrNoCredentials, auth.ErrInvalid)),
				basic(nil)}, status: 401, code: "authentication_failed", error: "-"},
		{name: "a nil user without error is a bug", backends: []auth.Authenticator{proving(nil)}, status: 500,
			code: "internal_error", detail: "Internal server error.", error: "-"},
		{name: "a typed nil user without error is a bug", backends: []auth.Authenticator{proving((*ptrUser)(nil))},
			status: 500, code: "internal_error", error: "-"},
		{name: "a user without identifier is a bug", backends: []auth.Authenticator{proving(user(""))}, status: 500,
			code: "internal_error", error: "-"},
		{name: "a user with a machine's identifier is a bug", backends: []auth.Authenticator{proving(user("client:x"))},
			status: 500, code: "internal_error", error: "-"},
	}
	for _, row := range rows {
		for _, optional := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/optional=%t", row.name, optional), func(t *testing.T) {
				var log bytes.Buffer
				g := newGuard(t, auth.Config{Backends: row.backends, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				wrap := g.Require(row.policies...)
				if optional {
					wrap = g.Optional(row.policies...)
				}
				server := httptest.NewServer(wrap(whoami))
				defer server.Close()
				resp, raw := rawGet(t, server, row.lines)

				if optional && row.optional == anon || row.status == 200 {
					want := row.body
					if row.status != 200 {
						want = anon
					}
					if resp.StatusCode != 200 || string(raw) != want {
						t.Fatalf("status %d body %q, want 200 %q", resp.StatusCode, raw, want)
					}
					authtest.AssertNoChallenge(t, resp.Header)
					return
				}
				problem := authtest.AssertProblem(t, resp, row.status, row.code)
				if row.detail != "" && problem["detail"] != row.detail {
					t.Errorf("detail %q, want %q", problem["detail"], row.detail)
				}
				if got := resp.Header.Get("Retry-After"); got != row.retry {
					t.Errorf("Retry-After %q, want %q", got, row.retry)
				}
				first := resp.Header.Get("WWW-Authenticate")
				if got := attributeOf(first, "error"); got != row.error && (got != "" || row.error != "-") {
					t.Errorf("first challenge %q, want error %q", first, row.error)
				}
				all, err := authtest.ParseChallenges(resp.Header)
				if err != nil {
					t.Error(err)
				}
				if resp.StatusCode == 401 && len(all) != len(g.Challenges()) {
					t.Errorf("%d challenges, want all %d", len(all), len(g.Challenges()))
				}
				answer := fmt.Sprint(resp.Header) + string(raw)
				if strings.Contains(answer, "10.9.9.9") || strings.Contains(answer, "admin") {
					t.Errorf("the cause leaked: %s", answer)
				}
				logged, level := log.String(), "INFO"
				if row.status >= 500 {
					level = "ERROR"
				}
				switch {
				case strings.TrimSpace(strings.Join(row.lines, "")) == "" && row.code == auth.CodeNotAuthenticated:
					if logged != "" {
						t.Errorf("logged %q of a request without credentials", logged)
					}
				case strings.Count(logged, "\n") != 1, !strings.Contains(logged, "level="+level),
					!strings.Contains(logged, fmt.Sprintf(" status=%d ", row.status)), !strings.Contains(
						logged, " error="):
					t.Errorf("logged %q at status %d, want one line of level %s with the cause", logged,
						row.status, level)
				}
			})
		}
	}
}

func proving(u auth.User) *backend {
	b := speaking("Token", nil)
	b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return u, nil, nil }
	return b
}

// rawGet sends a request with these Authorization lines byte for byte, and
// gives back the body twice: once in the response.
func rawGet(t *testing.T, server *httptest.Server, lines []string) (*http.Response, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var b strings.Builder
	b.WriteString("GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n")
	for _, line := range lines {
		b.WriteString("Authorization: " + line + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(conn, b.String()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, body
}

// attributeOf returns a parameter of the first challenge in a line.
func attributeOf(line, name string) string {
	all, err := authtest.ParseChallenges(http.Header{"Www-Authenticate": {line}})
	if err != nil || len(all) == 0 {
		return ""
	}
	for _, p := range all[0].Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func TestAnOutageIsLoggedWithItsCause(t *testing.T) {
	var log bytes.Buffer
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", errors.New("disk on fire"))},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	wantStatus(t, get(g.Require()(whoami)), 503)
	if !strings.Contains(log.String(), "disk on fire") || !strings.Contains(log.String(), "backend=token") {
		t.Errorf("log %q", log.String())
	}
}

func TestAClientThatWentAwayIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	var events recorder
	gone := speaking("Token", nil)
	gone.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, fmt.Errorf("select: %w", r.Context().Err())
	}
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{gone}, Observer: &events,
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ran := false
	for _, wrap := range []func(http.Handler) http.Handler{g.Require(), g.Optional()} {
		w := do(wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })),
			request("GET", "/").WithContext(ctx))
		if w.Code < 500 {
			t.Errorf("status %d", w.Code)
		}
	}
	if ran || log.Len() > 0 || len(events.take()) > 0 {
		t.Errorf("handler ran: %t, log: %s", ran, log.String())
	}
}

func TestABackendsOwnTimeoutIsAnOutage(t *testing.T) {
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		var events recorder
		g := newGuard(t, auth.Config{Backends: []auth.Authenticator{speaking("Token", cause)}, Observer: &events})
		wantStatus(t, get(g.Optional()(whoami)), 503)
		if len(events.take()) != 1 {
			t.Errorf("%v: no failure event", cause)
		}
	}
}

func TestAmbientCredentialsAreCheckedForTheirOrigin(t *testing.T) {
	cookie := speaking("Session", nil)
	cookie.ambient = true
	byCredential := speaking("Session", nil)
	byCredential.answer = func(*http.Request) (auth.User, auth.Credential, error) {
		return user("u"), authtest.Credential{IsAmbient: true}, nil
	}
	for name, row := range map[string]struct {
		backend *backend
		method  string
		header  []string
		status  int
	}{
		"unsafe from another site":               {cookie, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"unsafe with another Origin":             {cookie, "DELETE", []string{"Origin", "https://evil.example"}, 403},
		"unsafe with an opaque Origin":           {cookie, "POST", []string{"Origin", "null"}, 403},
		"the credential says that it is ambient": {byCredential, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"safe from another site":                 {cookie, "GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"unsafe from the same origin": {cookie, "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin",
			"https://example.com"}, 200},
		"unsafe and not from a browser": {cookie, "POST", nil, 200},
		"a token is not ambient": {speaking("Token", nil), "POST",
			[]string{"Sec-Fetch-Site", "cross-site"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			g := guardOf(t, row.backend)
			for _, h := range []http.Handler{g.Require()(whoami), g.Optional()(whoami)} {
				w := do(h, request(row.method, "/", row.header...))
				wantStatus(t, w, row.status)
				if row.status == 403 && member(t, w, "code") != "cross_origin" {
					t.Errorf("body %s", w.Body)
				}
			}
		})
	}
}

func TestALoaderThatReturnsAMachineIsABug(t *testing.T) {
	for name, returned := range map[string]auth.User{"a machine": auth.Machine{ID: "x"},
		"a reserved identifier": user("client:x"), "nobody": nil, "a typed nil": (*ptrUser)(nil),
		"no identifier": user("")} {
		t.Run(name, func(t *testing.T) {
			plain := auth.UserLoader(func(context.Context, string) (auth.User, error) { return returned, nil })
			cached := auth.CacheUsers(plain, auth.UserCache{TTL: time.Minute}).Load
			for _, load := range []auth.UserLoader{plain, cached} {
				b := speaking("Token", nil)
				b.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
					u, err := load.Load(r.Context(), "7")
					return u, nil, err
				}
				wantStatus(t, get(guardOf(t, b).Require()(whoami)), 500)
			}
		})
	}
}

func TestALoaderCannotTurnACredentialIntoAnAbsentOne(t *testing.T) {
	for _, err := range []error{auth.ErrNoCredentials, auth.ErrUnrecognized, auth.ErrThrottled} {
		load := auth.UserLoader(func(context.Context, string) (auth.User, error) { return nil, err })
		if _, got := load.Load(t.Context(), "7"); got == nil || auth.KindOf(got) != nil {
			t.Errorf("%v became %v, want an outage", err, got)
		}
	}
	called := false
	load := auth.UserLoader(func(context.Context, string) (auth.User, error) { called = true; return user("x"), nil })
	for _, id := range []string{"", "client:x"} {
		if _, err := load.Load(t.Context(), id); !errors.Is(err, auth.ErrUserNotFound) || called {
			t.Errorf("Load(%q): %v, loader called: %t", id, err, called)
		}
	}
}
