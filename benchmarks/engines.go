package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// This file measures what a check, a login, a refresh and the end of all tokens of a user take on each engine. The
// floor is what an application would do at the least: a prepared SELECT of the token and one of its user, through the
// same driver and pool. Both take turns, and times are wall time, since most of it passes in the engine.

// outgoing is the user that loses all tokens again and again.
const outgoing = "outgoing"

// engineUsers is how many users and tokens there are.
const engineUsers = 1000

// engine is a database with users and tokens.
type engine struct {
	name     string
	db       *sqlstore.DB
	numbered bool // arguments are $1 and not ?
	findHash *sql.Stmt
	findUser *sql.Stmt
	tokens   *knox.Tokens
	pairs    *jwt.Tokens
	secrets  []string
	handler  http.Handler
	next     int
	refresh  string
}

// openEngine opens the engine of an address: sqlite, or the URL of a server whose database is empty.
func openEngine(ctx context.Context, w *world, address string) (*engine, error) {
	e := &engine{}
	var err error
	switch {
	case address == "sqlite":
		var folder string
		if folder, err = os.MkdirTemp("", "gatewarden-benchmark"); err != nil {
			return nil, err
		}
		w.atEnd(func() { _ = os.RemoveAll(folder) })
		e.name = "SQLite"
		e.db, err = sqlstore.OpenSQLite(ctx, "sqlite", filepath.Join(folder, "bench.db"), sqlstore.Config{})
	case strings.HasPrefix(address, "postgres://"):
		var pool *sql.DB
		if pool, err = sql.Open("pgx", address); err != nil {
			return nil, err
		}
		pool.SetMaxIdleConns(4)
		e.name, e.numbered = "PostgreSQL", true
		e.db, err = sqlstore.NewPostgreSQL(ctx, pool, sqlstore.Config{})
	case strings.HasPrefix(address, "mysql://"):
		var pool *sql.DB
		if pool, err = openMySQL(address); err != nil {
			return nil, err
		}
		pool.SetMaxIdleConns(4)
		e.name = "MySQL or MariaDB"
		e.db, err = sqlstore.NewMySQL(ctx, pool, sqlstore.Config{})
	default:
		err = errors.New("an engine is sqlite, postgres://… or mysql://…")
	}
	if err != nil {
		return nil, err
	}
	w.atEnd(func() { _ = e.db.Close() })
	return e, e.fill(ctx, w)
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
	return sql.OpenDB(connector), nil
}

// fill makes users and a token of each, and the table of the floor.
func (e *engine) fill(ctx context.Context, w *world) error {
	for _, statement := range []string{
		"CREATE TABLE bench_users (id VARCHAR(64) NOT NULL PRIMARY KEY, active INTEGER NOT NULL)",
		"CREATE TABLE bench_floor (hash VARCHAR(64) NOT NULL PRIMARY KEY, user_id VARCHAR(64) NOT NULL)",
	} {
		if _, err := e.db.Writer().ExecContext(ctx, statement); err != nil {
			return err
		}
		table := strings.Fields(statement)[2]
		w.atEnd(func() { _, _ = e.db.Writer().Exec("DROP TABLE " + table) })
	}
	store, err := sqlstore.Knox(ctx, e.db)
	if err != nil {
		return err
	}
	if e.tokens, err = knox.New(knox.Config{Store: store, LoadUser: e.load}); err != nil {
		return err
	}
	if e.findUser, err = e.prepare(ctx, "SELECT id, active FROM bench_users WHERE id = ?"); err != nil {
		return err
	}
	if e.findHash, err = e.prepare(ctx, "SELECT user_id FROM bench_floor WHERE hash = ?"); err != nil {
		return err
	}
	for _, id := range append(slices.Clone(w.ids), outgoing) {
		if err := e.addUser(ctx, id); err != nil {
			return err
		}
	}
	e.secrets = e.secrets[:len(w.ids)]
	if e.handler, err = w.guard(e.tokens); err != nil {
		return err
	}
	return e.addPair(ctx, w)
}

func (e *engine) prepare(ctx context.Context, statement string) (*sql.Stmt, error) {
	return e.db.Reader().PrepareContext(ctx, e.numberedText(statement))
}

func (e *engine) numberedText(statement string) string {
	for i := 1; e.numbered && strings.Contains(statement, "?"); i++ {
		statement = strings.Replace(statement, "?", fmt.Sprint("$", i), 1)
	}
	return statement
}

func (e *engine) addUser(ctx context.Context, id string) error {
	if _, err := e.db.Writer().ExecContext(ctx, e.numberedText("INSERT INTO bench_users VALUES (?, 1)"),
		id); err != nil {
		return err
	}
	issued, err := e.tokens.Issue(ctx, id, knox.Options{})
	if err != nil {
		return err
	}
	secret := issued.Secret.Reveal()
	e.secrets = append(e.secrets, secret)
	_, err = e.db.Writer().ExecContext(ctx, e.numberedText("INSERT INTO bench_floor VALUES (?, ?)"),
		hexHash(secret), id)
	return err
}

func hexHash(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }

// addPair makes a pair of a user. Its access token is signed by a key in memory.
func (e *engine) addPair(ctx context.Context, w *world) error {
	store, err := sqlstore.JWT(ctx, e.db)
	if err != nil {
		return err
	}
	keys, err := jwt.NewKeySet(testKey(jwt.HS256).key)
	if err != nil {
		return err
	}
	e.pairs, err = jwt.New(jwt.Config{Issuer: issuerURL, Keys: keys, Store: store, LoadUser: e.load})
	if err != nil {
		return err
	}
	pair, err := e.pairs.Issue(ctx, w.ids[0], jwt.Options{})
	if err == nil {
		e.refresh = pair.Refresh.Reveal()
	}
	return err
}

func (e *engine) load(ctx context.Context, id string) (auth.User, error) {
	var found string
	var active bool
	if err := e.findUser.QueryRowContext(ctx, id).Scan(&found, &active); err != nil {
		return nil, err
	}
	return &account{found}, nil
}

// The steps that are measured. Each one does one request's work.

func (e *engine) floor() error {
	secret := e.secrets[e.next%len(e.secrets)]
	e.next++
	var id string
	if err := e.findHash.QueryRowContext(context.Background(), hexHash(secret)).Scan(&id); err != nil {
		return err
	}
	_, err := e.load(context.Background(), id)
	return err
}

func (e *engine) check() error {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Token "+e.secrets[e.next%len(e.secrets)])
	e.next++
	w := httptest.NewRecorder()
	if e.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
		return fmt.Errorf("a check was answered with %d", w.Code)
	}
	return nil
}

func (e *engine) login() error {
	e.next++
	_, err := e.tokens.Issue(context.Background(), fmt.Sprintf("user-%06d", e.next%engineUsers), knox.Options{})
	return err
}

func (e *engine) refreshOnce() error {
	pair, err := e.pairs.Refresh(context.Background(), e.refresh)
	if err == nil {
		e.refresh = pair.Refresh.Reveal()
	}
	return err
}

// revokeAll ends ten tokens of a user. The ten logins are not measured.
func (e *engine) revokeAll() (time.Duration, error) {
	for range 10 {
		if _, err := e.tokens.Issue(context.Background(), outgoing, knox.Options{}); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	_, err := e.tokens.RevokeAll(context.Background(), outgoing)
	return time.Since(began), err
}

// timed makes a step of a function.
func timed(do func() error) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		began := time.Now()
		err := do()
		return time.Since(began), err
	}
}

// runEngines prints a table of the engines that were asked for.
func (o *options) runEngines(out io.Writer) error {
	fmt.Fprintln(out, "| engine | floor: p50 / p99 | check: p50 / p99 | check, ratio (least–most) | login | refresh | "+
		"end of ten tokens |\n| --- | --- | --- | --- | --- | --- | --- |")
	for address := range strings.SplitSeq(o.engines, ",") {
		w := newWorld(engineUsers, false)
		err := o.runEngine(out, w, address)
		w.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *options) runEngine(out io.Writer, w *world, address string) error {
	e, err := openEngine(context.Background(), w, address)
	if err != nil {
		return err
	}
	steps := []func() (time.Duration, error){timed(e.floor), timed(e.check), timed(e.login), timed(e.refreshOnce),
		e.revokeAll}
	all := make([][]time.Duration, len(steps))
	var ratios []float64
	for round := range o.paired.Rounds + 1 {
		took, err := o.engineRound(steps)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		if round == 0 { // which warms up
			continue
		}
		for i := range steps {
			all[i] = append(all[i], took[i]...)
		}
		ratios = append(ratios, float64(quantile(took[1], 50))/float64(quantile(took[0], 50)))
	}
	slices.Sort(ratios)
	show := func(i int) string {
		return fmt.Sprintf("%v / %v", quantile(all[i], 50).Round(time.Microsecond),
			quantile(all[i], 99).Round(time.Microsecond))
	}
	fmt.Fprintf(out, "| %s | %s | %s | %.2fx (%.2f–%.2f) | %s | %s | %s |\n", e.name, show(0), show(1),
		ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1], show(2), show(3), show(4))
	return nil
}

// engineRound returns how long each step took each time. The floor and the check, which come first, take turns of a
// slice.
func (o *options) engineRound(steps []func() (time.Duration, error)) ([][]time.Duration, error) {
	took := make([][]time.Duration, len(steps))
	for began := time.Now(); time.Since(began) < 2*o.paired.Round; {
		for i := range 2 {
			more, err := repeat(steps[i], o.paired.Slice)
			if err != nil {
				return nil, err
			}
			took[i] = append(took[i], more...)
		}
	}
	for i, step := range steps[2:] {
		var err error
		if took[i+2], err = repeat(step, o.paired.Round); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// repeat runs a step for a while and returns how long it took each time.
func repeat(step func() (time.Duration, error), while time.Duration) ([]time.Duration, error) {
	var took []time.Duration
	for began := time.Now(); time.Since(began) < while || len(took) == 0; {
		one, err := step()
		if err != nil {
			return nil, err
		}
		took = append(took, one)
	}
	return took, nil
}

// quantile returns the duration that so many in a hundred do not exceed.
func quantile(all []time.Duration, percent int) time.Duration {
	sorted := slices.Clone(all)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}
