package pgnotify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// This file keeps the connection, and reads the notifications.

const (
	// firstPause is the pause before the second attempt to connect. Each further one is twice as long, up to
	// lastPause. A connection that lived longer than lastPause ends the series.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// unreadInterval is how often at most a notification that cannot be read is logged.
	unreadInterval = time.Minute
)

// connect returns a connection that listens.
func (l *Listener) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, l.server)
	if err != nil {
		return nil, fmt.Errorf("pgnotify: %w", err)
	}
	if _, err := conn.Exec(ctx, `LISTEN "`+l.config.Channel+`"`); err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("pgnotify: cannot listen: %w", err)
	}
	return conn, nil
}

// pooled reports whether something between us and the server gave the connection another number than the server has.
func (l *Listener) pooled(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var pid uint32
	err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	return err == nil && pid != conn.PgConn().PID()
}

// closeConn ends a connection, which may be dead.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// run follows one connection after another until ctx ends.
func (l *Listener) run(ctx context.Context, conn *pgx.Conn) {
	defer close(l.done)
	var pause time.Duration
	for {
		connected := time.Now()
		err := l.follow(ctx, conn)
		if ctx.Err() != nil {
			closeConn(conn)
			return
		}
		lost := time.Now()
		resume := l.suspend()
		l.config.Logger.Warn("pgnotify: the connection was lost. The caches are suspended until it is back",
			"error", err)
		closeConn(conn)
		if lost.Sub(connected) > lastPause {
			pause = 0
		}
		conn, pause = l.reconnect(ctx, pause)
		resume()
		if conn == nil {
			return
		}
		l.config.Logger.Info("pgnotify: the connection is back", "lost", time.Since(lost).Round(time.Millisecond))
	}
}

// reconnect connects again, after pauses that grow. It also returns the pause before the next attempt: a server or
// proxy that ends each connection soon must not get one after another. The connection is nil if ctx ends before.
func (l *Listener) reconnect(ctx context.Context, pause time.Duration) (*pgx.Conn, time.Duration) {
	for told := false; wait(ctx, pause); {
		pause = min(max(2*pause, firstPause), lastPause)
		conn, err := l.connect(ctx)
		if err == nil {
			return conn, pause
		}
		if !told && ctx.Err() == nil {
			told = true
			l.config.Logger.Warn("pgnotify: cannot connect yet, and tries again", "error", err)
		}
	}
	return nil, pause
}

// wait waits for a random time between half of pause and pause, so that instances do not connect all at once. It
// reports false if ctx ends before.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause/2 + rand.N(pause/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// follow reads notifications until the connection breaks or ctx ends.
func (l *Listener) follow(ctx context.Context, conn *pgx.Conn) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, l.config.Ping)
		notification, err := conn.WaitForNotification(waiting)
		silent := waiting.Err() != nil
		cancel()
		if notification != nil {
			l.handle(notification)
		}
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case !silent || conn.IsClosed():
			return err
		}
		if err := l.ping(ctx, conn); err != nil {
			return fmt.Errorf("the server gave no answer: %w", err)
		}
	}
}

func (l *Listener) ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, l.config.Ping)
	defer cancel()
	return conn.Ping(ctx)
}

// handle tells the caches what a notification says. One that cannot be read may name any user.
func (l *Listener) handle(notification *pgconn.Notification) {
	payload, err := read(notification.Payload)
	if err != nil && time.Since(l.unread) >= unreadInterval {
		l.unread = time.Now()
		l.config.Logger.Warn("pgnotify: a notification cannot be read, so the caches are emptied. Does another "+
			"program use the channel?", "channel", l.config.Channel, "error", err)
	}
	for _, cache := range l.config.Caches {
		if err != nil || payload.All {
			cache.ForgetAll()
		} else {
			cache.Forget(payload.User)
		}
	}
}

// payload is what package sqlstore sends.
type payload struct {
	User string `json:"user"` // or a client, by the UserID of auth.Machine
	All  bool   `json:"all"`
}

func read(text string) (p payload, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		return p, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return p, errors.New("something follows the JSON")
	}
	if p.User == "" && !p.All {
		return p, errors.New("it names nothing")
	}
	return p, nil
}
