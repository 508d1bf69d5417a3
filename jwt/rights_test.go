package jwt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

// readRights are claims, and what a profile reads in them.
type readRights struct {
	sentence string
	profile  jwt.Profile
	claims   string
	want     jwt.Rights
	fault    string // of the error, or "" if there is no error
}

func checkRights(t *testing.T, all []readRights) {
	t.Helper()
	for _, row := range all {
		t.Run(row.sentence, func(t *testing.T) {
			reader, err := row.profile.Reader()
			if err != nil {
				t.Fatal(err)
			}
			got, err := reader.Read([]byte(row.claims))
			if row.fault != "" {
				if err == nil || !strings.Contains(err.Error(), row.fault) {
					t.Errorf("want an error with %q, got %+v and %v", row.fault, got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Scopes, row.want.Scopes) || got.Limited != row.want.Limited ||
				got.ClientID != row.want.ClientID ||
				got.Machine != row.want.Machine || got.Email != row.want.Email || got.Bound != row.want.Bound {
				t.Errorf("want %+v, got %+v", row.want, got)
			}
		})
	}
}

func TestUnitRightsOfAnyIssuer(t *testing.T) {
	var any jwt.Profile
	rows := []readRights{
		{"scope is a text", any, `{"sub":"a","scope":"read write"}`, jwt.Rights{Scopes: []string{"read", "write"},
			Limited: true}, ""},
		{"scp is a text", any, `{"sub":"a","scp":"read write"}`, jwt.Rights{Scopes: []string{"read", "write"},
			Limited: true}, ""},
		{"scp is an array", any, `{"sub":"a","scp":["read","write"]}`,
			jwt.Rights{Scopes: []string{"read", "write"}, Limited: true}, ""},
		{"a subject that is a number is the client with the same digits", any, `{"sub":17,"client_id":"17"}`,
			jwt.Rights{Limited: true, ClientID: "17", Machine: "17"}, ""},
		{"a client that is a number", any, `{"sub":"17","azp":17}`,
			jwt.Rights{Limited: true, ClientID: "17", Machine: "17"}, ""},
		{"any of the clients may be the subject", any, `{"sub":"c","client_id":"x","cid":"c"}`,
			jwt.Rights{Limited: true, ClientID: "x", Machine: "c"}, ""},
		{"no claim of a client, and no scopes", any, `{"sub":"a","stamp":1}`, jwt.Rights{}, ""},
		{"names are of one case", any, `{"sub":"a","Scope":"read"}`, jwt.Rights{}, ""},
		{"an address that is verified", any, `{"email":"a@b.example","email_verified":true}`,
			jwt.Rights{Email: "a@b.example"}, ""},
		{"an address that is verified in words", any, `{"email":"a@b.example","email_verified":"true"}`,
			jwt.Rights{Email: "a@b.example"}, ""},
		{"an address that is not verified", any, `{"email":"a@b.example","email_verified":false}`, jwt.Rights{}, ""},
		{"an address that is verified by 1", any, `{"email":"a@b.example","email_verified":1}`, jwt.Rights{}, ""},
		{"a token bound to a key", any, `{"cnf":{"jkt":"x"}}`, jwt.Rights{Bound: true}, ""},
		{"a token bound to something odd", any, `{"cnf":1}`, jwt.Rights{Bound: true}, ""},
		{"cnf is null", any, `{"cnf":null}`, jwt.Rights{}, ""},
		{"no object", any, `[]`, jwt.Rights{}, "no JSON object"},
		{"a name twice", any, `{"scope":"a","scope":"b"}`, jwt.Rights{}, "twice"},
	}
	for _, name := range []string{"scope", "scp", "client_id", "azp", "cid", "appid"} {
		for _, value := range []string{"null", `""`, "[]", "{}", "1.5", "true", `["a",1]`} {
			row := readRights{name + " as " + value + " limits to nothing", any,
				`{"sub":"a","` + name + `":` + value + `}`, jwt.Rights{Limited: true}, ""}
			if name != "scope" && name != "scp" && value != "null" && value != `""` { // an unknown client
				row.sentence, row.fault = name+" as "+value+" is refused", name
			}
			rows = append(rows, row)
		}
	}
	checkRights(t, rows)
}

func TestUnitAProfileWithASlipIsAnError(t *testing.T) {
	for sentence, profile := range map[string]jwt.Profile{
		"an empty claim":                       {ScopeClaims: []string{""}},
		"a kind without values":                {Kinds: map[string][]string{"typ": nil}},
		"a bound kind that is no kind":         {BoundKinds: map[string][]string{"typ": {"DPoP"}}},
		"a mark without conditions":            {Machines: []jwt.Mark{{}}},
		"a mark of a claim without what it is": {Doubts: []jwt.Mark{{Claim: "sub"}}},
		"a mark of values without a claim":     {Machines: []jwt.Mark{{With: []string{"a"}, Values: []string{"x"}}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if _, err := profile.Reader(); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestUnitAReaderKeepsItsProfile(t *testing.T) {
	profile := jwt.Keycloak()
	reader, err := profile.Reader()
	if err != nil {
		t.Fatal(err)
	}
	profile.Kinds["typ"][0], profile.ClientClaims[0], profile.Machines[0].With[0] = "x", "x", "x"
	profile.Types[0] = "x"
	rights, err := reader.Read([]byte(`{"typ":"Bearer","azp":"web","sub":"1","sid":"s","preferred_username":"alice"}`))
	if err != nil || rights.ClientID != "web" {
		t.Errorf("%+v, %v", rights, err)
	}
}
