package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/oauth2/server"
)

var errStoreDown = errors.New("the store is down")

// endingStore is a store that says which sessions ended, or fails.
type endingStore struct {
	server.Store
	ended []string
	down  bool
}

func (s *endingStore) EndSession(ctx context.Context, id string, now time.Time) ([]server.EndedGrant, error) {
	if s.down {
		return nil, errStoreDown
	}
	ended, err := s.Store.EndSession(ctx, id, now)
	if err == nil {
		s.ended = append(s.ended, id)
	}
	return ended, err
}

func TestUnitSessionEnded(t *testing.T) {
	opened := func(t *testing.T) (*endingStore, auth.Observer) {
		t.Helper()
		a, err := open(t.Context(), settings{db: "memory:", port: "8000", issuer: "http://127.0.0.1:8000"},
			slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		store := &endingStore{Store: a.oauthStore}
		a.oauthStore = store
		if err := a.openOAuth(t.Context()); err != nil {
			t.Fatal(err)
		}
		return store, a.sessionEnded(auth.ObserverFunc(func(context.Context, auth.Event) {}))
	}
	revoked := auth.Event{Kind: auth.EventRevoked, UserID: "alice", CredentialID: "session"}
	t.Run("a browser that hangs up keeps nothing", func(t *testing.T) {
		store, observer := opened(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		observer.Observe(ctx, revoked)
		if len(store.ended) != 1 {
			t.Errorf("got %v ended, want the session", store.ended)
		}
	})
	t.Run("a failure reaches the handler that asks for it", func(t *testing.T) {
		store, observer := opened(t)
		r, failed := noteEndFailure(httptest.NewRequest("POST", "/devices", nil))
		observer.Observe(r.Context(), revoked)
		if failed.err != nil {
			t.Errorf("got %v, want no failure", failed.err)
		}
		store.down = true
		observer.Observe(r.Context(), revoked)
		if !errors.Is(failed.err, errStoreDown) {
			t.Errorf("got %v, want %v", failed.err, errStoreDown)
		}
	})
}
