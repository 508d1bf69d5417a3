package oauth2_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
)

// raw is an answer about a good token, with members as JSON text. "" leaves one out.
func (l *login) raw(pairs ...string) string {
	all := map[string]string{"active": "true", "sub": `"alice"`, "client_id": `"web"`, "scope": `"read write"`,
		"aud": `"` + resource + `"`, "iss": `"` + l.URL + `"`, "exp": fmt.Sprint(time.Now().Add(time.Hour).Unix())}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	var text []string
	for name, value := range all {
		if value != "" {
			text = append(text, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return "{" + strings.Join(text, ",") + "}"
}

func TestUnitNullInAnAnswerIsAbsent(t *testing.T) {
	l := newLogin(t)
	null := []string{"acr", "amr", "auth_time", "iat", "nbf", "jti", "username", "token_type", "cnf", "extra"}
	var pairs []string
	for _, name := range null {
		pairs = append(pairs, name, "null")
	}
	for sentence, more := range map[string][]string{"optional members": nil, "scope": {"scope", "null"},
		"exp": {"exp", "null"}, "iss": {"iss", "null"}, "client_id": {"client_id", "null"}} {
		t.Run(sentence, func(t *testing.T) {
			log := &lines{}
			l.says(200, "application/json", l.raw(append(pairs, more...)...))
			source := l.source(func(c *oauth2.IntrospectionConfig) { c.Logger = log.logger() })
			token, err := source.Inspect(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			if token.Subject != "alice" || token.Auth.ACR != "" || token.Auth.AMR != nil ||
				!token.Auth.AuthTime.IsZero() || !token.IssuedAt.IsZero() ||
				token.ID+token.Username+token.Type != "" || token.Issuer != l.URL {
				t.Errorf("want nothing of what is null, got %+v", token)
			}
			if text := log.text.String(); text != "" {
				t.Errorf("want no line, got %s", text)
			}
		})
	}
}

func TestUnitAnOptionalMemberOfAnotherTypeIsAbsentAndLoggedOnce(t *testing.T) {
	l := newLogin(t)
	for name, values := range map[string][]string{
		"acr": {"1", "true", "[]", "{}"}, "amr": {"1", `{"a":1}`, `["pwd",1]`, `["pwd",null]`},
		"auth_time": {`"soon"`, "-1", "1e300", "true"},
		"iat":       {`"yesterday"`, "[]"}, "jti": {"7", "[]", `"a\u0000b"`}, "username": {"7", "{}"},
		"token_type": {"7", `["Bearer"]`}, "scope": {"7", `{"read":true}`, `["read",7]`},
	} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			source := l.source(func(c *oauth2.IntrospectionConfig) { c.Logger = log.logger() })
			for i, value := range values {
				l.says(200, "application/json", l.raw(name, value))
				token, err := source.Inspect(t.Context(), fmt.Sprint("x", i))
				if err != nil {
					t.Fatalf("%s: %v", value, err)
				}
				want := oauth2.Token{Subject: "alice", ClientID: "web", Issuer: l.URL, Audience: []string{resource},
					Scope: []string{"read", "write"}, Expiry: token.Expiry, Claims: token.Claims}
				if name == "scope" {
					want.Scope = nil
				}
				if got := plainToken(token); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: want %+v, got %+v", value, want, got)
				}
			}
			text := log.text.String()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"WARN"`) ||
				!strings.Contains(text, `"member":"`+name+`"`) {
				t.Errorf("want one line about %s, got %s", name, text)
			}
		})
	}
}

// plainToken returns a token with its exported fields alone.
func plainToken(t *oauth2.Token) oauth2.Token {
	return oauth2.Token{Expiry: t.Expiry, Subject: t.Subject, ClientID: t.ClientID, GrantID: t.GrantID, Stamp: t.Stamp,
		Issuer: t.Issuer, Username: t.Username, Audience: t.Audience, Scope: t.Scope, ID: t.ID, Type: t.Type,
		IssuedAt: t.IssuedAt, Auth: t.Auth, Confirmation: t.Confirmation, Claims: t.Claims}
}

func TestUnitMembersAsServersReallyWriteThem(t *testing.T) {
	l := newLogin(t)
	exp := time.Now().Add(time.Hour).Unix()
	for sentence, row := range map[string]struct {
		name, value string
		got         func(*oauth2.Token) any
		want        any
	}{
		"scope as an array": {"scope", `["read","write admin"]`,
			func(t *oauth2.Token) any { return t.Scope }, []string{"read", "write", "admin"}},
		"exp as a string": {"exp", fmt.Sprintf("%q", fmt.Sprint(exp)),
			func(t *oauth2.Token) any { return t.Expiry.Unix() }, exp},
		"exp with a fraction": {"exp", fmt.Sprint(exp, ".75"),
			func(t *oauth2.Token) any { return t.Expiry.Unix() }, exp},
		"nbf as a string": {"nbf", `"100"`, func(t *oauth2.Token) any { return t.Subject }, "alice"},
		"iat as a string": {"iat", `"100.5"`, func(t *oauth2.Token) any { return t.IssuedAt.Unix() }, int64(100)},
		"sub as a number": {"sub", "7", func(t *oauth2.Token) any { return t.Subject }, "7"},
		"a negative sub":  {"sub", "-7", func(t *oauth2.Token) any { return t.Subject }, "-7"},
		"client_id as number": {"client_id", "12345678901234567890",
			func(t *oauth2.Token) any { return t.ClientID }, "12345678901234567890"},
		"amr as a string": {"amr", `"pwd"`, func(t *oauth2.Token) any { return t.Auth.AMR }, []string{"pwd"}},
		"a number that is too large for a float64": {"extra", "1e999",
			func(t *oauth2.Token) any { return t.Claims["extra"] }, json.Number("1e999")},
	} {
		t.Run(sentence, func(t *testing.T) {
			l.says(200, "application/json", l.raw(row.name, row.value))
			log := &lines{}
			source := l.source(func(c *oauth2.IntrospectionConfig) { c.Logger = log.logger() })
			token, err := source.Inspect(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			if got := row.got(token); !reflect.DeepEqual(got, row.want) {
				t.Errorf("want %v, got %v", row.want, got)
			}
			if text := log.text.String(); text != "" {
				t.Errorf("want no line, got %s", text)
			}
		})
	}
}

func TestUnitAMemberThatDecidesAndCannotBeReadRefusesThatTokenOnly(t *testing.T) {
	l := newLogin(t)
	for _, row := range []struct{ sentence, name, value, cause string }{
		{"exp is text", "exp", `"soon"`, "exp of the answer is not a number of seconds since 1970"},
		{"exp is out of range", "exp", "1e300", "exp of the answer is not"},
		{"exp is in milliseconds", "exp", "1790000000000", "exp of the answer is not"},
		{"exp is negative", "exp", "-1", "exp of the answer is not"},
		{"exp is an object", "exp", "{}", "exp of the answer is not"},
		{"exp is too large for a float64", "exp", "1e999", "exp of the answer is not"},
		{"nbf is true", "nbf", "true", "nbf of the answer is not"},
		{"aud is a number", "aud", "1", "aud of the answer is not a string or an array of strings"},
		{"aud has a number in it", "aud", `["` + resource + `",1]`, "aud of the answer is not"},
		{"aud has null in it", "aud", `["` + resource + `",null]`, "aud of the answer is not"},
		{"sub is an object", "sub", `{"id":"alice"}`, "sub of the answer is not a string or a whole number"},
		{"sub is a fraction", "sub", `1.5`, "sub of the answer is not"},
		{"sub has a NUL", "sub", `"ali\u0000ce"`, "sub of the answer is not"},
		{"sub has half a character", "sub", `"\ud800"`, "sub of the answer is not"},
		{"client_id is a list", "client_id", `["web"]`, "client_id of the answer is not"},
		{"iss is an object", "iss", `{}`, "iss of the answer is not"},
		{"another issuer", "iss", `"https://evil.example"`,
			`iss of the answer is "https://evil.example", want "` + l.URL + `"; see IntrospectionConfig.Issuer`},
		{"cnf is a string", "cnf", `"x"`, "cnf of the answer is not an object with members"},
		{"cnf is empty", "cnf", `{}`, "cnf of the answer is not"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			own, log := &lines{}, &lines{}
			source := l.source(func(c *oauth2.IntrospectionConfig) { c.Logger = own.logger() })
			a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{source}})
			before := l.asked.Load()
			l.says(200, "application/json", l.raw(row.name, row.value))
			a.refused(log, "x", row.cause)
			if n := l.asked.Load() - before; n != 1 {
				t.Errorf("want the refusal to be remembered, got %d questions", n)
			}
			l.says(200, "application/json", l.raw())
			if got := a.ask("GET", "/", "", "Authorization", "Bearer y"); got.status != 404 { // the handler's
				t.Errorf("want another token to be good, got %d %s", got.status, got.body)
			}
			if text := own.text.String(); text != "" {
				t.Errorf("want no line of the source, got %s", text)
			}
		})
	}
}

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
