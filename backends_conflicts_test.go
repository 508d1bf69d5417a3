package auth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

// unclaimed is a backend that claims no tokens.
type unclaimed string

func (n unclaimed) Backend() string            { return string(n) }
func (unclaimed) Ambient() bool                { return false }
func (unclaimed) OwnTokens() []auth.TokenClass { return nil }
func (unclaimed) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Bearer"}} }
func (unclaimed) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return nil, nil, auth.ErrNoCredentials
}

// strictBackend is a backend that must not stand beside the one with a name.
type strictBackend struct{ name, not string }

func (s strictBackend) Backend() string            { return s.name }
func (strictBackend) Ambient() bool                { return false }
func (strictBackend) OwnTokens() []auth.TokenClass { return nil }
func (strictBackend) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Bearer"}} }
func (strictBackend) Authenticate(*http.Request) (auth.User, auth.Credential, error) {
	return nil, nil, auth.ErrNoCredentials
}

func (s strictBackend) Conflict(other auth.Authenticator) error {
	if n, ok := auth.As[interface{ Backend() string }](other); ok && n.Backend() == s.not {
		return errors.New(s.name + " must not stand beside " + s.not)
	}
	return nil
}

func TestUnitAConflictCountsWhereverTheBackendStands(t *testing.T) {
	plain, other := unclaimed("plain"), unclaimed("other")
	strict := strictBackend{"strict", "plain"}
	for name, row := range map[string]struct {
		backends []auth.Authenticator
		want     string // or "" if there is no error
	}{
		"before the other one": {[]auth.Authenticator{strict, plain}, "strict must not stand beside plain"},
		"after the other one":  {[]auth.Authenticator{plain, strict}, "strict must not stand beside plain"},
		"after two": {[]auth.Authenticator{plain, other, strict},
			"strict must not stand beside plain"},
		"in no order with a third": {[]auth.Authenticator{other, strict}, ""},
		"if the later one alone says so": {[]auth.Authenticator{strict, strictBackend{"later", "strict"}},
			"later must not stand beside strict"},
		"if the earlier one alone says so": {[]auth.Authenticator{strictBackend{"earlier", "strict"}, strict},
			"earlier must not stand beside strict"},
		"with itself it is not asked": {[]auth.Authenticator{strictBackend{"self", "self"}, other}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.New(auth.Config{Backends: row.backends})
			if got := textOf(err); row.want == "" && err != nil || !strings.Contains(got, row.want) {
				t.Errorf("got the error %q, want %q", got, row.want)
			}
		})
	}
	t.Run("in With", func(t *testing.T) {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{plain}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guard.With(plain, strict); err == nil {
			t.Error("want an error")
		}
	})
}

// textOf is the text of an error, or "" for nil.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
