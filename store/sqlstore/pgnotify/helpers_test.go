package pgnotify_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/sqlstore/pgnotify"
	_ "github.com/jackc/pgx/v5/stdlib"
)

const channel = "gatewarden_test"

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// must returns a value without an error.
func must[S any](t testing.TB) func(value S, err error) S {
	return func(value S, err error) S {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// openDB opens a database as one instance of a service does.
func openDB(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	pool := must[*sql.DB](t)(sql.Open("pgx", dsn))
	pool.SetMaxOpenConns(8)
	db := must[*sqlstore.DB](t)(sqlstore.NewPostgreSQL(t.Context(), pool, sqlstore.Config{NotifyChannel: channel}))
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// heard is a cache that says what it is told.
type heard struct{ events chan string }

func newHeard() *heard { return &heard{make(chan string, 10_000)} }

func (h *heard) Forget(userID string) { h.events <- "forget " + userID }
func (h *heard) ForgetAll()           { h.events <- "forget all" }

func (h *heard) Suspend() (resume func()) {
	h.events <- "suspend"
	return func() { h.events <- "resume" }
}

// next fails unless these events come next.
func (h *heard) next(t testing.TB, want ...string) {
	t.Helper()
	for _, want := range want {
		select {
		case got := <-h.events:
			if got != want {
				t.Fatalf("got the event %.80q, want %.80q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("got no event, want %.80q", want)
		}
	}
}

// listen starts a listener that ends with the test, and returns when it listens.
func listen(t testing.TB, config pgnotify.Config) *pgnotify.Listener {
	t.Helper()
	config.Channel = channel
	listener := must[*pgnotify.Listener](t)(pgnotify.Listen(t.Context(), config))
	t.Cleanup(listener.Close)
	return listener
}

// hear returns a listener that is told of everything.
func hear(t testing.TB, dsn string) *heard {
	t.Helper()
	h := newHeard()
	listen(t, pgnotify.Config{DSN: dsn, Caches: []cached.Cache{h}})
	h.next(t, "suspend", "resume")
	return h
}

// instance is a service with tokens of knox, which it caches.
type instance struct {
	db     *sqlstore.DB
	tokens *cached.KnoxStore
	heard  *heard // is told after tokens
	log    *lines
}

// newInstance starts a service. Its notifications come by listenDSN.
func newInstance(t testing.TB, dsn, listenDSN string) *instance {
	t.Helper()
	i := &instance{db: openDB(t, dsn), heard: newHeard(), log: &lines{}}
	store := must[*sqlstore.KnoxStore](t)(sqlstore.Knox(t.Context(), i.db))
	i.tokens = must[*cached.KnoxStore](t)(cached.Knox(store, cached.Config{TTL: time.Minute}))
	listen(t, pgnotify.Config{DSN: listenDSN, Caches: []cached.Cache{i.tokens, i.heard}, Ping: 200 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(i.log, nil))})
	i.heard.next(t, "suspend", "resume")
	return i
}

func (i *instance) add(t testing.TB, userID, id string) {
	t.Helper()
	now := time.Now().UTC()
	token := &knox.Record{Digest: "digest " + id, ID: id, UserID: userID, Created: now, ExpiresAt: now.Add(time.Hour)}
	if _, err := i.tokens.Add(t.Context(), token, 0, false, knox.Ending{At: now}); err != nil {
		t.Fatal(err)
	}
}

func (i *instance) revoke(t testing.TB, userID, id string) {
	t.Helper()
	ending := knox.Ending{Reason: knox.EndRevoked, At: time.Now()}
	if found, err := i.tokens.Revoke(t.Context(), userID, id, ending); !found || err != nil {
		t.Fatalf("Revoke: got %v, %v, want true", found, err)
	}
}

// want fails unless a token is good or not.
func (i *instance) want(t testing.TB, id string, good bool) {
	t.Helper()
	found, err := i.tokens.Find(t.Context(), "digest "+id)
	if err != nil || (found != nil) != good {
		t.Errorf("got the token %v, %v, want that it is good: %v", found, err, good)
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// database returns the address of an empty database.
func database(t testing.TB) string {
	t.Helper()
	return testserver.PostgreSQL(t).Database(t).DSN
}

// exec runs a statement.
func exec(t testing.TB, db *sqlstore.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Writer().ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}
