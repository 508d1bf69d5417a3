package jwt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// fetchedFrom returns the keys of a server that publishes a set, and what was logged.
func fetchedFrom(t *testing.T, mediaType, set string) (*jwt.RemoteKeys, *bytes.Buffer) {
	t.Helper()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil // or net/http guesses one
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		_, _ = w.Write([]byte(set))
	})
	var log bytes.Buffer
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: server.URL + "/keys",
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return keys, &log
}

// setOf returns a set of a key with other members; see with.
func setOf(t *testing.T, key *jwt.Key, change map[string]any) string {
	t.Helper()
	text, err := key.MarshalJWK(false)
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys":[` + with(t, string(text), change) + `]}`
}

func TestUnitAnOddOptionalMemberOfAPublishedKeyCostsNoUser(t *testing.T) {
	null := json.RawMessage("null")
	for name, values := range map[string]map[string]any{
		"alg": {"null": null, "a number": 7, "an object": map[string]any{}, "an array": []string{"ES256"}, "empty": ""},
		"use": {"null": null, "a number": 7, "an object": map[string]any{}, "an array": []string{"sig"}, "empty": ""},
		"kid": {"null": null, "a number": 7, "an object": map[string]any{}, "an array": []string{"1"}, "empty": ""},
		"key_ops": {"null": null, "a number": 7, "an object": map[string]any{}, "a string": "verify",
			"null beside verify": []any{nil, "verify"}, "a number beside verify": []any{"verify", 7},
			"only numbers": []any{7}},
	} {
		for kind, value := range values {
			t.Run(name+" is "+kind, func(t *testing.T) {
				key := signing(t, jwt.ES256).WithID("1")
				keys, log := fetchedFrom(t, "application/json", setOf(t, key, map[string]any{name: value}))
				if name == "kid" {
					key = key.WithID("") // which is how such an issuer signs
				}
				if got := verdictOf(t, refetchVerifier(t, keys), mintBy(t, key, nil)); got != nil {
					t.Fatalf("want the token to be good, got %v: %s", got, log)
				}
				// null and the empty string say nothing. What was meant by the rest is worth a look.
				silent := kind == "null" || kind == "empty"
				if told := strings.Count(log.String(), "members of published keys are ignored"); told != map[bool]int{
					false: 1}[silent] {
					t.Errorf("want one line about %s unless it is null or empty, got %s", name, log)
				}
				if !silent && !strings.Contains(log.String(), name+" ") {
					t.Errorf("want %s named, got %s", name, log)
				}
			})
		}
	}
}

func TestUnitTheLogSaysOnceWhatOfAKeySetIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		text := setOf(t, signing(t, jwt.ES256), map[string]any{"use": 7})
		fetches := 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			fetches++
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
		})}
		keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: "https://login.example/keys", Client: client,
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(time.Hour)
			if _, err := keys.Renew(t.Context(), "junk", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if told := strings.Count(log.String(), "are ignored"); fetches != 5 || told != 1 {
			t.Errorf("want one line for 5 fetches of the same keys, got %d for %d: %s", told, fetches, log.String())
		}
	})
}

func TestUnitAKeyThatIsForSomethingElseIsLeftOutAndTheErrorSaysWhy(t *testing.T) {
	for sentence, row := range map[string]struct {
		change map[string]any
		want   string
	}{
		"use is enc":               {map[string]any{"use": "enc"}, "use is not sig"},
		"key_ops without verify":   {map[string]any{"key_ops": []string{"encrypt"}}, "key_ops neither sign nor verify"},
		"no key_ops at all":        {map[string]any{"key_ops": []string{}}, "key_ops neither sign nor verify"},
		"an algorithm of nobody":   {map[string]any{"alg": "RSA-OAEP"}, "alg is unknown"},
		"a curve that is a number": {map[string]any{"crv": 7}, "crv is no string"},
		"x is null":                {map[string]any{"x": json.RawMessage("null")}, "x is no string"},
		"no kty":                   {map[string]any{"kty": nil}, "kty is unknown"},
	} {
		t.Run(sentence, func(t *testing.T) {
			keys, log := fetchedFrom(t, "application/json", setOf(t, signing(t, jwt.ES256).WithID("one"), row.change))
			err := keys.Check(t.Context())
			for _, want := range []string{"a JWK Set without a key for us", `key 1 ("one"): the JWK's ` + row.want} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("want %q, got %v", want, err)
				}
			}
			if !strings.Contains(log.String(), row.want) {
				t.Errorf("want it in the log, got %s", log)
			}
		})
	}
	t.Run("beside a good one it is in the line about the keys", func(t *testing.T) {
		good, other := signing(t, jwt.ES256), signing(t, jwt.RS256).WithID("other")
		set := strings.TrimSuffix(setOf(t, good, nil), "]}") + "," +
			strings.TrimPrefix(setOf(t, other, map[string]any{"use": "enc"}), `{"keys":[`)
		keys, log := fetchedFrom(t, "application/json", set)
		if err := keys.Check(t.Context()); err != nil || !strings.Contains(log.String(), "keys=1") ||
			!strings.Contains(log.String(), `key 2 (\"other\"): the JWK's use is not sig`) {
			t.Errorf("want the good key and the reason for the other, got %v: %s", err, log)
		}
	})
	t.Run("the reasons are bounded", func(t *testing.T) {
		var all []string
		for n := range 5000 {
			all = append(all, fmt.Sprintf(`{"kty":"EC","kid":%q,"use":"enc"}`, strings.Repeat("k", 1+n%150)))
		}
		keys, _ := fetchedFrom(t, "", `{"keys":[`+strings.Join(all, ",")+`]}`)
		err := keys.Check(t.Context())
		if err == nil || len(err.Error()) > 3000 || !strings.Contains(err.Error(), "and 4990 more") {
			t.Errorf("want ten reasons and how many more, got %.3000v", err)
		}
	})
}

func TestUnitKeysAreReadWhateverTheirMediaType(t *testing.T) {
	for _, mediaType := range []string{"application/json", "application/jwk-set+json; charset=utf-8", "text/plain",
		"text/plain; charset=utf-8", "text/html", "binary/octet-stream", "application/octet-stream", "", "nonsense;;"} {
		t.Run(fmt.Sprintf("%q", mediaType), func(t *testing.T) {
			key := signing(t, jwt.ES256)
			keys, log := fetchedFrom(t, mediaType, setOf(t, key, nil))
			if got := verdictOf(t, refetchVerifier(t, keys), mintBy(t, key, nil)); got != nil {
				t.Errorf("want the token to be good, got %v: %s", got, log)
			}
		})
	}
	t.Run("a page is no key set, and the error names its type", func(t *testing.T) {
		keys, _ := fetchedFrom(t, "text/html", "<html>Sign in</html>")
		err := keys.Check(t.Context())
		if err == nil ||
			!strings.Contains(err.Error(), `the answer is of the type "text/html" and not of a JSON type`) {
			t.Errorf("want the type, got %v", err)
		}
	})
	t.Run("an answer of another status is none, whatever is in it", func(t *testing.T) {
		text := setOf(t, signing(t, jwt.ES256), nil)
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = w.Write([]byte(text))
		})
		if _, err := fetchOnce(t, jwt.RemoteKeysConfig{URL: server.URL}); err == nil {
			t.Error("want an error for 202")
		}
	})
}

// FuzzOptionalMembers puts any value into an optional member of a good key. The key may be
// lost only by a value that is of the right type.
func FuzzOptionalMembers(f *testing.F) {
	for _, name := range []string{"kid", "use", "alg", "key_ops", "x5c", "x5t", "exp"} {
		for _, value := range []string{`null`, `7`, `{}`, `[]`, `"sig"`, `"enc"`, `["verify"]`, `[null]`,
			`"Ed25519"`, `""`} {
			f.Add(name, value)
		}
	}
	text := rfc8037Key
	f.Fuzz(func(t *testing.T, name, value string) {
		required := map[string]bool{"kty": true, "crv": true, "x": true}
		if required[name] || !json.Valid([]byte(value)) {
			return
		}
		members := membersOf(t, text)
		members[name] = json.RawMessage(value)
		one, err := json.Marshal(members)
		if err != nil {
			return
		}
		set, err := jwt.ParseJWKS([]byte(`{"keys":[null,` + string(one) + `,7]}`))
		if err != nil {
			t.Fatalf("want a set, got %v", err)
		}
		if kept := len(set.Keys()) == 1; !kept && !restricts(name, value) {
			t.Errorf("%s %s cost the key, and it is kept without it", name, value)
		}
	})
}

// restricts reports a value of the right type for a member that says what a key is for.
func restricts(name, value string) bool {
	switch name {
	case "use", "alg":
		var text *string
		return json.Unmarshal([]byte(value), &text) == nil && text != nil && *text != ""
	case "key_ops":
		var all []any
		if json.Unmarshal([]byte(value), &all) != nil || all == nil {
			return false
		}
		for _, each := range all {
			if _, ok := each.(string); ok {
				return true
			}
		}
		return len(all) == 0
	}
	return false
}
