package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/sqlstore"
)

// reads are all methods of the stores that read outside of a transaction.
func reads(t *testing.T, db *sqlstore.DB) map[string]func(ctx context.Context) error {
	tokens, sessions := opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db)
	pairs, keys := opened(t, sqlstore.JWT, db), opened(t, sqlstore.JWTKeys, db)
	oauth, external := opened(t, sqlstore.OAuth, db), opened(t, sqlstore.External, db)
	once := opened(t, sqlstore.OneTime, db)
	return map[string]func(ctx context.Context) error{
		"DB.Ping":      db.Ping,
		"knox.Find":    func(ctx context.Context) error { _, err := tokens.Find(ctx, "x"); return err },
		"knox.List":    func(ctx context.Context) error { _, err := tokens.List(ctx, "x", "", 9, moment); return err },
		"knox.Ended":   func(ctx context.Context) error { _, err := tokens.Ended(ctx, "x", moment, 9); return err },
		"session.Find": func(ctx context.Context) error { _, err := sessions.Find(ctx, "x"); return err },
		"session.List": func(ctx context.Context) error {
			_, err := sessions.List(ctx, "x", "", 9, moment)
			return err
		},
		"jwt.Find": func(ctx context.Context) error { _, _, err := pairs.Find(ctx, "x"); return err },
		"jwt.List": func(ctx context.Context) error { _, err := pairs.List(ctx, "x", "", 9, moment); return err },
		"jwt.Revoked": func(ctx context.Context) error {
			_, err := pairs.Revoked(ctx, jwt.Claimed{UserID: "x"}, moment)
			return err
		},
		"jwt.Keys":      func(ctx context.Context) error { _, err := keys.Keys(ctx); return err },
		"oauth.Client":  func(ctx context.Context) error { _, err := oauth.Client(ctx, "x"); return err },
		"oauth.Clients": func(ctx context.Context) error { _, err := oauth.Clients(ctx, "x", "", 9); return err },
		"oauth.Consent": func(ctx context.Context) error { _, err := oauth.Consent(ctx, "x", "x"); return err },
		"oauth.Grant":   func(ctx context.Context) error { _, err := oauth.Grant(ctx, "x"); return err },
		"oauth.Grants": func(ctx context.Context) error {
			_, err := oauth.Grants(ctx, "x", "", 9, moment)
			return err
		},
		"oauth.GrantsByClient": func(ctx context.Context) error {
			_, err := oauth.GrantsByClient(ctx, "x", "", 9, moment)
			return err
		},
		"oauth.Interaction": func(ctx context.Context) error {
			_, err := oauth.Interaction(ctx, "x", moment)
			return err
		},
		"oauth.FindCode":    func(ctx context.Context) error { _, _, err := oauth.FindCode(ctx, "x"); return err },
		"oauth.FindRefresh": func(ctx context.Context) error { _, _, err := oauth.FindRefresh(ctx, "x"); return err },
		"oauth.FindAccess":  func(ctx context.Context) error { _, _, err := oauth.FindAccess(ctx, "x"); return err },
		"external.Identity": func(ctx context.Context) error {
			_, err := external.Identity(ctx, "x", "x")
			return err
		},
		"external.Identities": func(ctx context.Context) error { _, err := external.Identities(ctx, "x"); return err },
		"onetime.Find":        func(ctx context.Context) error { _, err := once.Find(ctx, "x"); return err },
	}
}

func TestUnitReadTimeout(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		prefix := p.take(t)
		db := p.instance(t, sqlstore.Config{TablePrefix: prefix, ReadTimeout: 200 * time.Millisecond})
		all := reads(t, db)
		t.Run("every read waits no longer for a connection, and says so", func(t *testing.T) {
			defer takeAll(t, db.Reader())()
			var group sync.WaitGroup
			for name, read := range all {
				group.Go(func() {
					err := read(t.Context())
					if !errors.Is(err, sqlstore.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s: got %v, want ErrNoAnswer", name, err)
						return
					}
					for _, want := range []string{"Config.ReadTimeout", "all connections of the pool (1)"} {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%s: got %q, want %q in it", name, err, want)
						}
					}
				})
			}
			group.Wait()
		})
		t.Run("a context that ends sooner comes first", func(t *testing.T) {
			defer takeAll(t, db.Reader())()
			soon, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			err := all["knox.Find"](soon)
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sqlstore.ErrNoAnswer) {
				t.Errorf("got %v, want the end of the context alone", err)
			}
			gone, leave := context.WithCancel(t.Context())
			leave()
			if err := all["knox.Find"](gone); !errors.Is(err, context.Canceled) ||
				errors.Is(err, sqlstore.ErrNoAnswer) {
				t.Errorf("got %v, want that the request was canceled", err)
			}
		})
		t.Run("a query that the server keeps waiting ends, and the next one has a connection", func(t *testing.T) {
			unlock := p.lockTable(t, prefix+"knox_tokens")
			if err := all["knox.Find"](t.Context()); !errors.Is(err, sqlstore.ErrNoAnswer) {
				t.Errorf("got %v, want ErrNoAnswer", err)
			}
			unlock()
			for read := all["knox.Find"]; ; { // a machine that is busy may take longer than the limit
				if err := read(t.Context()); err == nil {
					break
				} else if !errors.Is(err, sqlstore.ErrNoAnswer) {
					t.Fatalf("got %v, want that the table can be read", err)
				}
			}
		})
		t.Run("a negative one is refused", func(t *testing.T) {
			pool := p.pool()
			defer pool.Close()
			_, err := p.engine.open(t.Context(), pool, sqlstore.Config{ReadTimeout: -1})
			if err == nil || !strings.Contains(err.Error(), "ReadTimeout") {
				t.Errorf("got %v, want an error that names the setting", err)
			}
		})
	})
}

// takeAll takes the one connection that a pool may have, and returns what gives it back.
func takeAll(t *testing.T, pool *sql.DB) (giveBack func()) {
	t.Helper()
	pool.SetMaxOpenConns(1)
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = conn.Close()
		pool.SetMaxOpenConns(16)
	}
}

// lockTable keeps others from a table until unlock is called.
func (p *place) lockTable(t *testing.T, table string) (unlock func()) {
	t.Helper()
	pool := p.pool()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lock, release := []string{"BEGIN", "LOCK TABLE " + table}, "ROLLBACK"
	if p.driver == "mysql" {
		lock, release = []string{"LOCK TABLES " + table + " WRITE"}, "UNLOCK TABLES"
	}
	for _, statement := range lock {
		must(t, conn, statement)
	}
	return func() {
		must(t, conn, release)
		_ = conn.Close()
		_ = pool.Close()
	}
}

func TestUnitConnectWithin(t *testing.T) {
	t.Run("a server that accepts a connection and is silent is given up on", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts for it
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		config := mysql.NewConfig()
		config.Net, config.Addr, config.Logger = "tcp", listener.Addr().String(), &mysql.NopLogger{}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sqlstore.ConnectWithin(50*time.Millisecond, connector).Connect(context.Background())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the deadline is over", err)
		}
	})
}
