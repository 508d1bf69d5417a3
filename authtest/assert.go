package authtest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// AssertChallenge fails the test unless h has exactly one challenge of this
// scheme, with these parameters and no others. If params is nil, any parameters
// will do. Schemes and parameter names are compared without regard to case, values
// with it.
func AssertChallenge(t testing.TB, h http.Header, scheme string, params map[string]string) {
	t.Helper()
	all, err := ParseChallenges(h)
	if err != nil {
		t.Error(err)
		return
	}
	var found []auth.Challenge
	for _, c := range all {
		if strings.EqualFold(c.Scheme, scheme) {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Errorf("%d challenges of scheme %s, want 1: %q", len(found), scheme, h.Values("WWW-Authenticate"))
		return
	}
	if params == nil {
		return
	}
	want := make(map[string]string, len(params))
	for name, value := range params {
		want[strings.ToLower(name)] = value
	}
	for _, p := range found[0].Params {
		name := strings.ToLower(p.Name)
		if value, ok := want[name]; !ok {
			t.Errorf("challenge %s has %s=%q, which should not be there", scheme, p.Name, p.Value)
		} else if value != p.Value {
			t.Errorf("challenge %s has %s=%q, want %q", scheme, p.Name, p.Value, value)
		}
		delete(want, name)
	}
	for name, value := range want {
		t.Errorf("challenge %s lacks %s=%q", scheme, name, value)
	}
}

// AssertNoChallenge fails the test if h has any challenge.
func AssertNoChallenge(t testing.TB, h http.Header) {
	t.Helper()
	if lines := h.Values("WWW-Authenticate"); len(lines) > 0 {
		t.Errorf("there should be no challenge: %q", lines)
	}
}

// AssertProblem fails the test unless resp is a problem document (RFC 9457) of
// this status and code. It reads and closes the body, and returns its members
// for further checks.
func AssertProblem(t testing.TB, resp *http.Response, status int, code string) map[string]any {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("read the body: %v", err)
		return nil
	}
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d: %s", resp.StatusCode, status, body)
	}
	if got, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); got != "application/problem+json" {
		t.Errorf("Content-Type %q, want application/problem+json", resp.Header.Get("Content-Type"))
	}
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		t.Errorf("body is no JSON object: %v: %s", err, body)
		return nil
	}
	if members["code"] != code {
		t.Errorf("code %v, want %q", members["code"], code)
	}
	if members["status"] != float64(status) {
		t.Errorf("member status %v, want %d", members["status"], status)
	}
	return members
}
