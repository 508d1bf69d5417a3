package jwt_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestOnlyPublicKeysArePublished(t *testing.T) {
	keys := keySet(t, signing(t, jwt.HS256), signing(t, jwt.RS256), signing(t, jwt.ES384).Public(),
		signing(t, jwt.EdDSA))
	w := serveRequest(jwt.NewJWKSHandler(keys, time.Minute), "GET", "/")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" ||
		w.Header().Get("Cache-Control") != "public, max-age=60" ||
		w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error(w.Code, w.Header())
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 3 {
		t.Fatal(w.Body, err)
	}
	for _, key := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, there := key[private]; there {
				t.Errorf("%v", key)
			}
		}
		if key["use"] != "sig" || key["alg"] == "" || key["kid"] == "" {
			t.Errorf("%v", key)
		}
	}
	parsed, err := jwt.ParseJWKS(w.Body.Bytes())
	if err != nil || len(parsed.Keys()) != 3 || parsed.Signing() != nil {
		t.Error(parsed, err)
	}
	for i, key := range parsed.Keys() {
		if want := keys.Keys()[i+1]; key.ID() != want.ID() || key.Algorithm() != want.Algorithm() ||
			key.Thumbprint() != want.Thumbprint() {
			t.Errorf("%v was published as %v", want, key)
		}
	}
}

func TestASetOfSecretsIsPublishedEmpty(t *testing.T) {
	if w := serveRequest(jwt.NewJWKSHandler(keySet(t, signing(t, jwt.HS256)), 0), "GET", "/"); w.Code != 200 ||
		w.Body.String() != `{"keys":[]}`+"\n" {
		t.Error(w.Code, w.Body)
	}
}

func TestPublishedKeysAreCachedAsLongAsIsSaid(t *testing.T) {
	keys := keySet(t, signing(t, jwt.ES256))
	for maxAge, want := range map[time.Duration]string{
		0:                      "public, max-age=300",
		time.Hour:              "public, max-age=3600",
		90*time.Second + 999e6: "public, max-age=90",
		time.Millisecond:       "public, max-age=0",
		-1:                     "no-store",
	} {
		if w := serveRequest(jwt.NewJWKSHandler(keys, maxAge), "GET", "/"); w.Header().Get("Cache-Control") != want {
			t.Errorf("%v: %v", maxAge, w.Header())
		}
	}
}

func TestPublishedKeysAreRead(t *testing.T) {
	handler := jwt.NewJWKSHandler(keySet(t, signing(t, jwt.ES256)), 0)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Method = method
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" ||
			w.Header().Get("Content-Type") != "application/problem+json" {
			t.Error(method, w.Code, w.Header())
		}
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	resp, err := http.Head(server.URL)
	if err != nil || resp.StatusCode != 200 || resp.ContentLength <= 0 {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
}

func TestKeysThatCannotBeToldAreNotAnEmptySet(t *testing.T) {
	for sentence, source := range map[string]jwt.KeySource{"an outage": &switching{err: errDown},
		"a source that returns nothing": &switching{}} {
		w := serveRequest(jwt.NewJWKSHandler(source, 0), "GET", "/")
		var problem struct{ Code string }
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || problem.Code != auth.CodeUnavailable {
			t.Error(sentence, w.Body, err)
		}
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("Access-Control-Allow-Origin") != "*" || strings.Contains(w.Body.String(), errDown.Error()) {
			t.Error(sentence, w.Code, w.Header(), w.Body)
		}
	}
}

// A program that fetches the keys as often as it may cache them has each key before
// the first token that it signs.
func TestVerifiersHaveAKeyBeforeItSigns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const maxAge = 5 * time.Minute
		ring := newRing(t, jwt.NewMemoryKeyStore(), func(c *jwt.KeyringConfig) {
			c.Algorithms, c.Rotate, c.Publish, c.Keep = []jwt.Algorithm{
				jwt.EdDSA}, 2*time.Hour, 10*time.Minute, time.Hour
		})
		go func() { _ = ring.Run(t.Context()) }()
		handler := jwt.NewJWKSHandler(ring, maxAge)
		var fetched *jwt.KeySet
		var at time.Time
		seen := map[string]bool{}
		for range 600 {
			time.Sleep(time.Minute)
			if fetched == nil || time.Since(at) >= maxAge {
				var err error
				if fetched, err = jwt.ParseJWKS(serveRequest(handler, "GET", "/").Body.Bytes()); err != nil {
					t.Fatal(err)
				}
				at = time.Now()
			}
			set, err := ring.Current(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.Sign(set.Signing(), "", map[string]any{"sub": "alice"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jwt.VerifyBare(fetched, token); err != nil {
				t.Fatalf("at %s: %v", time.Now(), err)
			}
			seen[set.Signing().ID()] = true
		}
		if len(seen) != 6 { // in 10 hours
			t.Errorf("%d keys signed", len(seen))
		}
	})
}
