package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// OpenSQLite opens a SQLite file as a server should, with the driver of this
// name: "sqlite" of modernc.org/sqlite, "sqlite3" of
// github.com/mattn/go-sqlite3. A new file is readable by its owner only.
//
//   - WAL, so that readers do not wait for a writer;
//   - one connection that writes, and several that only read;
//   - every wait for another program bounded by Config.BusyTimeout;
//   - every commit on disk before it is acknowledged (synchronous=FULL): a
//     logout that a power failure undid would be no logout;
//   - foreign keys;
//   - no change is acknowledged after the file was removed or replaced.
func OpenSQLite(ctx context.Context, driverName, path string, config Config) (*DB, error) {
	if path == "" || strings.HasPrefix(path, ":") || strings.HasPrefix(path, "file:") {
		return nil, fmt.Errorf("sqlstore: %q is not the path of a file; use a memory store for data that need not last",
			path)
	}
	file, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	// With mode=rw a connection that is opened later never makes a new file.
	address := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file.path}).EscapedPath(), RawQuery: "mode=rw"}
	named, err := sql.Open(driverName, address.String())
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	base := named.Driver()
	_ = named.Close()

	wait := cmp.Or(config.BusyTimeout, defaultBusyTimeout)
	pool := func(connections int, pragmas ...string) *sql.DB {
		pool := sql.OpenDB(connector{base, address.String(), file, wait, pragmas})
		pool.SetMaxOpenConns(connections)
		pool.SetMaxIdleConns(connections)
		return pool
	}
	patience := fmt.Sprintf("PRAGMA busy_timeout=%d", min(max(1, wait.Milliseconds()), math.MaxInt32))
	db := &DB{
		read: pool(max(4, runtime.GOMAXPROCS(0)), "PRAGMA query_only=ON", patience),
		// The queue of writers waits for the lock in place of the driver, which would not look at contexts.
		write: pool(1, "PRAGMA synchronous=FULL"),
		// The application's own statements wait in the driver.
		own:     pool(1, "PRAGMA synchronous=FULL", patience),
		dialect: sqlite{},
		file:    file,
	}
	if err = db.configure(config); err == nil {
		err = db.write.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlstore: %s: %w", path, err), writable(file.path), db.Close())
	}
	return db, nil
}

// writable returns an error if the folder of a file takes no new files, such as on a disk that is read-only. SQLite
// says then that it cannot open a file, which it does not name. The file itself is not opened: see openFile.
func writable(path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), "gatewarden-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// NewSQLite uses a SQLite database that is open already. Its connections must
// have foreign keys and the file WAL; [OpenSQLite] sees to that. A busy timeout of
// the connections comes before Config.BusyTimeout, and most drivers wait for it
// whatever the context says, so keep it under 50 ms.
func NewSQLite(db *sql.DB, config Config) (*DB, error) {
	opened := &DB{read: db, write: db, dialect: sqlite{}}
	if err := opened.configure(config); err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	return opened, nil
}

// connector opens connections and sets them up by pragmas: each driver has its
// own way to name them in a DSN.
type connector struct {
	driver  driver.Driver
	dsn     string
	file    *file
	wait    time.Duration // for others
	pragmas []string
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, errors.Join(err, c.file.check())
	}
	setUp := func() error {
		// A driver that waits does not look at ctx, so the busy timeout comes last.
		first := []string{"PRAGMA busy_timeout=0", "PRAGMA journal_mode=WAL", "PRAGMA foreign_keys=ON"}
		pragmas := append(first, c.pragmas...)
		for _, pragma := range pragmas {
			if err := execute(ctx, conn, pragma); err != nil {
				return fmt.Errorf("%s: %w", pragma, err)
			}
		}
		return nil
	}
	if err := retrySetup(ctx, c.wait, setUp); err != nil {
		return nil, errors.Join(err, c.file.check(), conn.Close())
	}
	// Two connections of one pool must not read two files.
	if err := c.file.check(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// The most tries to set a connection up. A disk with a fault has its error in all of them, so there
// are fewer after an I/O error.
const (
	setUpTries   = 100
	setUpTriesIO = 20
)

// retrySetup calls try again while another process sets the file up too, for at most wait. The busy
// timeout of SQLite does not hold while two processes switch a new file to WAL.
func retrySetup(ctx context.Context, wait time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	pause := firstPause
	for tries := 1; ; tries++ {
		err := try()
		if err == nil || tries >= maxTriesFor(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, 5*lastPause)
	}
}

// Results of SQLite, https://www.sqlite.org/rescode.html.
const (
	resultBusy     = 5
	resultLocked   = 6
	resultIO       = 10
	resultProtocol = 15   // a race for the locks of the write-ahead log
	resultMask     = 0xff // of the primary result in an extended one
)

// maxTriesFor returns how many tries an error allows. It returns 0 for an error that is not temporary. If another
// process opens or closes the same file, SQLite may find the journal or the index of the write-ahead
// log gone or half made. This is an I/O error, such as SQLITE_IOERR_RDLOCK (2314) or
// SQLITE_IOERR_DELETE_NOENT (5898). Drivers without a method Code are known by SQLite's texts.
func maxTriesFor(err error) int {
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		switch coded.Code() & resultMask {
		case resultBusy, resultLocked, resultProtocol:
			return setUpTries
		case resultIO:
			return setUpTriesIO
		}
		return 0
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "locked") || strings.Contains(text, "locking protocol"):
		return setUpTries
	case strings.Contains(text, "disk I/O error"):
		return setUpTriesIO
	}
	return 0
}

func execute(ctx context.Context, conn driver.Conn, statement string) error {
	if execer, ok := conn.(driver.ExecerContext); ok {
		_, err := execer.ExecContext(ctx, statement, nil)
		return err
	}
	prepared, err := conn.Prepare(statement)
	if err != nil {
		return err
	}
	defer prepared.Close()
	if execer, ok := prepared.(driver.StmtExecContext); ok {
		_, err = execer.ExecContext(ctx, nil)
		return err
	}
	return errors.New("the driver has no context support")
}
