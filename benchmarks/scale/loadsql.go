package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatewarden/auth/knox"
)

// This file loads tokens into SQL. A token is issued first, and the others are rows as its row is, each with a digest,
// an identifier, a user and instants of its own. All indexes are there from the start.

// sampleUser owns the token that the others are like. It has as many characters as the other users have.
const sampleUser = "user-sample-"

// sampled are the columns and the values of the row that the store has written.
type sampled struct {
	columns []string
	values  []any
}

// sample issues a token, reads its row, and ends the token.
func (d *database) sample(ctx context.Context) (s sampled, err error) {
	store, err := d.knox(ctx)
	if err != nil {
		return s, err
	}
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: anyUser})
	if err != nil {
		return s, err
	}
	if _, err = tokens.Issue(ctx, sampleUser, sampleOptions); err != nil {
		return s, err
	}
	rows, err := d.sql.Reader().QueryContext(ctx, "SELECT * FROM "+d.table()+" WHERE user_id = '"+sampleUser+"'")
	if err != nil {
		return s, err
	}
	defer rows.Close()
	if s.columns, err = rows.Columns(); err != nil {
		return s, err
	}
	s.values = make([]any, len(s.columns))
	into := make([]any, len(s.columns))
	for i := range into {
		into[i] = &s.values[i]
	}
	if !rows.Next() {
		return s, errors.Join(errors.New("the row of a token that was issued is not there"), rows.Err())
	}
	if err := errors.Join(rows.Scan(into...), rows.Close()); err != nil {
		return s, err
	}
	_, err = tokens.RevokeAll(ctx, sampleUser)
	return s, err
}

// sampleOptions are those of a token of a browser.
var sampleOptions = knox.Options{IP: "198.51.100.27",
	UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}

// of returns the values of a row.
func (s *sampled) of(r record) ([]any, error) {
	values := slices.Clone(s.values)
	lastUsed := any(r.lastUsed)
	if r.lastUsed == 0 {
		lastUsed = nil
	}
	own := map[string]any{"digest": r.digest, "id": r.id, "user_id": r.user, "created": r.created,
		"expires_at": r.expires, "last_used": lastUsed}
	found := 0
	for i, column := range s.columns {
		if value, ok := own[column]; ok {
			values[i] = value
			found++
		}
	}
	if found != len(own) {
		return nil, fmt.Errorf("the table has the columns %v, which are not those that this program knows", s.columns)
	}
	return values, nil
}

// loadSQL writes the rows of a population.
func (d *database) loadSQL(ctx context.Context, p *population) error {
	s, err := d.sample(ctx)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	records := p.records(stop)
	if d.address.Scheme == "postgres" {
		return d.copy(ctx, &rowSource{sampled: s, records: records})
	}
	for range (p.count + insertedAtOnce - 1) / insertedAtOnce {
		if err := d.insert(ctx, s, records); err != nil {
			return err
		}
	}
	return nil
}

// rowSource gives rows to COPY.
type rowSource struct {
	sampled
	records <-chan []record
	chunk   []record
	values  []any
	err     error
}

func (s *rowSource) Next() bool {
	if len(s.chunk) == 0 {
		s.chunk = <-s.records
	}
	if len(s.chunk) == 0 {
		return false
	}
	s.values, s.err = s.of(s.chunk[0])
	s.chunk = s.chunk[1:]
	return s.err == nil
}

func (s *rowSource) Values() ([]any, error) { return s.values, nil }
func (s *rowSource) Err() error             { return s.err }

// copy writes rows by the protocol of COPY.
func (d *database) copy(ctx context.Context, rows *rowSource) error {
	conn, err := d.sql.Writer().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{d.table()}, rows.columns, rows)
		return err
	})
}

const (
	insertedAtOnce = 10 * chunk // rows of a transaction
	insertedEach   = 100        // rows of a statement
)

// insert writes some chunks of rows in one transaction.
func (d *database) insert(ctx context.Context, s sampled, records <-chan []record) (err error) {
	tx, err := d.sql.Writer().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	for range insertedAtOnce / chunk {
		many := <-records
		for part := range slices.Chunk(many, insertedEach) {
			if err := d.insertSome(ctx, tx, s, part); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

func (d *database) insertSome(ctx context.Context, tx *sql.Tx, s sampled, part []record) error {
	row := "(?" + strings.Repeat(", ?", len(s.columns)-1) + ")"
	statement := "INSERT INTO " + d.table() + " (" + strings.Join(s.columns, ", ") + ") VALUES " + row +
		strings.Repeat(", "+row, len(part)-1)
	var all []any
	for _, r := range part {
		values, err := s.of(r)
		if err != nil {
			return err
		}
		all = append(all, values...)
	}
	_, err := tx.ExecContext(ctx, statement, all...)
	return err
}
