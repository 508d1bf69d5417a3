package oauth2_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2"
)

func TestUnitNothingPrintsASecret(t *testing.T) {
	const secret = "secret-of-the-client-Zq7"
	config := oauth2.IntrospectionConfig{Endpoint: "https://login.example/introspect", ClientID: "api",
		ClientSecret: secret}
	asking, err := oauth2.NewIntrospection(config)
	if err != nil {
		t.Fatal(err)
	}
	api, err := oauth2.New(oauth2.Config{Resource: "https://api.example", Sources: []oauth2.Source{asking},
		User: oauth2.SubjectUser})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("an Introspection", func(t *testing.T) { leaktest.CheckAllFields(t, []string{secret}, asking) })
	t.Run("a Resource", func(t *testing.T) { leaktest.CheckAllFields(t, []string{secret}, *api) })
	t.Run("a configuration", func(t *testing.T) { leaktest.CheckExported(t, []string{secret}, config) })
}

func loadNobody(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound }

func TestUnitAResourceSharesItsSchemeWithBackendsThatKnowTheirTokens(t *testing.T) {
	source := func(owns func(string) bool) oauth2.Source {
		asking, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: "https://a.example",
			ClientID: "api", ClientSecret: "x", Owns: owns})
		if err != nil {
			t.Fatal(err)
		}
		return asking
	}
	for sentence, row := range map[string]struct {
		source oauth2.Source
		good   bool
	}{
		"a source that knows its tokens": {legacy{}, true},
		"an introspection of some tokens": {source(func(token string) bool { return strings.HasPrefix(token, "x_") }),
			true},
		"an introspection of every token": {source(nil), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			api, err := oauth2.New(oauth2.Config{Resource: "https://api.example", Sources: []oauth2.Source{row.source},
				User: oauth2.SubjectUser})
			if err != nil {
				t.Fatal(err)
			}
			tokens, err := knox.New(knox.Config{Store: knox.NewMemoryStore(), LoadUser: loadNobody,
				Schemes: []string{"Bearer"}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, api}}); (err == nil) != row.good {
				t.Errorf("one guard with knox: want %v, got the error %v", row.good, err)
			}
		})
	}
}
