package enginetest

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth/store/sqlstore"
)

// fate is what becomes of an answer of the server.
type fate int

const (
	arrives fate = iota
	silent       // it is lost, and no connection is closed
	cut          // it is lost, and its connection is closed
	poolers      // it is lost, and a pooler answers instead, as after the end of its own connection to the server
)

// line is the network between a pool and its server.
type line struct {
	mu    sync.Mutex
	crash []byte                  // the answer of a pooler
	after func(chunk []byte) fate // is given what goes to the server, and says what becomes of all answers from then on
	keeps func(answer []byte) int // says how many bytes of an answer arrive; all is silent after the first loss
	fate  fate
}

// set says what happens on connections that are open or are made later.
func (l *line) set(after func(chunk []byte) fate, keeps func(answer []byte) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.after, l.keeps, l.fate = after, keeps, arrives
}

// heal has all that is sent from now on arrive.
func (l *line) heal() { l.set(nil, nil) }

func (l *line) sent(chunk []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.after != nil && l.fate == arrives {
		l.fate = l.after(chunk)
	}
}

// answered returns how many bytes of an answer arrive, and what becomes of the rest.
func (l *line) answered(answer []byte) (int, fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fate != arrives {
		return 0, l.fate
	}
	n := len(answer)
	if l.keeps != nil {
		n = l.keeps(answer)
	}
	if n < len(answer) {
		l.fate = silent
	}
	return n, l.fate
}

// wire is a connection on a line.
type wire struct {
	net.Conn
	line *line
}

func (w *wire) Write(chunk []byte) (int, error) {
	w.line.sent(chunk)
	return w.Conn.Write(chunk)
}

func (w *wire) Read(into []byte) (int, error) {
	for {
		n, err := w.Conn.Read(into)
		if err != nil {
			return n, err
		}
		n, fate := w.line.answered(into[:n])
		if n > 0 {
			return n, nil
		}
		switch fate {
		case cut:
			return 0, errors.Join(io.ErrUnexpectedEOF, w.Conn.Close())
		case poolers:
			w.line.heal()
			return copy(into, w.line.crash), nil
		}
	}
}

// lined opens a database by a pool with a line to its server.
func (p *place) lined(t *testing.T, config sqlstore.Config) (*sqlstore.DB, *line) {
	t.Helper()
	l := &line{crash: []byte("E\x00\x00\x00\x22SERROR\x00C08P01\x00Mquery_timeout\x00\x00" + "Z\x00\x00\x00\x05I")}
	if p.driver == "mysql" {
		l.crash = []byte("\x18\x00\x00\x01\xff\xdd\x07#HY000Lost connection")
	}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &wire{conn, l}, nil
	}
	var pool *sql.DB
	if p.driver == "mysql" {
		parsed, err := mysql.ParseDSN(p.database.DSN)
		if err != nil {
			t.Fatal(err)
		}
		parsed.DialFunc, parsed.Logger = dial, &mysql.NopLogger{}
		connector, err := mysql.NewConnector(parsed)
		if err != nil {
			t.Fatal(err)
		}
		pool = sql.OpenDB(connector)
	} else {
		parsed, err := pgx.ParseConfig(p.database.DSN)
		if err != nil {
			t.Fatal(err)
		}
		parsed.DialFunc = dial
		pool = stdlib.OpenDB(*parsed)
	}
	pool.SetMaxOpenConns(16)
	db, err := p.engine.open(t.Context(), pool, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.heal()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, l
}
