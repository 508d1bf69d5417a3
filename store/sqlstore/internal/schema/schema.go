// Package schema brings the tables of a component to the version that a program
// knows, and refuses tables that another version of the program made.
package schema

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// ErrForeign is the error for tables that were made by another version.
var ErrForeign = errors.New("they were made by another version of this program. " +
	"Use that version, or let this one make its own tables in a new database or under another TablePrefix")

// Scripts are the migrations of one engine. A folder has a file
// "<component>_<version>.sql" for each version, from 1.
type Scripts struct {
	Folder fs.FS
	Prefix string // of every table, put in place of {prefix}

	// Placeholders writes each "?" of a statement as the engine does. If nil, it stays.
	Placeholders func(statement string) string
}

// Migrate brings the tables of a component to the newest version, in the transaction
// of conn. It returns an error that wraps [ErrForeign] if the tables are not those
// that the scripts make.
func (s Scripts) Migrate(ctx context.Context, conn *sql.Conn, component string) error {
	scripts, err := s.of(component)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, s.table(`CREATE TABLE IF NOT EXISTS {prefix}schema (
		component VARCHAR(64) NOT NULL PRIMARY KEY,
		version   INTEGER     NOT NULL,
		checksum  VARCHAR(64) NOT NULL)`)); err != nil {
		return err
	}
	version, err := s.version(ctx, conn, component, scripts)
	if err == nil {
		err = s.complete(ctx, conn, scripts[:version])
	}
	if err != nil || version == len(scripts) {
		return err
	}
	for _, script := range scripts[version:] {
		for statement := range strings.SplitSeq(strings.TrimSpace(script), ";\n\n") {
			if _, err := conn.ExecContext(ctx, s.table(strings.TrimSuffix(statement, ";"))); err != nil {
				return err
			}
		}
	}
	statement := `UPDATE {prefix}schema SET version = ?, checksum = ? WHERE component = ?`
	if version == 0 {
		statement = `INSERT INTO {prefix}schema (version, checksum, component) VALUES (?, ?, ?)`
	}
	_, err = conn.ExecContext(ctx, s.bound(statement), len(scripts), checksum(scripts), component)
	return err
}

// of returns the scripts of a component in order.
func (s Scripts) of(component string) ([]string, error) {
	var scripts []string
	for {
		script, err := fs.ReadFile(s.Folder, fmt.Sprintf("%s_%d.sql", component, len(scripts)+1))
		switch {
		case errors.Is(err, fs.ErrNotExist) && len(scripts) > 0:
			return scripts, nil
		case err != nil:
			return nil, err
		}
		scripts = append(scripts, string(script))
	}
}

// version returns the version of the tables that are there, and 0 if there are no
// tables. A number alone does not tell whether the scripts of this program made them,
// so the checksum must be the same, too.
func (s Scripts) version(ctx context.Context, conn *sql.Conn, component string, scripts []string) (int, error) {
	rows, err := conn.QueryContext(ctx, s.bound(`SELECT * FROM {prefix}schema WHERE component = ?`), component)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	if !slices.Equal(columns, []string{"component", "version", "checksum"}) {
		return 0, fmt.Errorf("the list of tables has another form: %w", ErrForeign)
	}
	if !rows.Next() {
		return 0, rows.Err()
	}
	var version int
	var sum string
	if err := rows.Scan(&component, &version, &sum); err != nil {
		return 0, err
	}
	switch {
	case version < 1 || version > len(scripts):
		return 0, fmt.Errorf("the tables have version %d and this program knows versions up to %d: %w",
			version, len(scripts), ErrForeign)
	case sum != checksum(scripts[:version]):
		return 0, fmt.Errorf("the tables have version %d, but not that of this program: %w", version, ErrForeign)
	}
	return version, rows.Close()
}

// changed finds the tables that a script makes and drops.
var changed = regexp.MustCompile(`(?m)^(CREATE|DROP) TABLE (\{prefix\}\w+)`)

// complete returns an error if a table that the scripts made is missing. A store would
// notice that at its first use only.
func (s Scripts) complete(ctx context.Context, conn *sql.Conn, scripts []string) error {
	there := map[string]bool{}
	for _, script := range scripts {
		for _, change := range changed.FindAllStringSubmatch(script, -1) {
			there[s.table(change[2])] = change[1] == "CREATE"
		}
	}
	for _, table := range slices.Sorted(maps.Keys(there)) {
		if !there[table] {
			continue
		}
		var n int
		if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table+" WHERE 1 = 0").Scan(&n); err != nil {
			return fmt.Errorf("table %s, which this program made before, cannot be read. "+
				"Restore it from a backup: %w", table, err)
		}
	}
	return nil
}

// checksum returns the SHA-256 of scripts without their comments and spaces, in
// hexadecimal.
func checksum(scripts []string) string {
	hash := sha256.New()
	for _, script := range scripts {
		for line := range strings.Lines(script) {
			code, _, _ := strings.Cut(line, "--")
			for word := range strings.FieldsSeq(code) {
				_, _ = hash.Write([]byte(word + " "))
			}
		}
		_, _ = hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (s Scripts) table(statement string) string {
	return strings.ReplaceAll(statement, "{prefix}", s.Prefix)
}

// bound is table for a statement with arguments.
func (s Scripts) bound(statement string) string {
	statement = s.table(statement)
	if s.Placeholders == nil {
		return statement
	}
	return s.Placeholders(statement)
}
