package jwt_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/jwt"
)

// bubble runs a test with a clock that moves when all goroutines wait.
func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func serveRequest(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func memberOf(t *testing.T, text []byte, name string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	s, _ := members[name].(string)
	return s
}

// switching is a KeySource with a set that is put in from outside.
type switching struct {
	mu      sync.Mutex
	current *jwt.KeySet
	err     error
	renewed int
}

func (s *switching) set(keys *jwt.KeySet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = keys
}

func (s *switching) Current(context.Context, time.Time) (*jwt.KeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current, s.err
}

func (s *switching) Renew(context.Context, string, time.Time) (*jwt.KeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewed++
	return s.current, s.err
}
