package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // for its log
	os.Exit(m.Run())
}

// client is a client of one server. It follows no redirects.
type client struct {
	t      *testing.T
	server *httptest.Server
}

func serve(t *testing.T, handler http.Handler) client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return client{t, server}
}

// send sends a request with a body in JSON and headers as pairs of name and value.
func (c client) send(method, path, body string, headers ...string) (status int, answer string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.server.Client().Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

const rightPassword = `{"username": "alice", "password": "open sesame"}`

// token returns the value of Authorization for the token in an answer.
func (c client) token(status int, answer string) string {
	c.t.Helper()
	var issued struct{ Token string }
	if err := json.Unmarshal([]byte(answer), &issued); err != nil || issued.Token == "" {
		c.t.Fatalf("wanted an answer with a token, got %d %s", status, answer)
	}
	return "Token " + issued.Token
}

func (c client) login(username string) string {
	c.t.Helper()
	return c.token(c.send("POST", "/auth/login/", strings.Replace(rightPassword, "alice", username, 1)))
}

// personal returns a token of alice that is limited to a scope. A token makes no
// other token, so alice shows the password.
func (c client) personal(scope string) string {
	c.t.Helper()
	const basic = "Basic YWxpY2U6b3BlbiBzZXNhbWU="
	body := `{"name": "script", "scopes": ["` + scope + `"]}`
	return c.token(c.send("POST", "/auth/tokens/", body, "Authorization", basic))
}

// want fails the test unless the answer has this status and starts with text.
func (c client) want(sentence string, wantStatus int, wantText, method, path, body string, headers ...string) {
	c.t.Helper()
	status, answer := c.send(method, path, body, headers...)
	if status != wantStatus || !strings.HasPrefix(answer, wantText) {
		c.t.Errorf("%s: wanted %d %q, got %d %q", sentence, wantStatus, wantText, status, answer)
	}
}

var routers = []string{"chi", "gin", "echo", "servemux"}

func eachRouter(t *testing.T, test func(t *testing.T, name string, c client)) {
	s, err := newService()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range routers {
		t.Run(name, func(t *testing.T) {
			handler, err := s.router(name)
			if err != nil {
				t.Fatal(err)
			}
			test(t, name, serve(t, handler))
		})
	}
}

func TestUnitLoginUseLogout(t *testing.T) {
	eachRouter(t, func(t *testing.T, _ string, c client) {
		token := c.login("alice")
		c.want("the user is known", 200, "hello, alice\n", "GET", "/hello", "", "Authorization", token)
		c.want("with the path parameter", 200, "report 7 for alice\n", "GET", "/reports/7", "", "Authorization", token)
		c.want("full access may delete", 204, "", "DELETE", "/reports/7", "", "Authorization", token)
		c.want("logout", 204, "", "POST", "/auth/logout/", "", "Authorization", token)
		c.want("the token has ended", 401, "", "GET", "/reports/7", "", "Authorization", token)
		c.want("and is not taken for no token", 401, "", "GET", "/hello", "", "Authorization", token)
	})
}

func TestUnitRequireAndOptional(t *testing.T) {
	eachRouter(t, func(t *testing.T, name string, c client) {
		c.want("Optional lets strangers in", 200, "hello, stranger\n", "GET", "/hello", "")
		c.want("Require refuses strangers", 401, `{"code":"not_authenticated"`, "GET", "/reports/7", "")
		c.want("for every method", 401, "", "DELETE", "/reports/7", "")
		c.want("a bad token", 401, `{"code":"invalid_token"`, "GET", "/reports/7", "", "Authorization", "Token abc")
		token := c.login("alice")
		noMethod := 405
		if name == "echo" { // a group with middleware answers for every path and method below it
			noMethod = 404
		}
		c.want("a method without a handler", noMethod, "", "PUT", "/reports/7", "", "Authorization", token)
		c.want("a path without a handler", 404, "", "GET", "/nothing", "", "Authorization", token)
	})
}

func TestUnitPolicies(t *testing.T) {
	eachRouter(t, func(t *testing.T, _ string, c client) {
		reader, writer := c.personal("reports:read"), c.personal("reports:write")
		c.want("the scope of the policy", 200, "report 7 for alice\n", "GET", "/reports/7", "", "Authorization", reader)
		c.want("another scope", 403, `{"code":"insufficient_scope"`, "GET", "/reports/7", "", "Authorization", writer)
		c.want("a scope where full access is needed", 403, "", "DELETE", "/reports/7", "", "Authorization", reader)
	})
}

func TestUnitLoginIsServedAtItsPathAlone(t *testing.T) {
	eachRouter(t, func(t *testing.T, name string, c client) {
		token := c.login("alice")
		c.want("another method", 405, `{"code":"method_not_allowed"`, "GET", "/auth/login/", "")
		c.want("another method, with a token", 405, "", "DELETE", "/auth/login/", "", "Authorization", token)
		wrongPassword := strings.Replace(rightPassword, "open", "shut", 1)
		c.want("a wrong password", 401, "", "POST", "/auth/login/", wrongPassword)
		c.want("a path below", 404, "", "POST", "/auth/login/x", rightPassword, "Authorization", token)
		c.want("a tree below", 404, "", "POST", "/auth/login/x/", rightPassword, "Authorization", token)
		c.want("the prefix is no path", 404, "", "GET", "/auth/", "", "Authorization", token)
		for _, path := range []string{"/auth", "/auth/", "/auth/login", "/auth/login/x", "/auth/login/x/",
			"/AUTH/login/", "/auth/Login/", "//auth/login/", "/auth//login/", "/auth/x/../login/", "/x/auth/login/",
			"/auth/auth/login/", "/login/"} {
			status, answer := c.send("POST", path, rightPassword)
			if status < 300 || status >= 500 || strings.Contains(answer, `"token"`) {
				t.Errorf("POST %s: wanted no login, got %d %s", path, status, answer)
			}
		}
	})
}

func TestUnitLoginFromAnotherOriginIsRefused(t *testing.T) {
	eachRouter(t, func(t *testing.T, _ string, c client) {
		for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
			c.want(name, 403, `{"code":"cross_origin"`, "POST", "/auth/login/", rightPassword, name, value)
		}
	})
}

func TestUnitAPrefixThatCanNeverMatchIsRefused(t *testing.T) {
	s, err := newService()
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"auth", "/auth/", "//", "/", "//auth", "/a/../auth"} {
		t.Run(prefix, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("wanted Register to panic for %q, and it returned", prefix)
				}
			}()
			s.handlers.Register(http.NewServeMux(), prefix)
		})
	}
}
