package enginetest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// BenchmarkKnoxServers checks a token in each server, by requests whose context can be canceled, as net/http makes
// them.
func BenchmarkKnoxServers(b *testing.B) {
	for _, engine := range engines[1:] {
		b.Run(engine.name, func(b *testing.B) {
			store, err := sqlstore.Knox(b.Context(), engine.place(b).open(b))
			if err != nil {
				b.Fatal(err)
			}
			tokens, err := knox.New(knox.Config{Store: store, LoadUser: func(_ context.Context, id string) (
				auth.User, error) {
				return benchUser(id), nil
			}})
			if err != nil {
				b.Fatal(err)
			}
			issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
			if err != nil {
				b.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
			if err != nil {
				b.Fatal(err)
			}
			handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			r.Header.Set("Authorization", "Token "+issued.Secret.Reveal())
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
