package oauth2_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/internal/floor"
	"github.com/gatewarden/auth/oauth2"
)

// discard is a ResponseWriter with a header that is used again, as no server's is.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkCached is a request with a token that is remembered, through the Guard, against
// the least that it could be: see package floor.
func BenchmarkCached(b *testing.B) {
	issuer := authtest.NewIssuer(b)
	mux := http.NewServeMux()
	mux.HandleFunc("/introspect", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true,"sub":"alice","client_id":"web","scope":"read","aud":"`+resource+`"}`)
	})
	login := httptest.NewServer(mux)
	defer login.Close()
	introspection, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: login.URL + "/introspect",
		ClientID: "api", ClientSecret: "x", Cache: oauth2.IntrospectionCache{TTL: time.Hour}})
	if err != nil {
		b.Fatal(err)
	}
	jwts, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{resource}})
	if err != nil {
		b.Fatal(err)
	}
	for _, row := range []struct {
		name, token string
		source      oauth2.Source
	}{
		{"introspection", "at_5OPQs4d0Uvqa2k7r1kHs7NdXSmhykQ84pCT7xpv0", introspection},
		{"JWT", issuer.Mint(map[string]any{"aud": resource, "client_id": "web", "scope": "read"}), jwts},
	} {
		serve := func(b *testing.B, handler http.Handler) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+row.token)
			w := &discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				handler.ServeHTTP(w, r)
			}
		}
		nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		b.Run(row.name+" floor", func(b *testing.B) {
			serve(b, floor.Header("Bearer", floor.TenThousand(row.token, auth.User(person("alice"))), nothing))
		})
		b.Run(row.name, func(b *testing.B) {
			alice := auth.User(person("alice"))
			a, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{row.source},
				LoadUser: func(context.Context, string) (auth.User, error) { return alice, nil }})
			if err != nil {
				b.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{a}})
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := a.VerifyToken(b.Context(), row.token); err != nil {
				b.Fatal(err)
			}
			serve(b, guard.Require()(nothing))
		})
	}
}
