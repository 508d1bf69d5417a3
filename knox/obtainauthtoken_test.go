package knox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
)

// obtaining returns a handler as obtain_auth_token, by the passwords of a Hasher.
func obtaining(t testing.TB, s *service) http.Handler {
	t.Helper()
	hasher, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := hasher.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	logins, err := password.New(password.Config{Hasher: hasher, AllowUnthrottled: true, Account: accountOf(s, stored)})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens}, Login: []auth.Authenticator{logins}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.tokens.ObtainAuthToken(guard)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func accountOf(s *service, stored string) password.AccountFinder {
	return func(ctx context.Context, name string) (auth.User, string, error) {
		user, err := s.people.load(ctx, name)
		return user, stored, err
	}
}

func TestUnitObtainAuthTokenAnswersAsDjangoRESTFramework(t *testing.T) {
	s := start(t, nil)
	handler := obtaining(t, s)
	const required, blank = "This field is required.", "This field may not be blank."
	const good, form = `{"username":"alice","password":"correct horse battery"}`, "application/x-www-form-urlencoded"
	for name, row := range map[string]struct {
		kind, body string
		status     int
		says       map[string]string // the first sentence of each member
	}{
		"a login":           {"application/json", good, 200, nil},
		"a login by a form": {form, "username=alice&password=correct+horse+battery", 200, nil},
		"a wrong password": {"application/json", `{"username":"alice","password":"wrong"}`, 400,
			map[string]string{"non_field_errors": "Unable to log in with provided credentials."}},
		"an unknown user": {"application/json", `{"username":"eve","password":"wrong"}`, 400,
			map[string]string{"non_field_errors": "Unable to log in with provided credentials."}},
		"no username": {"application/json", `{"password":"x"}`, 400, map[string]string{"username": required}},
		"an empty object": {"application/json", `{}`, 400,
			map[string]string{"username": required, "password": required}},
		"an empty form":    {form, "", 400, map[string]string{"username": required, "password": required}},
		"no body, no type": {"", "", 400, map[string]string{"username": required, "password": required}},
		"a null": {"application/json", `{"username":null,"password":"x"}`, 400,
			map[string]string{"username": "This field may not be null."}},
		"a list": {"application/json", `{"username":[],"password":"x"}`, 400,
			map[string]string{"username": "Not a valid string."}},
		"a blank form field": {form, "username=&password=x", 400, map[string]string{"username": blank}},
		"another type":       {"text/plain", good, 415, nil},
		"a list in all": {"application/json", `[]`, 400,
			map[string]string{"non_field_errors": "Invalid data. Expected a dictionary, but got list."}},
		"a string in all": {"application/json", ` "x"`, 400,
			map[string]string{"non_field_errors": "Invalid data. Expected a dictionary, but got str."}},
		"a number in all": {"application/json", `1e3`, 400,
			map[string]string{"non_field_errors": "Invalid data. Expected a dictionary, but got float."}},
		"null in all": {"application/json", `null`, 400,
			map[string]string{"non_field_errors": "No data provided"}},
		"space around": {"application/json", `{"username":" alice\t","password":"correct horse battery"}`, 200,
			nil},
		"space in a form": {form, "username=+alice%0A&password=correct+horse+battery", 200, nil},
		"space of a password": {"application/json", `{"username":"alice","password":" correct horse battery"}`, 400,
			map[string]string{"non_field_errors": "Unable to log in with provided credentials."}},
		"space alone":             {form, "username=+&password=x", 400, map[string]string{"username": blank}},
		"space and a field twice": {form, "username=+alice&username=bob&password=correct+horse+battery", 400, nil},
		"half a JSON":             {"application/json", `{"username"`, 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api-token-auth/", strings.NewReader(row.body))
			if row.kind != "" {
				r.Header.Set("Content-Type", row.kind)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != row.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, row.status)
			}
			if w.Header().Get("WWW-Authenticate") != "" {
				t.Errorf("a challenge: %v", w.Header())
			}
			if token, _ := body["token"].(string); row.status == 200 && (len(body) != 1 || s.me(token) != 200) {
				t.Errorf("%s, want a token that is good, alone", w.Body)
			}
			got := map[string]string{}
			for _, member := range []string{"username", "password", "non_field_errors"} {
				if all, ok := body[member].([]any); ok {
					got[member], _ = all[0].(string)
				}
			}
			if len(got)+len(row.says) > 0 && !reflect.DeepEqual(got, row.says) {
				t.Errorf("says %v, want %v", got, row.says)
			}
		})
	}
}

func TestUnitObtainAuthTokenNeedsALogin(t *testing.T) {
	s := start(t, nil)
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.tokens.ObtainAuthToken(guard); err == nil || !strings.Contains(err.Error(), "ObtainAuthToken") {
		t.Errorf("%v, want an error that names the function", err)
	}
}

func TestUnitExpiryIsInTheChosenZone(t *testing.T) {
	tokyo := time.FixedZone("", 9*60*60)
	for name, row := range map[string]struct {
		zone   *time.Location
		suffix string
	}{"none": {nil, "Z"}, "Tokyo": {tokyo, "+09:00"}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(c *knox.Config) { c.Answer.TimeLocation = row.zone })
			expiry, _ := s.do("POST", "/auth/login/", basicOf("alice"), "").json(t)["expiry"].(string)
			at, err := time.Parse(time.RFC3339, expiry)
			if err != nil || !strings.HasSuffix(expiry, row.suffix) {
				t.Fatalf("%q, want an instant with %s", expiry, row.suffix)
			}
			if left := time.Until(at); left < 9*time.Hour || left > 10*time.Hour {
				t.Errorf("%q is in %s, want ten hours", expiry, left)
			}
		})
	}
}
