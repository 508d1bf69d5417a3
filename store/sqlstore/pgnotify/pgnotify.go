// Package pgnotify drops cached users and remembered tokens of this process as soon as another process revokes them.
// It listens to notifications of PostgreSQL, which package sqlstore sends in the transaction of each revocation.
//
//	db, err := sqlstore.NewPostgreSQL(ctx, pool, sqlstore.Config{NotifyChannel: "gatewarden"})
//	store, err := sqlstore.Knox(ctx, db)
//	tokens, err := cached.Knox(store, cached.Config{TTL: time.Minute})
//	users := auth.CacheUsers(loadUser, auth.UserCache{TTL: time.Minute})
//	listener, err := pgnotify.Listen(ctx, pgnotify.Config{
//		DSN: dsn, Channel: "gatewarden", Caches: []cached.Cache{tokens, users},
//	})
//	defer listener.Close()
//
// Call [github.com/gatewarden/auth/store/sqlstore.DB.UserChanged] when the application disables or changes a user.
//
// A revocation is in force everywhere some milliseconds after it was committed. If the connection breaks, the caches
// are suspended: every check goes to the database until notifications arrive again. So the database must be able to
// bear that load. A connection that is dead without a word is found within twice [Config].Ping, which is 4 s by
// default. Until then the TTL of the caches and this bound are the longest that a revocation elsewhere may take,
// whichever is shorter.
//
// PostgreSQL keeps notifications until every session that listens has read them, up to 8 GB in all. A session that ran
// LISTEN and keeps a transaction open, in any database of the server, lets this queue fill. When it is full, each
// revocation fails with an error. Watch pg_notification_queue_usage, and set idle_in_transaction_session_timeout.
//
// Each Listener has a connection of its own. It must not go through PgBouncer in transaction or statement mode, where
// notifications get lost: name the server itself in the DSN. The stores may go through it. The stores must read from
// the primary server, as a replica may be behind a notification.
package pgnotify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gatewarden/auth/store/cached"
	"github.com/jackc/pgx/v5"
)

// Config is the configuration of a [Listener]. Channel, Caches and either DSN or Conn are required.
type Config struct {
	// DSN names the server, in a form that pgx takes, such as postgres://app@db.example/app?sslmode=verify-full. It
	// must be the database of the stores, on the primary server: elsewhere the Listener hears nothing, without an
	// error.
	DSN string
	// Conn is used in place of DSN. It is not changed.
	Conn *pgx.ConnConfig

	// Channel is sqlstore.Config.NotifyChannel: up to 63 characters of a-z, 0-9 and "_".
	Channel string
	// Caches are told what was revoked. Their methods must not block.
	Caches []cached.Cache

	// Ping is how long the connection may be silent before it is checked, and then how long the server may take to
	// answer. So it is half of the longest time for which a dead connection goes unnoticed. A server that is alive and
	// takes longer to answer suspends the caches, too. 0 is 2 s, negative values are refused.
	Ping time.Duration

	// Logger is told, at Warn, when the connection is lost or a notification cannot be read and, at Info, when the
	// connection is back. If nil, it is slog.Default().
	Logger *slog.Logger
}

const (
	defaultPing    = 2 * time.Second
	connectTimeout = 5 * time.Second
	// applicationName is what pg_stat_activity shows, if the DSN has no other one.
	applicationName = "gatewarden-pgnotify"
)

var errDSN = errors.New("pgnotify: Config.DSN cannot be read. It is not shown here because it may hold a password")

// isMisparsed reports whether a part of the password was taken for something that errors show. That is so if the
// password has a slash that is not escaped, as in postgres://app:12/secret@db.example/app.
func isMisparsed(conn *pgx.ConnConfig) bool {
	return strings.Contains(conn.Database+conn.Host, "@")
}

// connection returns a copy of what the configuration says about the connection.
func (c Config) connection() (*pgx.ConnConfig, error) {
	var conn *pgx.ConnConfig
	switch {
	case (c.DSN == "") == (c.Conn == nil):
		return nil, errors.New("pgnotify: set either Config.DSN or Config.Conn")
	case c.Conn != nil:
		conn = c.Conn.Copy()
	default:
		var err error
		if conn, err = pgx.ParseConfig(c.DSN); err != nil || isMisparsed(conn) {
			return nil, errDSN
		}
	}
	conn.OnNotification = nil // so that the connection keeps them for us
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = applicationName
	}
	return conn, nil
}

// checked returns the configuration with its defaults.
func (c Config) checked() (Config, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789_"
	if c.Channel == "" || len(c.Channel) > 63 || strings.Trim(c.Channel, letters) != "" {
		return c, fmt.Errorf("pgnotify: Config.Channel is %q; it must have 1 to 63 characters of a-z, 0-9 and _",
			c.Channel)
	}
	if len(c.Caches) == 0 {
		return c, errors.New("pgnotify: Config.Caches is empty")
	}
	for i, cache := range c.Caches {
		if cache == nil {
			return c, fmt.Errorf("pgnotify: Config.Caches[%d] is nil", i)
		}
	}
	if c.Ping < 0 {
		return c, fmt.Errorf("pgnotify: Config.Ping is %v, which is negative", c.Ping)
	}
	c.Ping = cmp.Or(c.Ping, defaultPing)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, nil
}

// Listener tells caches what other processes revoke.
type Listener struct {
	config Config
	server *pgx.ConnConfig
	cancel context.CancelFunc
	done   chan struct{}

	unread time.Time // when a notification that cannot be read was logged last
}

// Listen connects, and tells the caches from then on until Close. What they kept before is dropped. If ctx ends before
// Listen returns, that is an error. Later it means nothing.
//
// The error says what is wrong: the server cannot be reached, it refuses the password, the database does not exist, or
// a setting. It never holds the password.
func Listen(ctx context.Context, config Config) (*Listener, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	server, err := config.connection()
	if err != nil {
		return nil, err
	}
	l := &Listener{config: config, server: server, done: make(chan struct{})}
	resume := l.suspend()
	defer resume()
	conn, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	if l.pooled(ctx, conn) {
		config.Logger.Warn("pgnotify: the connection goes through a pooler. If that is PgBouncer in transaction or " +
			"statement mode, notifications get lost. Name the server itself")
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	go l.run(running, conn)
	return l, nil
}

// Close ends the connection and returns when the Listener has stopped. The caches go on, and what other processes
// revoke is then believed here until their TTL is over. Close may be called several times.
func (l *Listener) Close() {
	l.cancel()
	<-l.done
}

// suspend suspends all caches.
func (l *Listener) suspend() (resume func()) {
	resumes := make([]func(), len(l.config.Caches))
	for i, cache := range l.config.Caches {
		resumes[i] = cache.Suspend()
	}
	return func() {
		for _, resume := range resumes {
			resume()
		}
	}
}
