package oauth2_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
)

// fuzzedSources are the settings for servers, and what marks a machine there.
func fuzzedSources(f *testing.F) map[string]*oauth2.Introspection {
	sources := make(map[string]*oauth2.Introspection)
	for name, change := range settingsFor {
		c := oauth2.IntrospectionConfig{Issuer: networkIssuer, ClientID: "api", ClientSecret: "x",
			Logger: slog.New(slog.DiscardHandler)}
		change(&c)
		source, err := oauth2.NewIntrospection(c)
		if err != nil {
			f.Fatal(err)
		}
		sources[name] = source
	}
	return sources
}

// digitsOf returns a member that is a text or a number as text, or "".
func digitsOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// isMarked reports what is a machine's by the documentation of the server, however the reader decides.
func isMarked(server string, all map[string]any) bool {
	client := digitsOf(all["client_id"])
	switch server {
	case "Duende IdentityServer":
		return all["sub"] == nil || client != "" && digitsOf(all["sub"]) == client
	case "django-oauth-toolkit":
		return all["username"] == nil
	case "Keycloak":
		name, _ := all["preferred_username"].(string)
		if client != "" && name == "service-account-"+client && all["sid"] == nil && all["session_state"] == nil {
			return true
		}
	}
	return client != "" && digitsOf(all["sub"]) == client
}

// wordsIn returns all words of all texts in a value.
func wordsIn(value any) (words []string) {
	switch v := value.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		for _, each := range v {
			words = append(words, wordsIn(each)...)
		}
	}
	return words
}

func FuzzAnIntrospectionAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"active":true,"sub":"alice","aud":["x"],"exp":1e9,"cnf":{"jkt":1}}`,
		`{"active":true,"exp":-1}`, `{"active":true,"exp":1e999,"sub":7}`, `{"active":true,"scope":["a b",null]}`,
		`{"active":null}`, `{"active":"true"}`, `{"active":true,"sub":"\ud800","Active":false}`,
		`{"active":true,"aud":"x","client_id":7,"sub":"7","username":"7","scp":"a"}`,
		`{"active":true,"active":false,"sub":"a","sub":"b"}`, `{"active":true,"aud":"x","username":"a@b.example"}`,
	} {
		f.Add([]byte(seed))
	}
	for _, shape := range authtest.IntrospectionShapes(networkIssuer, resource) {
		for _, answer := range []map[string]any{shape.User, shape.Machine, shape.Refresh} {
			text, err := json.Marshal(answer)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	sources := fuzzedSources(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var all map[string]any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		wellFormed := json.Valid(text) && decoder.Decode(&all) == nil
		active, decides := all["active"].(bool)
		for server, source := range sources {
			token, err := oauth2.ParseIntrospection(source, text, time.Now())
			if wellFormed && decides && err != nil && auth.KindOf(err) != auth.ErrInvalid {
				t.Fatalf("%s: an object with active is an outage: %v", server, err)
			}
			if err == nil {
				checkAccepted(t, server, token, all, active)
			}
		}
	})
}

// checkAccepted checks what must hold of every token that is accepted, whatever the answer.
func checkAccepted(t *testing.T, server string, token *oauth2.Token, all map[string]any, active bool) {
	t.Helper()
	expired := !token.Expiry.IsZero() && !time.Now().Before(token.Expiry.Add(time.Minute))
	if !active || token.Issuer != networkIssuer || expired {
		t.Errorf("%s: accepted %v as %+v", server, all, token)
	}
	if !token.Machine() && (isMarked(server, all) || token.Subject == "") {
		t.Errorf("%s: a machine came out as a user: %v", server, all)
	}
	if token.Machine() && server == "django-oauth-toolkit" && all["username"] != nil {
		t.Errorf("%s: a user came out as a machine: %v", server, all)
	}
	told := slices.Concat(wordsIn(all["scope"]), wordsIn(all["scp"]))
	for _, scope := range token.Scope {
		if !slices.Contains(told, scope) {
			t.Errorf("%s: the scope %q is not in %v", server, scope, all)
		}
	}
	if _, limited := token.Scopes(); !limited {
		t.Errorf("%s: full access by %v", server, all)
	}
	if all["token_use"] == "refresh_token" || all["typ"] == "Refresh" || all["token_type"] == "refresh_token" {
		t.Errorf("%s: accepted a refresh token: %v", server, all)
	}
	if all["cnf"] != nil && len(token.Confirmation) == 0 {
		t.Errorf("%s: a bound token came out as a bearer token: %v", server, all)
	}
}
