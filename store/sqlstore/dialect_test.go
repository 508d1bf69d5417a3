package sqlstore_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// noted is an engine that notes the statements that it is given. Its tables are empty. Its counts are 1,
// so that there is no room under a limit of 1.
type noted struct {
	mu     sync.Mutex
	events []string
}

func (n *noted) note(event string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, event)
}

// take returns what was noted, and forgets it.
func (n *noted) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	events := n.events
	n.events = nil
	return events
}

func (n *noted) Connect(context.Context) (driver.Conn, error) { return notedConn{n}, nil }
func (n *noted) Driver() driver.Driver                        { return nil }

type notedConn struct{ *noted }

func (c notedConn) Prepare(query string) (driver.Stmt, error) { return notedStmt{c, query}, nil }
func (c notedConn) Close() error                              { return nil }
func (c notedConn) Begin() (driver.Tx, error)                 { return nil, driver.ErrSkip }

func (c notedConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	c.note(query)
	return driver.RowsAffected(1), nil
}

func (c notedConn) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	c.note(query)
	switch {
	case strings.Contains(query, "schema"):
		return &notedRows{columns: []string{"component", "version", "checksum"}}, nil
	case strings.HasPrefix(query, "SELECT COUNT"):
		return &notedRows{columns: []string{"n"}, row: []driver.Value{int64(1)}}, nil
	case strings.HasPrefix(query, "SELECT disabled"):
		return &notedRows{columns: []string{"disabled"}, row: []driver.Value{false}}, nil
	case strings.HasPrefix(query, "SELECT id FROM gatewarden_oauth_grants"),
		strings.HasPrefix(query, "SELECT id FROM gatewarden_oauth_interactions"):
		return &notedRows{columns: []string{"id"}, row: []driver.Value{"oldest"}}, nil
	case strings.HasPrefix(query, "SELECT user_id FROM gatewarden_onetime"):
		return &notedRows{columns: []string{"user_id"}, row: []driver.Value{"alice"}}, nil
	}
	return &notedRows{}, nil
}

type notedStmt struct {
	conn  notedConn
	query string
}

func (s notedStmt) Close() error  { return nil }
func (s notedStmt) NumInput() int { return -1 }

func (s notedStmt) Exec([]driver.Value) (driver.Result, error) {
	s.conn.note(s.query)
	return driver.RowsAffected(1), nil
}

func (s notedStmt) Query([]driver.Value) (driver.Rows, error) {
	return s.conn.QueryContext(context.Background(), s.query, nil)
}

type notedRows struct {
	columns []string
	row     []driver.Value // nil after it was read
}

func (r *notedRows) Columns() []string { return r.columns }
func (r *notedRows) Close() error      { return nil }

func (r *notedRows) Next(to []driver.Value) error {
	if r.row == nil {
		return io.EOF
	}
	copy(to, r.row)
	r.row = nil
	return nil
}

// otherEngine is a database of an engine with another dialect, and what it noted.
type otherEngine struct {
	*testing.T
	*noted
	db *sqlstore.DB
}

func openOther(t *testing.T) otherEngine {
	n := &noted{}
	pool := sql.OpenDB(n)
	db, err := sqlstore.NewOther(pool, func(owner string) { n.note("LOCK " + owner) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return otherEngine{t, n, db}
}

// opened returns a store, and forgets how its tables were made.
func opened[S any](e otherEngine, open func(context.Context, *sqlstore.DB) (S, error)) S {
	e.Helper()
	store, err := open(e.Context(), e.db)
	if err != nil {
		e.Fatal(err)
	}
	e.take()
	return store
}

var then = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// calls are changes of the stores of tokens and sessions. The names of those that count or end the records of
// a user begin with "lock".
func calls(e otherEngine) map[string]func(ctx context.Context) error {
	ending := knox.Ending{At: then, Keep: true}
	knoxes, sessions, logins := opened(e, sqlstore.Knox), opened(e, sqlstore.Sessions), opened(e, sqlstore.JWT)
	family := &jwt.Family{ID: "f", UserID: "alice", Created: then, ExpiresAt: then.Add(time.Hour)}
	return map[string]func(ctx context.Context) error{
		"lock: knox.Add": func(ctx context.Context) error {
			return second(knoxes.Add(ctx, &knox.Record{Digest: "d", UserID: "alice"}, 1, true, ending))
		},
		"lock: knox.RevokeAll": func(ctx context.Context) error {
			return second(knoxes.RevokeAll(ctx, "alice", "kept", "stamp", ending))
		},
		"knox.Revoke": func(ctx context.Context) error { return second(knoxes.Revoke(ctx, "alice", "id", ending)) },
		"knox.Purge":  func(ctx context.Context) error { return second(knoxes.Purge(ctx, 9, ending)) },
		"knox.PurgeEnded": func(ctx context.Context) error {
			return second(knoxes.PurgeEnded(ctx, then, 9))
		},
		"lock: session.Add": func(ctx context.Context) error {
			return second(sessions.Add(ctx, &session.Record{Digest: "d", UserID: "alice"}, "old", 1, true, then))
		},
		"lock: session.RevokeAll": func(ctx context.Context) error {
			return second(sessions.RevokeAll(ctx, "alice", "kept"))
		},
		"session.Replace": func(ctx context.Context) error {
			return second(sessions.Replace(ctx, "old", &session.Record{Digest: "d", UserID: "alice"}, then))
		},
		"session.Revoke": func(ctx context.Context) error { return second(sessions.Revoke(ctx, "alice", "id")) },
		"session.Purge":  func(ctx context.Context) error { return second(sessions.Purge(ctx, then, 9)) },
		"lock: jwt.Start": func(ctx context.Context) error {
			first := &jwt.Refresh{Digest: "d", FamilyID: "f"}
			return second(logins.Start(ctx, family, first, &jwt.Refresh{Digest: "adopted"}, 1, true))
		},
		"lock: jwt.EndAll": func(ctx context.Context) error {
			return second(logins.EndAll(ctx, "alice", "", "", then))
		},
		"jwt.Rotate": func(ctx context.Context) error {
			return second(logins.Rotate(ctx, "d", then, 0, &jwt.Refresh{FamilyID: "f"}))
		},
		"jwt.Purge": func(ctx context.Context) error { return second(logins.Purge(ctx, then, 9)) },
	}
}

// otherCalls is calls for the stores of external logins, passwords and keys.
func otherCalls(e otherEngine) map[string]func(ctx context.Context) error {
	externals, once := opened(e, sqlstore.External), opened(e, sqlstore.OneTime)
	throttle, keys := opened(e, sqlstore.Throttle), opened(e, sqlstore.JWTKeys)
	record := &password.OneTimeRecord{Digest: "d", UserID: "alice", Purpose: password.PurposeReset, Created: then}
	return map[string]func(ctx context.Context) error{
		"lock: external.Unlink": func(ctx context.Context) error {
			_, _, err := externals.Unlink(ctx, "alice", "id", true)
			return err
		},
		"lock: external.RemoveUser": func(ctx context.Context) error {
			return second(externals.RemoveUser(ctx, "alice"))
		},
		"external.Link": func(ctx context.Context) error {
			_, _, err := externals.Link(ctx, &external.Identity{UserID: "alice"})
			return err
		},
		"external.Reserve": func(ctx context.Context) error {
			_, _, err := externals.Reserve(ctx, &external.Reservation{ID: "id", ExpiresAt: then}, then)
			return err
		},
		"external.Confirm": func(ctx context.Context) error {
			_, _, err := externals.Confirm(ctx, "id", &external.Identity{UserID: "alice"}, then)
			return err
		},
		"external.PutOnce":  func(ctx context.Context) error { return second(externals.PutOnce(ctx, "k", then, then)) },
		"external.TakeCode": func(ctx context.Context) error { return second(externals.TakeCode(ctx, "d", then)) },
		"external.Purge":    func(ctx context.Context) error { return second(externals.Purge(ctx, then, 9)) },
		"lock: onetime.Add": func(ctx context.Context) error { return once.Add(ctx, record, 1, then) },
		"lock: onetime.RemoveUnused": func(ctx context.Context) error {
			return second(once.RemoveUnused(ctx, "alice"))
		},
		"onetime.Redeem": func(ctx context.Context) error { return second(once.Redeem(ctx, "d", then)) },
		"onetime.Purge":  func(ctx context.Context) error { return second(once.Purge(ctx, then, 9)) },
		"throttle.Update": func(ctx context.Context) error {
			more := func(counters []password.Counter) { counters[0].Failures++ }
			return throttle.Update(ctx, []string{"k"}, then, more)
		},
		"throttle.Purge": func(ctx context.Context) error { return second(throttle.Purge(ctx, then, 9)) },
		"jwtkeys.Add": func(ctx context.Context) error {
			return second(keys.Add(ctx, &jwt.KeyRecord{ID: "k", Created: then, Signs: then}, ""))
		},
	}
}

// oauthCalls is calls for the store of the authorization server.
func oauthCalls(e otherEngine) map[string]func(ctx context.Context) error {
	s := opened(e, sqlstore.OAuth)
	grant := &server.Grant{ID: "g", ClientID: "web", UserID: "alice", Created: then, ExpiresAt: then.Add(time.Hour)}
	own := &server.Grant{ID: "g", ClientID: "web", Created: then, ExpiresAt: then.Add(time.Hour)}
	tokens := server.Tokens{Access: &server.Access{GrantID: "g"}, Refresh: &server.Refresh{GrantID: "g"}}
	approval := server.Approval{Grant: grant, Code: &server.Code{GrantID: "g"}, Limit: 1, EvictOldest: true,
		Interaction: "i", Request: "r", Remember: &server.Consent{UserID: "alice", ClientID: "web"}}
	return map[string]func(ctx context.Context) error{
		"lock: Approve": func(ctx context.Context) error { return second(s.Approve(ctx, approval)) },
		"lock: Start":   func(ctx context.Context) error { return second(s.Start(ctx, grant, tokens, 1, true)) },
		"lock client:web: Start": func(ctx context.Context) error {
			return second(s.Start(ctx, own, tokens, 1, true))
		},
		"lock: AddClient": func(ctx context.Context) error {
			return second(s.AddClient(ctx, &server.Client{ID: "web", Owner: "alice"}, 1))
		},
		"lock: AddInteraction": func(ctx context.Context) error {
			return s.AddInteraction(ctx, &server.Interaction{ID: "i", UserID: "alice"}, 1)
		},
		"lock: Withdraw": func(ctx context.Context) error { return second(s.Withdraw(ctx, "alice", "web", then)) },
		"lock: EndAll":   func(ctx context.Context) error { return second(s.EndAll(ctx, "alice", "", "", then)) },
		"ChangeClient": func(ctx context.Context) error {
			_, _, err := s.ChangeClient(ctx, &server.Client{ID: "web", Disabled: true}, then)
			return err
		},
		"RemoveClient": func(ctx context.Context) error {
			_, _, err := s.RemoveClient(ctx, "web", then)
			return err
		},
		"Redeem":     func(ctx context.Context) error { return second(s.Redeem(ctx, "d", then, tokens)) },
		"Rotate":     func(ctx context.Context) error { return second(s.Rotate(ctx, "d", then, 0, tokens)) },
		"AddAccess":  func(ctx context.Context) error { return second(s.AddAccess(ctx, tokens.Access, then)) },
		"EndSession": func(ctx context.Context) error { return second(s.EndSession(ctx, "s", then)) },
		"PutOnce":    func(ctx context.Context) error { return second(s.PutOnce(ctx, "k", then, then)) },
		"Purge":      func(ctx context.Context) error { return second(s.Purge(ctx, then, 9)) },
		"ConsumeInteraction": func(ctx context.Context) error {
			return second(s.ConsumeInteraction(ctx, "d", then))
		},
	}
}

func second[T any](_ T, err error) error { return err }

// foreign finds what a dialect writes in another way.
var foreign = regexp.MustCompile(
	`\?|[{}]|ON CONFLICT|IN \(SELECT [^()]*LIMIT|(WHERE|AND|\() ?"?key\b|MAX\([^)]*,|json_`)

// wantTransaction fails unless a call is a transaction that locks its owner first, if its name says so, and
// has no SQL of SQLite.
func (e otherEngine) wantTransaction(name string, call func(ctx context.Context) error) {
	e.Helper()
	e.take()
	if err := call(e.Context()); err != nil {
		e.Fatal(err)
	}
	events := e.take()
	if len(events) < 3 || events[0] != "BEGIN IMMEDIATE" {
		e.Fatalf("got %q, want a transaction", events)
	}
	owner := "alice"
	if strings.HasPrefix(name, "lock client:web:") {
		owner = "client:web"
	}
	if strings.HasPrefix(name, "lock") && events[1] != "LOCK "+owner {
		e.Errorf("got %q, want the lock of the owner first", events[:2])
	}
	for _, statement := range events {
		if found := foreign.FindString(statement); found != "" {
			e.Errorf("got %q in\n%s", found, statement)
		}
	}
}

func TestUnitAnotherEngine(t *testing.T) {
	e := openOther(t)
	for kind, calls := range map[string]map[string]func(ctx context.Context) error{
		"the server": oauthCalls(e), "tokens and sessions": calls(e), "others": otherCalls(e),
	} {
		for name, call := range calls {
			t.Run("of "+kind+", "+name, func(t *testing.T) {
				otherEngine{t, e.noted, e.db}.wantTransaction(name, call)
			})
		}
	}
	t.Run("one that redeems locks the owner before the record", func(t *testing.T) {
		once := opened(e, sqlstore.OneTime)
		if _, err := once.Redeem(t.Context(), "d", then); err != nil {
			t.Fatal(err)
		}
		events := e.take()
		if len(events) < 4 || events[2] != "LOCK alice" || !strings.Contains(events[3], "FOR UPDATE") {
			t.Errorf("got %q, want the owner, its lock, and then the record with a lock", events)
		}
	})
}
