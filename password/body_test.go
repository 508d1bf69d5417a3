package password_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

func TestUnitALoginBodyWithoutUsernameAndPassword(t *testing.T) {
	_, logins, log := loginsOf(t)
	for name, row := range map[string]struct{ kind, body, cause string }{
		"JSON that curl -d sends as a form": {typeForm, `{"username":"alice","password":"password"}`,
			"looks like JSON and came as a form"},
		"JSON with other members": {typeJSON, `{"user":"alice","pass":"password"}`,
			"no members or fields named username and password"},
		"a form with other fields": {typeForm, "login=alice&pwd=password",
			"no members or fields named username and password"},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			got := serve(logins["knox"], post(row.kind, row.body))
			if got.Code != 401 || !strings.Contains(got.Body.String(), "The body has no username and password.") {
				t.Errorf("got %d %s, want 401 and what is missing", got.Code, got.Body)
			}
			if !strings.Contains(log.String(), row.cause) {
				t.Errorf("log %q, want %q", log, row.cause)
			}
		})
	}
}

func TestUnitALoginWithoutABody(t *testing.T) {
	_, logins, log := loginsOf(t)
	const absent, address = "Authentication credentials were not provided.", "A password in the address is not " +
		"accepted."
	for name, row := range map[string]struct{ query, authorization, detail, cause string }{
		"nothing at all": {"", "", absent, "neither a body nor an Authorization header"},
		"the password in a query": {"?username=alice&password=tell-me-not", "", address,
			"has its password in the query"},
		"a scheme that is unknown": {"", "Bearer x", "The scheme of the Authorization header", "the scheme Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			r := httptest.NewRequest("POST", "/login"+row.query, nil)
			if row.authorization != "" {
				r.Header.Set("Authorization", row.authorization)
			}
			got := serve(logins["knox"], r)
			if got.Code != 401 || !strings.Contains(got.Body.String(), row.detail) {
				t.Errorf("%d %s, want 401 and %q", got.Code, got.Body, row.detail)
			}
			if !strings.Contains(log.String(), row.cause) || strings.Contains(log.String(), "tell-me-not") {
				t.Errorf("log %q, want %q", log, row.cause)
			}
		})
	}
}

func TestUnitAnAccountFinderThatReturnsTheErrorOfItsDatabase(t *testing.T) {
	var log bytes.Buffer
	for name, row := range map[string]struct {
		user auth.User
		err  error
		want string
	}{
		"no row": {nil, errors.New("sql: no rows in result set"), "Return auth.ErrUserNotFound"},
		"no user": {nil, nil, "Config.Account: bug or wrong setting: user loader returned neither user nor error. " +
			"Return auth.ErrUserNotFound"},
	} {
		l := newLogin(t, func(c *password.Config) {
			c.AllowUnthrottled = true
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Account = func(context.Context, string) (auth.User, string, error) { return row.user, "", row.err }
		})
		_, err := l.Check(post(typeJSON, ""), "alice", "password")
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", name, err, row.want)
		}
	}
}
