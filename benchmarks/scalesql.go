package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// This file measures knox over SQLite with many rows, and a purge of them while others write.

// usable is how many rows have a token that requests can present. The others are copies of them with another digest.
const usable = 10_000

// bigFile is a database with many tokens.
type bigFile struct {
	db     *sqlstore.DB
	path   string
	world  *world
	tokens *knox.Tokens
	client *client
}

// openBig makes a file with rows tokens of a tenth as many users. About so many of them have expired, but no usable
// one.
func openBig(rows, expired int) (b *bigFile, end func(), err error) {
	w := newWorld(min(usable, rows/2), false)
	if b, err = newBig(w); err != nil {
		return nil, w.close, err
	}
	return b, w.close, b.multiply(rows-len(w.ids), expired)
}

func newBig(w *world) (*bigFile, error) {
	folder, err := os.MkdirTemp("", "gatewarden-benchmark")
	if err != nil {
		return nil, err
	}
	w.atEnd(func() { _ = os.RemoveAll(folder) })
	b := &bigFile{world: w, path: filepath.Join(folder, "bench.db")}
	if b.db, err = sqlstore.OpenSQLite(context.Background(), "sqlite", b.path, sqlstore.Config{}); err != nil {
		return nil, err
	}
	w.atEnd(func() { _ = b.db.Close() })
	store, err := sqlstore.Knox(context.Background(), b.db)
	if err != nil {
		return nil, err
	}
	if b.tokens, err = knox.New(knox.Config{Store: store, LoadUser: w.load}); err != nil {
		return nil, err
	}
	b.client, _, err = knoxClient(w, b.tokens)
	return b, err
}

const tokenTable = "gatewarden_knox_tokens"

// multiply adds rows that are copies of those that are there, with another digest, identifier and user.
func (b *bigFile) multiply(rows, expired int) error {
	columns, err := columnsOf(b.db.Reader(), tokenTable)
	if err != nil {
		return err
	}
	values := slices.Clone(columns)
	for i, column := range columns {
		switch column {
		case "digest":
			values[i] = "substr(hex(randomblob(32)), 1, 43)"
		case "id":
			values[i] = "lower(hex(randomblob(16)))"
		case "user_id":
			values[i] = fmt.Sprintf("'many-' || abs(random() %% %d)", rows/perUser+1)
		case "expires_at":
			values[i] = fmt.Sprintf("CASE WHEN abs(random() %% %d) < %d "+
				"THEN created - 1 - abs(random() %% 1000000000) ELSE expires_at END", max(1, rows), expired)
		}
	}
	statement := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s "+
		"FROM (SELECT * FROM %[1]s WHERE user_id NOT LIKE 'many-%%' LIMIT %[4]d) LIMIT ?", tokenTable,
		strings.Join(columns, ", "), strings.Join(values, ", "), usable)
	for rows > 0 {
		done, err := b.db.Writer().Exec(statement, rows)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil || n == 0 {
			return fmt.Errorf("%d rows are missing: %w", rows, err)
		}
		rows -= int(n)
	}
	_, err = b.db.Writer().Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

func columnsOf(db *sql.DB, table string) ([]string, error) {
	rows, err := db.Query("SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, rows.Err()
}

// issue logs a user in and returns how long it took.
func (b *bigFile) issue(i int) (token string, took time.Duration, err error) {
	began := time.Now()
	issued, err := b.tokens.Issue(context.Background(), b.world.ids[i%len(b.world.ids)], knox.Options{})
	if err != nil {
		return "", 0, err
	}
	return issued.Secret.Reveal(), time.Since(began), nil
}

func (o *options) scaleSQLite(out io.Writer, all []int) error {
	if !o.wanted.MatchString("knox in SQLite") {
		return nil
	}
	fmt.Fprintln(out, "| knox in SQLite | rows | file, bytes of each | check of a token used before: p50 / p99 | "+
		"CPU of it | issue: p50 / p99 | RevokeAll of about 10: p50 / p99 |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- |")
	for _, n := range all {
		if err := sqliteRow(out, n, o.time); err != nil {
			return fmt.Errorf("SQLite with %d rows: %w", n, err)
		}
	}
	fmt.Fprintln(out)
	return nil
}

func sqliteRow(out io.Writer, n int, duration time.Duration) error {
	b, end, err := openBig(n, 0)
	defer end()
	if err != nil {
		return err
	}
	file, err := os.Stat(b.path)
	if err != nil {
		return err
	}
	if _, err := b.client.side(); err != nil { // the first uses
		return err
	}
	p := &population{handler: b.client.handler, header: "Authorization"}
	checks := p.check(&tokens{values: b.client.values, users: b.world.ids}, func() { time.Sleep(duration) })
	var issues, revokes samples
	for i := range min(1000, n) {
		_, took, err := b.issue(i)
		if err != nil {
			return err
		}
		issues.sorted = append(issues.sorted, took)
	}
	for i := range min(200, n) {
		began := time.Now()
		if _, err := b.tokens.RevokeAll(context.Background(), fmt.Sprintf("many-%d", i)); err != nil {
			return err
		}
		revokes.sorted = append(revokes.sorted, time.Since(began))
	}
	slices.Sort(issues.sorted)
	slices.Sort(revokes.sorted)
	fmt.Fprintf(out, "| | %d | %.0f | %s | %.1f µs | %s | %s |\n", n, float64(file.Size())/float64(n),
		checks, checks.cpuEach(), issues, revokes)
	return checks.err
}

// String returns the median and the 99th percentile.
func (s samples) String() string { return short(s.at(0.5)) + " / " + short(s.at(0.99)) }
