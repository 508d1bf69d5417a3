package jwt_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// failing is a store that can be down. Its error wraps what must not be taken
// for a verdict.
type failing struct {
	jwt.Store
	down atomic.Bool
}

func (f *failing) err() error {
	if f.down.Load() {
		return auth.ErrInvalid
	}
	return nil
}

func (f *failing) Start(ctx context.Context, session *jwt.Session, first, adopted *jwt.Refresh, limit int, evict bool) (
	jwt.Started, error) {
	if err := f.err(); err != nil {
		return jwt.Started{}, err
	}
	return f.Store.Start(ctx, session, first, adopted, limit, evict)
}

func (f *failing) Find(ctx context.Context, digest string) (*jwt.Refresh, *jwt.Session, error) {
	if err := f.err(); err != nil {
		return nil, nil, err
	}
	return f.Store.Find(ctx, digest)
}

func (f *failing) Rotate(ctx context.Context, old string, now time.Time, grace time.Duration, next *jwt.Refresh) (
	jwt.Rotation, error) {
	if err := f.err(); err != nil {
		return jwt.Rotation{}, err
	}
	return f.Store.Rotate(ctx, old, now, grace, next)
}

func (f *failing) Revoked(ctx context.Context, c jwt.Claimed, now time.Time) (bool, error) {
	if err := f.err(); err != nil {
		return false, err
	}
	return f.Store.Revoked(ctx, c, now)
}

func (f *failing) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := f.err(); err != nil {
		return false, err
	}
	return f.Store.Revoke(ctx, userID, id, now)
}

func (f *failing) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := f.err(); err != nil {
		return nil, err
	}
	return f.Store.RevokeAll(ctx, userID, kept, stamp, now)
}

func TestAStoreThatIsDownIs503AndNothingIsLost(t *testing.T) {
	store := &failing{Store: jwt.NewMemoryStore()}
	s := newService(t, func(c *jwt.Config) { c.Store = store })
	access, refresh := s.obtain("alice")
	sliding := s.post("/api/token/sliding/", "username", "alice", "password", "alicealice").member("token")
	cookie := refreshCookie(t, s.post("/browser/", "username", "alice", "password", "alicealice"))
	s.want("before", s.me(access), 200, "")
	store.down.Store(true)
	for path, answer := range map[string]response{
		"me":              s.me(access),
		"obtain":          s.post("/api/token/", "username", "alice", "password", "alicealice"),
		"refresh":         s.post("/api/token/refresh/", "refresh", refresh),
		"verify":          s.post("/api/token/verify/", "token", access),
		"blacklist":       s.post("/api/token/blacklist/", "refresh", refresh),
		"sliding":         s.post("/api/token/sliding/", "username", "alice", "password", "alicealice"),
		"sliding refresh": s.post("/api/token/sliding/refresh/", "token", sliding),
		"logoutall":       s.do("POST", "/api/token/logoutall/", "", "Authorization", "Bearer "+access),
		"a browser":       s.do("POST", "/browser/refresh/", "", "Cookie", cookie.Name+"="+cookie.Value),
		"its logout":      s.do("POST", "/browser/blacklist/", "", "Cookie", cookie.Name+"="+cookie.Value),
	} {
		if answer.status != 503 || answer.header.Get("Retry-After") == "" || answer.member("code") != "unavailable" ||
			answer.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %s", path, answer.status, answer.text)
		}
	}
	store.down.Store(false)
	s.want("the access token", s.me(access), 200, "")
	s.want("the sliding token", s.me(sliding), 200, "")
	s.want("the refresh token", s.post("/api/token/refresh/", "refresh", refresh), 200, "")
	s.want("the browser", s.do("POST", "/browser/refresh/", "", "Cookie", cookie.Name+"="+cookie.Value), 200, "")
}

func TestKeysThatCannotBeHadAre503(t *testing.T) {
	keys := &switching{}
	keys.set(keySet(t, signing(t, jwt.ES256)))
	s := newService(t, func(c *jwt.Config) { c.Keys = keys })
	access, refresh := s.obtain("alice")
	s.want("before", s.me(access), 200, "")
	keys.mu.Lock()
	keys.err = errDown
	keys.mu.Unlock()
	for path, answer := range map[string]response{
		"a remembered token": s.me(access),
		"refresh":            s.post("/api/token/refresh/", "refresh", refresh),
		"obtain":             s.post("/api/token/", "username", "alice", "password", "alicealice"),
	} {
		s.want(path, answer, 503, "Authentication is temporarily unavailable.")
	}
}
