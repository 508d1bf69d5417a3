package auth_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestChallengesAreQuotedStrings(t *testing.T) {
	for name, row := range map[string]struct {
		c    auth.Challenge
		want string
	}{
		"no parameters": {auth.Challenge{Scheme: "Negotiate"}, `Negotiate`},
		"two parameters": {challenge("Bearer", "realm", "a b", "scope", "x"),
			`Bearer realm="a b", scope="x"`},
		"quotes and backslashes": {challenge("Basic", "realm", `a"b\c`), `Basic realm="a\"b\\c"`},
		"control characters are gone": {challenge("Basic", "realm", "a\r\nSet-Cookie: x\x00\x7f"),
			`Basic realm="aSet-Cookie: x"`},
		"what is not ASCII stays": {challenge("Basic", "realm", "Zoë"), `Basic realm="Zoë"`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := row.c.String(); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

func challenge(scheme string, params ...string) auth.Challenge {
	c := auth.Challenge{Scheme: scheme}
	for i := 0; i < len(params); i += 2 {
		c.Params = append(c.Params, auth.Param{Name: params[i], Value: params[i+1]})
	}
	return c
}

func TestA401CarriesTheChallengesOfAllBackends(t *testing.T) {
	g := guardOf(t, tokens("Token", "Bearer"), speaking("Basic", auth.ErrNoCredentials), proxyOnly("X-Username"))
	w := get(g.Require()(whoami))
	want := []string{`Token realm="api"`, `Bearer realm="api"`, `Basic realm="api"`}
	if got := w.Header()["Www-Authenticate"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// proxyOnly has no challenge and nothing to say, but strips a header.
func proxyOnly(header string) *backend {
	b := speaking("X", auth.ErrNoCredentials)
	b.name, b.challenges, b.strip = "proxy-"+header, nil, []string{header}
	return b
}

func TestChallengesOfOneSchemeAreMerged(t *testing.T) {
	a, b := tokens("Bearer"), tokens("bearer")
	a.name, b.name = "a", "b"
	b.challenges = []auth.Challenge{challenge("bearer", "REALM", "other", "resource_metadata", "https://x")}
	w := get(guardOf(t, a, b).Require()(whoami))
	authtest.AssertChallenge(t, w.Header(), "Bearer",
		map[string]string{"realm": "api", "resource_metadata": "https://x"})
}

func TestTheErrorStandsOnThePresentedSchemeAndComesFirst(t *testing.T) {
	g := guardOf(t, speaking("Basic", auth.ErrNoCredentials), tokens("Token", "Bearer"))
	w := get(g.Require()(whoami), "Authorization", "bearer bad")
	if first := w.Header().Get("WWW-Authenticate"); !strings.HasPrefix(first, "Bearer ") {
		t.Errorf("first challenge %q", first)
	}
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api", "error": "invalid_token",
		"error_description": "Invalid token."})
	authtest.AssertChallenge(t, w.Header(), "Token", map[string]string{"realm": "api"})
	authtest.AssertChallenge(t, w.Header(), "Basic", map[string]string{"realm": "api"})
}

func TestBasicHasNoErrorAttribute(t *testing.T) {
	w := get(guardOf(t, speaking("Basic", auth.ErrInvalid)).Require()(whoami), "Authorization", "Basic eDp5")
	authtest.AssertChallenge(t, w.Header(), "Basic", map[string]string{"realm": "api"})
}

func TestTheFailureOfOneBackendIsNotBlamedOnAnothersScheme(t *testing.T) {
	// The token is not looked at: a session cookie before it was bad.
	g := guardOf(t, speaking("Cookie", auth.ErrInvalid), tokens("Bearer"))
	w := get(g.Require()(whoami), "Authorization", "Bearer good-a")
	wantStatus(t, w, 401)
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api"})
}

func TestConfigChallengesSpeakForBackendsThatHaveNone(t *testing.T) {
	custom := auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
		return nil, nil, auth.ErrInvalid
	})
	g := newGuard(t, auth.Config{Backends: []auth.Authenticator{custom},
		Challenges: []auth.Challenge{challenge("Bearer", "realm", "r")}})
	w := get(g.Require()(whoami), "Authorization", "Bearer x")
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "r", "error": "invalid_token",
		"error_description": "Incorrect authentication credentials."})
}

func TestInsufficientScopeNamesTheScopesAndNoOtherScheme(t *testing.T) {
	b := tokens("Bearer")
	b.challenges = []auth.Challenge{challenge("Bearer", "scope", "profile", "realm", "api")}
	g := guardOf(t, b, speaking("Basic", auth.ErrNoCredentials))
	w := get(g.Require(auth.Scopes("admin", "audit"))(whoami), "Authorization", "Bearer good-a")
	wantStatus(t, w, 403)
	if n := len(w.Header().Values("WWW-Authenticate")); n != 1 {
		t.Errorf("%d challenges on a 403", n)
	}
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api", "error": "insufficient_scope",
		"error_description": "You do not have permission to perform this action.", "scope": "admin audit"})
}

func TestStepUpNamesAgeAndContext(t *testing.T) {
	g := guardOf(t, tokens("Bearer"))
	w := get(g.Require(auth.Fresh(300_000_000_000, "urn:a", "urn:b"))(whoami), "Authorization", "Bearer good-a")
	authtest.AssertChallenge(t, w.Header(), "Bearer",
		map[string]string{"realm": "api", "error": "insufficient_user_authentication",
			"error_description": "A more recent or stronger authentication is required.", "max_age": "300",
			"acr_values": "urn:a urn:b"})
}

func TestAttributesKeepToTheCharactersOfRFC6750(t *testing.T) {
	b := speaking("Bearer", &auth.Error{Kind: auth.ErrInvalid, Detail: "a\"b\\c\r\nX: y\x00é\x7f~!",
		Params: []auth.Param{{Name: "scope", Value: "a\"\r\nb"}}})
	w := get(guardOf(t, b).Require()(whoami), "Authorization", "Bearer x")
	authtest.AssertChallenge(t, w.Header(), "Bearer", map[string]string{"realm": "api", "error": "invalid_token",
		"error_description": "abcX: y~!", "scope": "ab"})
}

func TestNothingTheClientSentIsInTheAnswer(t *testing.T) {
	g := guardOf(t, tokens("Token", "Bearer"))
	for _, sent := range []string{"Bearer CANARY", "Token CANARY x", "CANARY x", `Bearer "CANARY"`} {
		w := get(g.Require()(whoami), "Authorization", sent)
		for name, values := range w.Header() {
			if strings.Contains(strings.Join(values, ""), "CANARY") {
				t.Errorf("%q: header %s: %q", sent, name, values)
			}
		}
		if strings.Contains(w.Body.String(), "CANARY") {
			t.Errorf("%q: body %s", sent, w.Body)
		}
	}
}
