package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// registrationWith reads a client of a file that has a further member.
func registrationWith(t testing.TB, member string) server.Registration {
	t.Helper()
	all, err := server.ParseRegistrations(
		[]byte(`[{"client_id":"c","redirect_uris":["https://c.example/cb"],` + member + `}]`))
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func TestUnitColumnsOfDjangoAreNotTakenForOthers(t *testing.T) {
	s := newService(t, nil)
	for member, want := range map[string]string{
		`"client_type":"public"`:                                  "token_endpoint_auth_method",
		`"authorization_grant_type":"implicit"`:                   "grant_types",
		`"client_secret":"` + djangoHash + `"`:                    "client_secret_hash",
		`"client_secret":"argon2$argon2id$v=19$m=102400$c2Fs$aA"`: "client_secret_hash",
	} {
		t.Run(member+" is refused", func(t *testing.T) {
			_, err := s.server.EnsureClient(t.Context(), registrationWith(t, member))
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), djangoHash) {
				t.Errorf("want a cause that names %s, got %v", want, err)
			}
		})
	}
	for _, member := range []string{`"client_type":"confidential"`, `"logo_uri":"https://c.example/logo"`,
		`"client_secret":"argon2-4cfb5dc1e08b4c4b$7e$7e"`} {
		t.Run(member+" is taken", func(t *testing.T) {
			if _, err := s.server.EnsureClient(t.Context(), registrationWith(t, member)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nothing prints the hash or the digest of a client", func(t *testing.T) {
		c := server.Client{ID: "c", SecretHash: djangoHash, SecretDigest: "digest-Zq7", SecretReplaces: "replaced-Zq7"}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("client", "client", &c, "value", c)
		if text := log.String() + fmt.Sprintf("%v %+v %#v %d", &c, c, c, &c); strings.Contains(text, "Zq7") ||
			strings.Contains(text, djangoHash) || !strings.Contains(text, `server.Client "c"`) ||
			!strings.Contains(log.String(), "redacted") {
			t.Errorf("got %s", text)
		}
	})
}

const djangoHash = "pbkdf2_sha256$260000$abcdefghijklmnopqrstuv$jtIIlgAOjTlAXbv0Xs1cg31u54kcu7hxiGqQg1840y0="

func TestUnitUnsupportedMembers(t *testing.T) {
	s := newService(t, nil)
	for _, member := range []string{
		`"userinfo_signed_response_alg":"RS256"`, `"request_object_signing_alg":"RS256"`,
		`"id_token_encrypted_response_alg":"RSA-OAEP"`,
		`"subject_type":"pairwise"`, `"default_max_age":3600`, `"require_auth_time":true`, `"default_acr_values":["1"]`,
		`"tls_client_certificate_bound_access_tokens":true`, `"require_signed_request_object": true`,
		`"backchannel_logout_uri":"https://c.example/out"`, `"authorization_signed_response_alg":"ES256"`,
		`"client_type":"public"`, `"authorization_grant_type":"client-credentials"`,
		`"subject_type":17`, `"default_max_age":0`,
	} {
		name := strings.Split(member, `"`)[1]
		t.Run(member+" is refused by name", func(t *testing.T) {
			r := registrationWith(t, member)
			_, _, err := s.server.AddClient(t.Context(), r)
			_, ensured := s.server.EnsureClient(t.Context(), r)
			for _, err := range []error{err, ensured} {
				var e *server.Error
				if !errors.As(err, &e) || !errors.Is(err, server.ErrUnsupported) ||
					e.Code != "invalid_client_metadata" ||
					!strings.Contains(e.Description, name) {
					t.Errorf("got %v", err)
				}
			}
			if c, err := s.server.Client(t.Context(), "c"); c != nil || err != nil {
				t.Errorf("it is there: %+v %v", c, err)
			}
		})
	}
	for _, member := range []string{
		`"subject_type":"public"`, `"require_auth_time":false`, `"subject_type":null`, `"default_acr_values": []`,
		`"logo_uri":"https://c.example/logo.png"`, `"contacts":["a@c.example"]`, `"jwks_uri":"https://c.example/jwks"`,
		"\"request_uris\": [\n ]", `"default_acr_values": [ ]`, `"subject_type":"\u0070ublic"`,
		`"Subject_Type":"public"`, `"application_type":"web"`, `"client_name#de":"Laden"`, `"anything":{"else":1}`,
	} {
		t.Run(member+" asks for nothing", func(t *testing.T) {
			if _, err := s.server.EnsureClient(t.Context(), registrationWith(t, member)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, member := range []string{`"Subject_Type":"pairwise"`, `"ſubject_type":"pairwise"`,
		`"DEFAULT_MAX_AGE":3600`} {
		t.Run(member+" is refused by the name in small letters", func(t *testing.T) {
			_, err := s.server.EnsureClient(t.Context(), registrationWith(t, member))
			name := strings.ToLower(strings.ReplaceAll(strings.Split(member, `"`)[1], "ſ", "s"))
			var e *server.Error
			if !errors.As(err, &e) || !errors.Is(err, server.ErrUnsupported) || !strings.Contains(e.Description, name) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a client that is there is not changed by a refused registration", func(t *testing.T) {
		if _, err := s.server.EnsureClient(t.Context(), registrationWith(t, `"client_name":"before"`)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.server.EnsureClient(t.Context(),
			registrationWith(t, `"client_name":"after","subject_type":"pairwise"`)); err == nil {
			t.Error("taken")
		}
		if c, err := s.server.Client(t.Context(), "c"); err != nil || c.Name != "before" {
			t.Errorf("%+v %v", c, err)
		}
	})
	t.Run("the members that nothing reads are in the registration", func(t *testing.T) {
		r := registrationWith(
			t,
			`"logo_uri":"https://c.example/","client_secret":"x","id_token_signed_response_alg":"RS256","first_party":true`)
		var names []string
		for name := range r.Members {
			names = append(names, name)
		}
		if !slices.Equal(names, []string{"logo_uri"}) || r.IDTokenAlgorithm != "RS256" || !r.FirstParty {
			t.Errorf("%v %v", names, r.IDTokenAlgorithm)
		}
	})
}

func TestUnitEachMemberOfAFileHasOneMeaning(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{`[{"client_id":"x","require_signed_request_object":true,"require_signed_request_object":false}]`,
			`"require_signed_request_object" comes twice`},
		{`[{"client_id":"x","client_id":"x"}]`, `"client_id" comes twice`},
		{`[{"client_id":"x","client_\u0069d":"y"}]`, `"client_id" comes twice`},
		{`[{"client_id":"x"},{"logo_uri":"a","client_id":"y","logo_uri":"b"}]`,
			`number 2: the member "logo_uri" comes twice`},
		{`[{"client_id":"x","dpop_bound_access_tokens":true,"DPoP_bound_access_tokens":false}]`,
			`"DPoP_bound_access_tokens" must be written "dpop_bound_access_tokens"`},
		{`[{"client_id":"x","Scope":"read"}]`, `"Scope" must be written "scope"`},
		{`[{"client_id":"x","Client_Secret":"hunter2 is secret"}]`, `"Client_Secret" must be written "client_secret"`},
		{`[{"client_id":"x","ſcope":"read"}]`, `must be written "scope"`},
	} {
		t.Run(row.text+" is refused", func(t *testing.T) {
			all, err := server.ParseRegistrations([]byte(row.text))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %d clients and %v, want an error with %q", len(all), err, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has a value: %v", err)
			}
		})
	}
	for _, text := range []string{
		`[{"client_id":"x"},{"client_id":"x"}]`,
		`[{"client_id":"x","logo_uri":"a","Logo_URI":"b"}]`,
		`[{"client_id":"x","anything":{"a":1,"a":2}}]`,
		`[null]`,
	} {
		t.Run(text+" is taken", func(t *testing.T) {
			if _, err := server.ParseRegistrations([]byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("two members that differ in the case of letters are two", func(t *testing.T) {
		s := newService(t, nil)
		_, err := s.server.EnsureClient(t.Context(),
			registrationWith(t, `"require_auth_time":false,"Require_Auth_Time":true`))
		if !errors.Is(err, server.ErrUnsupported) {
			t.Errorf("got %v, want that each of them is looked at", err)
		}
	})
}

func FuzzParseRegistrations(f *testing.F) {
	for _, text := range []string{`[]`, `[{"client_id":"c","subject_type":"pairwise"}]`,
		`[{"redirect_uris":["https://a/"],"x":null}]`, `[null]`, `{}`, `[{"First_Party":true}]`,
		`[{"client_id":"c","client_id":"d"}]`, `[{"a":1,"A":2}]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := server.ParseRegistrations([]byte(text))
		if err != nil {
			return
		}
		for _, r := range all {
			for name := range r.Members {
				read := []string{"client_id", "client_secret", "id_token_signed_response_alg"}
				if slices.Contains(read, strings.ToLower(name)) {
					t.Errorf("%q is no further member", name)
				}
			}
		}
	})
}
