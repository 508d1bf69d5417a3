package failover

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
)

// answerIn is the longest that a request to a [service] may take.
const answerIn = 10 * time.Second

// service is one instance of a service with tokens of knox and jwt. It runs in this process, so that a test can look at
// its stores and its log.
type service struct {
	handler http.Handler
	log     *logText
	stores  serviceStores
}

// serviceStores are where a service keeps things. The stores of one engine are one database.
type serviceStores struct {
	knox  knox.Store
	jwt   jwt.Store
	oauth server.Store
	ping  func(context.Context) error

	// touchInterval is knox.Config.TouchInterval. If 0, each use of a token is written, which drops it from caches.
	touchInterval time.Duration
}

// faultUser is a user with the password "open sesame".
type faultUser string

func (u faultUser) UserID() string { return string(u) }

func loadFaultUser(_ context.Context, id string) (auth.User, error) { return faultUser(id), nil }

// newService starts an instance. The key of its JWTs is one that all instances of a test share.
func newService(t testing.TB, stores serviceStores, key *jwt.Key, log *logText) *service {
	t.Helper()
	tokens := must[*knox.Tokens](t)(knox.New(knox.Config{Store: stores.knox, LoadUser: loadFaultUser,
		Sliding: knox.SlidingSettings{Enabled: true}, TouchInterval: cmp.Or(stores.touchInterval, time.Millisecond),
		Limit: knox.NoLimit, Logger: log.logger()}))
	pairs := must[*jwt.Tokens](t)(jwt.New(jwt.Config{Store: stores.jwt, LoadUser: loadFaultUser,
		Issuer: "https://service.example", Keys: must[*jwt.KeySet](t)(jwt.NewKeySet(key)), Limit: jwt.NoLimit}))
	basic := must[*header.Basic](t)(header.NewBasic(header.BasicConfig{LoadUser: loadFaultUser, Remember: -1,
		Check: func(_ *http.Request, username, password string) (auth.User, error) {
			if password != "open sesame" {
				return nil, auth.ErrInvalid
			}
			return faultUser(username), nil
		}}))
	guard := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{tokens, pairs},
		Login: []auth.Authenticator{basic}, Logger: log.logger()}))
	mux := http.NewServeMux()
	must[*knox.Handlers](t)(tokens.Handlers(guard)).Register(mux, "/auth")
	must[*jwt.Handlers](t)(pairs.Handlers(guard)).Register(mux, "/token")
	mux.Handle("GET /me", guard.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})))
	return &service{handler: mux, log: log, stores: stores}
}

// newSigningKey returns a key for the JWTs of all instances of a test.
func newSigningKey(t testing.TB) *jwt.Key {
	t.Helper()
	return must[*jwt.Key](t)(jwt.GenerateKey(jwt.ES256))
}

// reply is what a service answers.
type reply struct {
	status int
	body   map[string]any
	took   time.Duration
}

func (r reply) text(member string) string {
	text, _ := r.body[member].(string)
	return text
}

// send sends a request. The body is JSON, or "".
func (s *service) send(method, path, authorization, body string) reply {
	return s.sendIn(answerIn, method, path, authorization, body)
}

// sendIn is send for a request that ends after a time.
func (s *service) sendIn(within time.Duration, method, path, authorization, body string) reply {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	began := time.Now()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	answer := reply{status: w.Code, took: time.Since(began)}
	_ = json.Unmarshal(w.Body.Bytes(), &answer.body)
	return answer
}

// login gets a token of knox.
func (s *service) login(user string) reply {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, "open sesame")
	return s.send("POST", "/auth/login/", r.Header.Get("Authorization"), "")
}

// pair gets a pair of JWTs.
func (s *service) pair(user string) reply {
	r := httptest.NewRequest("GET", "/", nil)
	r.SetBasicAuth(user, "open sesame")
	return s.send("POST", "/token/", r.Header.Get("Authorization"), "")
}

func (s *service) check(token string) reply { return s.send("GET", "/me", "Token "+token, "") }
func (s *service) logout(token string) reply {
	return s.send("POST", "/auth/logout/", "Token "+token, "")
}

func (s *service) refresh(token string) reply {
	body, _ := json.Marshal(map[string]string{"refresh": token}) // which has no value that fails
	return s.send("POST", "/token/refresh/", "", string(body))
}

// must returns a value without an error.
func must[V any](t testing.TB) func(value V, err error) V {
	return func(value V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// patience is how long a test waits for what must happen. A machine that runs other tests is slow.
const patience = 2 * time.Minute

// until calls done until it reports true, or fails the test.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	timeout := time.After(patience)
	for !done() {
		select {
		case <-look.C:
		case <-timeout:
			t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

// logText is a log that a test reads.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var _ io.Writer = (*logText)(nil)

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// has reports whether the log has the words.
func (l *logText) has(words string) bool { return strings.Contains(l.String(), words) }

func (l *logText) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
