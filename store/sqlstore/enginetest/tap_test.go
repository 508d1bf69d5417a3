package enginetest

import (
	"context"
	"database/sql/driver"
	"sync"
)

// tap is a driver that keeps the connections that a pool closes for the next pool. A test then starts with connections
// that have prepared its statements. It also tells which statements it is given.
type tap struct {
	driver.Connector

	mu   sync.Mutex
	idle []driverConn
	note func(query string, args []driver.NamedValue) // may be nil
}

// driverConn is a connection of the drivers of the servers.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
}

// listen calls note with each statement, at once from many goroutines. Nil ends it.
func (d *tap) listen(note func(query string, args []driver.NamedValue)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.note = note
}

func (d *tap) tell(query string, args []driver.NamedValue) {
	d.mu.Lock()
	note := d.note
	d.mu.Unlock()
	if note != nil {
		note(query, args)
	}
}

func (d *tap) Connect(ctx context.Context) (driver.Conn, error) {
	d.mu.Lock()
	if n := len(d.idle); n > 0 {
		conn := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		return &tappedConn{conn, d}, nil
	}
	d.mu.Unlock()
	conn, err := d.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &tappedConn{conn.(driverConn), d}, nil
}

// end closes all connections that are idle.
func (d *tap) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.idle {
		_ = conn.Close()
	}
	d.idle = nil
}

type tappedConn struct {
	driverConn
	tap *tap
}

func (c *tappedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.tap.tell(query, args)
	return c.driverConn.ExecContext(ctx, query, args)
}

func (c *tappedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.tap.tell(query, args)
	return c.driverConn.QueryContext(ctx, query, args)
}

func (c *tappedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &tappedStmt{stmt, query, c.tap}, nil
}

type tappedStmt struct {
	driver.Stmt
	query string
	tap   *tap
}

func (s *tappedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.tap.tell(s.query, args)
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *tappedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.tap.tell(s.query, args)
	return s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
}

func (s *tappedStmt) CheckNamedValue(value *driver.NamedValue) error {
	if checker, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(value)
	}
	return driver.ErrSkip
}

func (c *tappedConn) IsValid() bool {
	v, ok := c.driverConn.(driver.Validator)
	return !ok || v.IsValid()
}

// Close keeps the connection if it still works, without what it may be doing.
func (c *tappedConn) Close() error {
	ctx := context.Background()
	if c.IsValid() && c.driverConn.ResetSession(ctx) == nil {
		if _, err := c.driverConn.ExecContext(ctx, "ROLLBACK", nil); err == nil {
			c.tap.mu.Lock()
			defer c.tap.mu.Unlock()
			c.tap.idle = append(c.tap.idle, c.driverConn)
			return nil
		}
	}
	return c.driverConn.Close()
}
