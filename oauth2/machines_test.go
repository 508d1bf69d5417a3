package oauth2_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2"
)

func askedAt(t *testing.T, issuer, endpoint, prefix string) oauth2.Source {
	t.Helper()
	source, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Issuer: issuer, Endpoint: endpoint,
		ClientID: "api", ClientSecret: "secret", MachinePrefix: prefix, Owns: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestUnitMachinesOfTwoServersDoNotGetOneIdentifier(t *testing.T) {
	const a, b = "https://a.example", "https://b.example"
	for _, row := range []struct {
		sentence   string
		one, other oauth2.Source
		refused    bool
	}{
		{"two servers without prefixes", askedAt(t, a, "", ""), askedAt(t, b, "", ""), true},
		{"one prefix says that it is one server", askedAt(t, a, "", "x/"), askedAt(t, b, "", "x/"), false},
		{"a prefix that starts with the other one", askedAt(t, a, "", "x/"), askedAt(t, b, "", "x/y/"), true},
		{"one prefix is not enough, since clients may be called like it",
			askedAt(t, a, "", ""), askedAt(t, b, "", "x/"), true},
		{"two servers that are known by where they are asked", askedAt(t, "", a, ""), askedAt(t, "", b, ""), true},
		{"two prefixes", askedAt(t, a, "", "a/"), askedAt(t, b, "", "b/"), false},
		{"one server that is asked in two ways", askedAt(t, a, "", ""), askedAt(t, a, a+"/introspect", ""), false},
		{"JWTs of two servers", ofIssuer(t, a, resource), ofIssuer(t, b, resource), false},
		{"JWTs of one server and introspection of another one", ofIssuer(t, a, resource), askedAt(t, b, "", ""), true},
		{"JWTs and introspection of one server", ofIssuer(t, a, resource), askedAt(t, a, "", ""), false},
		{"a source that does not say", tokens(), askedAt(t, a, "", ""), false},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			_, err := oauth2.New(oauth2.Config{Resource: resource, LoadUser: load,
				Sources: []oauth2.Source{row.one, row.other}})
			want := "oauth2: Config.Sources: machines of https://"
			if (err != nil) != row.refused || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("in one Resource: want refused %v, got %v", row.refused, err)
			}
			_, err = auth.New(auth.Config{Backends: []auth.Authenticator{named(t, "one", row.one),
				named(t, "other", row.other)}})
			want = `oauth2: backends "one" and "other": machines of https://`
			if (err != nil) != row.refused || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("in one Guard: want refused %v, got %v", row.refused, err)
			}
		})
	}
	t.Run("a nil source is an error and no panic", func(t *testing.T) {
		var none *oauth2.Introspection
		_, err := oauth2.New(oauth2.Config{Resource: resource, LoadUser: load,
			Sources: []oauth2.Source{none, askedAt(t, a, "", "")}})
		if err == nil || !strings.Contains(fmt.Sprint(err), "Config.Sources[0] is missing") {
			t.Errorf("got %v", err)
		}
	})
}
