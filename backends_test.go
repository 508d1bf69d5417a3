package auth_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth"
)

func TestNewRefusesWhatCannotBeRight(t *testing.T) {
	type backends = []auth.Authenticator
	token, bearer := func() *backend { return speaking("Token", nil) }, func() *backend {
		return speaking("Bearer", nil)
	}
	owning := func(b *backend, scheme, prefix string) *backend {
		b.classes = []auth.TokenClass{{Scheme: scheme, Prefix: prefix}}
		return b
	}
	silent := func() *backend { b := token(); b.challenges = nil; return b }
	for name, row := range map[string]struct {
		config auth.Config
		want   string // in the error; empty if there is no error
	}{
		"no backend":          {auth.Config{}, "empty"},
		"only an empty chain": {auth.Config{Backends: backends{auth.Chain()}}, "empty"},
		"a nil backend":       {auth.Config{Backends: backends{token(), nil}}, "Backends[1] is nil"},
		"a typed nil backend": {auth.Config{Backends: backends{(*backend)(nil)}}, "is nil"},
		"a nil func":          {auth.Config{Backends: backends{auth.AuthenticatorFunc(nil)}}, "is nil"},
		"a nil in a chain":    {auth.Config{Backends: backends{auth.Chain(token(), nil)}}, "is nil"},
		"two of a name": {auth.Config{Backends: backends{token(), auth.Chain(token())}},
			`named "token"`},
		"two that own a scheme and prefix": {
			auth.Config{Backends: backends{owning(token(), "Token", "gw_"), owning(bearer(), "token", "gw_")}},
			"both own"},
		"two that own a scheme, by prefixes": {
			auth.Config{Backends: backends{owning(token(), "Token", "gw_"), owning(bearer(), "Token", "pat_")}}, ""},
		"two that read Basic": {
			auth.Config{Backends: backends{owning(token(), "Basic", ""), owning(bearer(), "Basic", "")}},
			"Keep one. The one that is for logins belongs into Config.Login"},
		"a prefix that continues another": {
			auth.Config{Backends: backends{owning(token(), "Token", "gw"), owning(bearer(), "Token", "gw2")}},
			"both own"},
		"a prefix that ends": {
			auth.Config{Backends: backends{owning(token(), "Token", ""), owning(bearer(), "Token", "gw_")}}, ""},
		"two that own schemes": {
			auth.Config{Backends: backends{owning(token(), "Token", ""), owning(bearer(), "Bearer", "")}}, ""},
		"no challenge at all": {auth.Config{Backends: backends{silent()}},
			"Config.Backends and Config.Challenges have no challenge"},
		"a challenge in the configuration": {
			auth.Config{Backends: backends{silent()}, Challenges: []auth.Challenge{{Scheme: "Bearer"}}}, ""},
		"a scheme that is no token": {
			auth.Config{Backends: backends{silent()}, Challenges: []auth.Challenge{{Scheme: "Be arer"}}},
			"not an RFC 9110 token"},
		"a scheme that is empty": {
			auth.Config{Backends: backends{silent()}, Challenges: []auth.Challenge{{}}}, "not an RFC 9110 token"},
		"a parameter that is no token": {
			auth.Config{Backends: backends{silent()}, Challenges: []auth.Challenge{challenge("Bearer", "a\r\nb", "")}},
			"not an RFC 9110 token"},
		"one backend": {auth.Config{Backends: backends{token()}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := auth.New(row.config)
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want != "" && (err == nil || g != nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("error %v, want one with %q", err, row.want)
			}
		})
	}
}
