package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/redisstore"
	"github.com/gatewarden/auth/store/sqlstore"
)

// This file starts servers with settings for production, and opens the stores on them.

// connections is the size of each pool of SQL.
const connections = 16

// engine is a kind of database.
type engine struct {
	name     string
	flag     string
	large    bool // whether it is loaded with the larger number of tokens
	settings func(o *options) []string
	start    func(o *options, settings []string) (address string, stop func(), err error)
	smaller  []string // more settings, with which tokens take less
}

func engines() []*engine {
	redis := func(*options) []string { return []string{"appendonly yes", "appendfsync everysec"} }
	none := func(*options) []string { return nil }
	return []*engine{
		{"PostgreSQL", "postgresql", true, postgreSQLSettings, startPostgreSQL, nil},
		// A member of the list of a user's tokens has 83 bytes. By default a list is compact with up to 64.
		{"Redis", "redis", true, redis, startRedis, []string{"zset-max-listpack-value 128"}},
		{"SQLite", "sqlite", false, none, startSQLite, nil},
		{"MariaDB", "mariadb", false, mariaDBSettings, startMariaDB, nil},
	}
}

func startPostgreSQL(_ *options, settings []string) (string, func(), error) {
	return testserver.StartPostgreSQL(settings...)
}

func postgreSQLSettings(o *options) []string {
	return []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on", "wal_compression=on",
		fmt.Sprintf("shared_buffers=%dMB", o.memory), fmt.Sprintf("effective_cache_size=%dMB", 3*o.memory),
		fmt.Sprintf("maintenance_work_mem=%dMB", max(64, o.memory/8)),
		"max_wal_size=4GB", "checkpoint_timeout=15min", "random_page_cost=1.1"}
}

func mariaDBSettings(o *options) []string {
	return []string{"innodb-flush-log-at-trx-commit=1", "innodb-doublewrite=1", "innodb-log-file-size=1G",
		fmt.Sprintf("innodb-buffer-pool-size=%dM", o.memory)}
}

func startRedis(_ *options, settings []string) (string, func(), error) {
	var all []testserver.RedisOption
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, " ")
		all = append(all, testserver.RedisSetting(name, value))
	}
	return testserver.StartRedis(all...)
}

func startSQLite(*options, []string) (string, func(), error) {
	folder, err := os.MkdirTemp("", "gatewarden-scale")
	return "sqlite://" + folder, func() { _ = os.RemoveAll(folder) }, err
}

// startMariaDB also makes a database, since the one that always exists is the server's own.
func startMariaDB(_ *options, settings []string) (string, func(), error) {
	address, stop, err := testserver.StartMariaDB(settings...)
	if err != nil {
		return "", nil, err
	}
	pool, err := openMySQL(address)
	if err == nil {
		_, err = pool.Exec("CREATE DATABASE gatewarden CHARACTER SET utf8mb4")
		err = errors.Join(err, pool.Close())
	}
	if err != nil {
		stop()
		return "", nil, err
	}
	return strings.TrimSuffix(address, "/mysql") + "/gatewarden", stop, nil
}

// database is a place for one population: tables, keys or a file of its own.
type database struct {
	name  string
	sql   *sqlstore.DB   // nil for Redis
	redis *redisstore.DB // nil for SQL
	// address is that of the server, or of the folder.
	address *url.URL
	path    string // of a file of SQLite
}

// place says how a database is opened.
type place struct {
	name    string
	channel string // of notifications, for PostgreSQL
	cached  int    // redisstore.Config.MaxCached
}

// openDatabase opens tables or keys with a name.
func openDatabase(ctx context.Context, address string, p place) (*database, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the engine cannot be read")
	}
	d := &database{name: p.name, address: u}
	config := sqlstore.Config{TablePrefix: p.name + "_", NotifyChannel: p.channel, Logger: quiet}
	switch u.Scheme {
	case "sqlite":
		d.path = filepath.Join(u.Path, p.name+".db")
		d.sql, err = sqlstore.OpenSQLite(ctx, "sqlite", d.path, config)
	case "postgres":
		var pool *sql.DB
		if pool, err = sql.Open("pgx", address); err == nil {
			pool.SetMaxOpenConns(connections)
			pool.SetMaxIdleConns(connections)
			d.sql, err = sqlstore.NewPostgreSQL(ctx, pool, config)
		}
	case "mysql":
		var pool *sql.DB
		if pool, err = openMySQL(address); err == nil {
			d.sql, err = sqlstore.NewMySQL(ctx, pool, config)
		}
	case "redis":
		err = d.openRedis(ctx, p)
	default:
		err = fmt.Errorf("there is no engine %q", u.Scheme)
	}
	return d, err
}

func openMySQL(address string) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the URL of MySQL cannot be read")
	}
	config := mysqldriver.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.InterpolateParams = true
	connector, err := mysqldriver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}

// redisNumbers are the databases of Redis that populations have, so that each has tables of keys of its own size.
var redisNumbers = map[string]int{"small": 1, "big": 2, "service": 3}

func (d *database) openRedis(ctx context.Context, p place) (err error) {
	option, err := rueidis.ParseURL(d.address.String())
	if err != nil {
		return errors.New("the URL of Redis cannot be read")
	}
	option.SelectDB = redisNumbers[p.name]
	d.redis, err = redisstore.Open(ctx, option,
		redisstore.Config{Prefix: p.name + ":", MaxCached: p.cached, Logger: quiet})
	return err
}

func (d *database) close() {
	if d.sql != nil {
		_ = d.sql.Close()
	}
	if d.redis != nil {
		d.redis.Close()
	}
}

func (d *database) knox(ctx context.Context) (knox.Store, error) {
	if d.redis != nil {
		return redisstore.Knox(d.redis), nil
	}
	return sqlstore.Knox(ctx, d.sql)
}

func (d *database) jwt(ctx context.Context) (jwt.Store, error) {
	if d.redis != nil {
		return redisstore.JWT(d.redis), nil
	}
	return sqlstore.JWT(ctx, d.sql)
}

// settled waits until what was loaded has been tidied up, as it is on a server that has run for a while.
func (d *database) settled(ctx context.Context) error {
	var statements []string
	switch d.address.Scheme {
	case "postgres":
		statements = []string{"VACUUM ANALYZE", "CHECKPOINT"}
	case "mysql":
		statements = []string{"ANALYZE TABLE " + d.table()}
	case "sqlite":
		statements = []string{"PRAGMA wal_checkpoint(TRUNCATE)"}
	case "redis":
		return d.append(ctx, 10*time.Minute)
	}
	for _, statement := range statements {
		if _, err := d.sql.Writer().ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// table is the name of the table of knox.
func (d *database) table() string { return d.name + "_knox_tokens" }
