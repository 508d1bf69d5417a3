package redisstore

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

// benchRecord adds a token of a user, and returns its digest.
func benchRecord(b *testing.B, store knox.Store) string {
	b.Helper()
	now := backend.StoreTime(time.Now())
	digest := backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
	record := &knox.Record{Digest: digest, ID: backend.NewID(), UserID: "alice", Name: "phone", Created: now,
		ExpiresAt: now.Add(10 * time.Hour), UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)", IP: "192.0.2.7"}
	if _, err := store.Add(b.Context(), record, 0, false, knox.Ending{At: now}); err != nil {
		b.Fatal(err)
	}
	return digest
}

// BenchmarkKnoxFind compares a look-up that the cache answers, and one that asks Redis, with memory and with a GET of
// the same value.
func BenchmarkKnoxFind(b *testing.B) {
	find := func(b *testing.B, store knox.Store) {
		digest := benchRecord(b, store)
		b.ReportAllocs()
		for b.Loop() {
			if r, err := store.Find(context.Background(), digest); r == nil || err != nil {
				b.Fatalf("Find: got %v, %v, want a record", r, err)
			}
		}
	}
	b.Run("memory", func(b *testing.B) { find(b, knox.NewMemoryStore()) })
	b.Run("hit", func(b *testing.B) { find(b, Knox(openTest(b, Config{}))) })
	b.Run("miss", func(b *testing.B) { find(b, Knox(openTest(b, Config{MaxCached: -1}))) })
	b.Run("GET", func(b *testing.B) {
		db := openTest(b, Config{MaxCached: -1})
		key := db.key(knoxTokens, tagOfOwner("alice"), benchRecord(b, Knox(db)))
		client := db.client.(*limitedClient).Client // as a program without this package would use it
		for b.Loop() {
			if err := client.Do(context.Background(), client.B().Get().Key(key).Build()).Error(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

type benchUser string

func (u benchUser) UserID() string { return string(u) }

// BenchmarkKnoxRequest is a request with a token, through the guard.
func BenchmarkKnoxRequest(b *testing.B) {
	request := func(b *testing.B, store knox.Store) {
		tokens, err := knox.New(knox.Config{Store: store, LoadUser: func(_ context.Context, id string) (
			auth.User, error) {
			return benchUser(id), nil
		}})
		if err != nil {
			b.Fatal(err)
		}
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens}})
		if err != nil {
			b.Fatal(err)
		}
		issued, err := tokens.Issue(b.Context(), "alice", knox.Options{})
		if err != nil {
			b.Fatal(err)
		}
		handler := guard.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Token "+issued.Secret.Reveal())
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.ResponseRecorder{}
			if handler.ServeHTTP(&w, r); w.Code != 0 && w.Code != 200 {
				b.Fatalf("the request: got status %d, want 200", w.Code)
			}
		}
	}
	b.Run("memory", func(b *testing.B) { request(b, knox.NewMemoryStore()) })
	b.Run("hit", func(b *testing.B) { request(b, Knox(openTest(b, Config{}))) })
	b.Run("miss", func(b *testing.B) { request(b, Knox(openTest(b, Config{MaxCached: -1}))) })
}
