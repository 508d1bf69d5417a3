package knox_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
)

// errDown wraps what a careless driver might: it must not be believed.
var errDown = fmt.Errorf("dial tcp 10.0.0.7:5432: password authentication failed for user admin: %w",
	auth.ErrNoCredentials)

// faulty is a store that fails at its nth call, or at every one if all is set.
type faulty struct {
	knox.Store
	calls, touches atomic.Int64
	nth            int64
	all            atomic.Bool
}

func (f *faulty) fails() bool { return f.calls.Add(1) == f.nth || f.all.Load() }

func (f *faulty) Add(ctx context.Context, r *knox.Record, limit int, evict bool, ending knox.Ending) (
	knox.Added, error) {
	if f.fails() {
		return knox.Added{}, errDown
	}
	return f.Store.Add(ctx, r, limit, evict, ending)
}

func (f *faulty) Find(ctx context.Context, digest string) (*knox.Record, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.Find(ctx, digest)
}

func (f *faulty) Touch(ctx context.Context, touch knox.Touch) error {
	f.touches.Add(1)
	if f.fails() {
		return errDown
	}
	return f.Store.Touch(ctx, touch)
}

func (f *faulty) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*knox.Record, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.List(ctx, userID, after, limit, now)
}

func (f *faulty) Revoke(ctx context.Context, userID, id string, ending knox.Ending) (bool, error) {
	if f.fails() {
		return false, errDown
	}
	return f.Store.Revoke(ctx, userID, id, ending)
}

func (f *faulty) RevokeAll(ctx context.Context, userID, kept, stamp string, ending knox.Ending) ([]string, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.RevokeAll(ctx, userID, kept, stamp, ending)
}

func (f *faulty) Purge(ctx context.Context, limit int, ending knox.Ending) ([]*knox.Record, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.Purge(ctx, limit, ending)
}

func (f *faulty) Ended(ctx context.Context, userID string, since time.Time, limit int) ([]*knox.EndedToken, error) {
	if f.fails() {
		return nil, errDown
	}
	return f.Store.Ended(ctx, userID, since, limit)
}

func (f *faulty) PurgeEnded(ctx context.Context, before time.Time, limit int) (int, error) {
	if f.fails() {
		return 0, errDown
	}
	return f.Store.PurgeEnded(ctx, before, limit)
}

func TestAStoreThatFailsAtAnyCallGives503AndTheOldStateOrTheNew(t *testing.T) {
	for _, row := range []struct {
		sentence, method, path string
		basic                  bool
	}{
		{"login", "POST", "/auth/login/", true},
		{"logout", "POST", "/auth/logout/", false},
		{"logoutall", "POST", "/auth/logoutall/", false},
		{"list", "GET", "/auth/tokens/", false},
		{"ended", "GET", "/auth/tokens/ended/", false},
		{"revoke", "DELETE", "/auth/tokens/{id}/", false},
		{"use", "GET", "/me", false},
	} {
		for nth := int64(1); ; nth++ {
			store := &faulty{Store: knox.NewMemoryStore()}
			s := start(t, func(c *knox.Config) { c.Store, c.KeepEnded = store, time.Hour })
			token := s.login("alice")
			id := s.rows("alice")[0].ID
			authorization := "Token " + token
			if row.basic {
				authorization = basicOf("alice")
			}
			store.calls.Store(0)
			store.nth = nth
			touched := store.touches.Load()
			got := s.do(row.method, strings.Replace(row.path, "{id}", id, 1), authorization, "")
			calls := store.calls.Load()
			store.nth = 0
			if calls < nth {
				break // it makes no nth call
			}
			failedTouch := store.touches.Load() > touched && nth == 2
			if !failedTouch && (got.status != 503 || got.header.Get("Retry-After") == "") {
				t.Errorf("%s failing at call %d: %d", row.sentence, nth, got.status)
			}
			if failedTouch && got.status >= 300 {
				t.Errorf("%s with a failed touch: %d", row.sentence, got.status)
			}
			if strings.Contains(got.text, "admin") || strings.Contains(fmt.Sprint(got.header), "admin") {
				t.Errorf("%s: the cause reached the client: %s %v", row.sentence, got.text, got.header)
			}
			if n := len(s.rows("alice")); !failedTouch && n != 1 {
				t.Errorf("%s failing at call %d left %d rows", row.sentence, nth, n)
			}
		}
	}
}

func TestAnOutageIsNever401AndNeverAnonymous(t *testing.T) {
	store := &faulty{Store: knox.NewMemoryStore()}
	s := start(t, func(c *knox.Config) { c.Store = store })
	token := s.login("alice")
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{s.tokens}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	reached := false
	optional := guard.Optional()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	ask := func() int {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Token "+token)
		w := httptest.NewRecorder()
		optional.ServeHTTP(w, r)
		return w.Code
	}
	store.all.Store(true)
	if got := ask(); got != 503 || reached {
		t.Errorf("store down: %d, handler reached: %v", got, reached)
	}
	store.all.Store(false)
	s.people.set(func() { s.people.down = errDown })
	if got := ask(); got != 503 || reached {
		t.Errorf("user loader down: %d, handler reached: %v", got, reached)
	}
	s.people.set(func() { s.people.down = nil })
	if got := ask(); got != 200 || !reached {
		t.Errorf("up again: %d", got)
	}
}

func TestGarbageAsksNoStore(t *testing.T) {
	store := &faulty{Store: knox.NewMemoryStore()}
	s := start(t, func(c *knox.Config) { c.Store = store })
	token := s.login("alice")
	store.calls.Store(0)
	for _, garbage := range []string{"abc", strings.Repeat("a", 40), token[:39] + "!", token[:39] + string(token[39]^1),
		"eyJhbGciOiJub25lIn0.e30."} {
		s.me(garbage)
	}
	if n := store.calls.Load(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestNothingThatIsPrintedHoldsASecret(t *testing.T) {
	var log bytes.Buffer
	s := start(t, nil)
	issued, err := s.tokens.Issue(t.Context(), "alice", knox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	secret := issued.Secret.Reveal()
	slog.New(slog.NewTextHandler(&log, nil)).Info("issued", "issued", issued, "secret", issued.Secret)
	fmt.Fprintf(&log, "%v %+v %#v %s %q %x", issued, issued, issued, issued.Secret, issued.Secret, issued.Secret)
	fmt.Fprintf(&log, "%v %+v", *s.rows("alice")[0], s.events.seen)
	if strings.Contains(log.String(), secret) || strings.Contains(log.String(), fmt.Sprintf("%x", secret)) {
		t.Error("the secret is in the log")
	}
}
