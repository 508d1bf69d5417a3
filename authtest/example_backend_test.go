package authtest_test

import (
	"net/http"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// member is a user of the application.
type member string

func (m member) UserID() string { return string(m) }

// shared is a backend that knows one key, which all robots share.
type shared struct{ key string }

func (s shared) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Bearer"}} }

func (s shared) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	_, key, err := auth.TokenFrom(r, "Bearer")
	if err != nil {
		return nil, nil, err // ErrNoCredentials or ErrMalformed
	}
	if key != s.key {
		return nil, nil, auth.ErrInvalid
	}
	return member("robots"), nil, nil
}

// testShared is what a test of package testing looks like, in a file such as
// shared_test.go.
func testShared(t *testing.T) {
	authtest.Backend(t, shared{key: "a-long-random-key"}, authtest.Cases{
		Good: []authtest.Good{{Request: authtest.RequestWith("Authorization", "Bearer a-long-random-key"),
			User: "robots"}},
		// The rest is not proved.
		Absent:    []authtest.Request{authtest.RequestWith("Authorization", "Basic YTpi")},
		Invalid:   []authtest.Request{authtest.RequestWith("Authorization", "Bearer a-wrong-key")},
		Malformed: []authtest.Request{authtest.RequestWith("Authorization", "Bearer two words")},
	})
}

func ExampleBackend() {
	_ = testShared // go test calls it, as TestUnitShared
}

func TestUnitShared(t *testing.T) { testShared(t) }
