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

// ErrNewer is added to ErrForeign if the tables are one version newer than the program, which it may run beside.
var ErrNewer = errors.New(
	"a program of the version before may run beside them for a while, see Config.AllowNewerTables")

// Scripts are the migrations of one engine. A folder has a file
// "<component>_<version>.sql" for each version, from 1.
type Scripts struct {
	Folder fs.FS
	Prefix string // of every table, put in place of {prefix}

	// Placeholders writes each "?" of a statement as the engine does. If nil, it stays.
	Placeholders func(statement string) string
	// Lock makes other programs that migrate wait until the transaction ends. It is empty if the transaction itself
	// does.
	Lock string
	// TableOptions ends the statement that makes the version table.
	TableOptions string
	// AllowNewer takes tables that are one version newer than the scripts.
	AllowNewer bool
	// Newer is called with the component if they are. It may be nil.
	Newer func(component string)
	// Done reports whether an error says that a statement was run before. It is for engines that commit at every
	// statement that changes a table.
	Done func(err error) bool
}

// Querier is a pool, or the connection of a transaction.
type Querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Migrate brings the tables of a component to the newest version, in the transaction
// of conn. It returns an error that wraps [ErrForeign] if the tables are not those
// that the scripts make.
func (s Scripts) Migrate(ctx context.Context, conn Querier, component string) error {
	if err := s.Create(ctx, conn); err != nil {
		return err
	}
	if s.Lock != "" {
		if _, err := conn.ExecContext(ctx, s.withPrefix(s.Lock)); err != nil {
			return err
		}
	}
	state, scripts, err := s.readState(ctx, conn, component)
	if err != nil || state.version >= len(scripts) {
		return err
	}
	for _, script := range scripts[state.version:] {
		for _, statement := range s.statements(script) {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return s.write(ctx, conn, component, state, len(scripts), checksum(scripts))
}

// Create makes the version table if there is none.
func (s Scripts) Create(ctx context.Context, in Querier) error {
	_, err := in.ExecContext(ctx, s.withPrefix(createList)+s.TableOptions)
	return err
}

// createList makes the version table. A checksum has 64 characters, and may have the word migrating after it.
const createList = `CREATE TABLE IF NOT EXISTS {prefix}schema (
		component VARCHAR(64) NOT NULL PRIMARY KEY,
		version   INTEGER     NOT NULL,
		checksum  VARCHAR(80) NOT NULL)`

// Current reports whether the tables of a component have the newest version. It changes nothing, and locks nothing. If
// there is no version table it returns the error of the engine.
func (s Scripts) Current(ctx context.Context, in Querier, component string) (bool, error) {
	state, scripts, err := s.readState(ctx, in, component)
	return err == nil && state.version >= len(scripts) && !state.migrating, err
}

// readState returns which tables of a component are there, and its scripts.
func (s Scripts) readState(ctx context.Context, in Querier, component string) (state, []string, error) {
	scripts, err := s.of(component)
	if err != nil {
		return state{}, nil, err
	}
	found, err := s.version(ctx, in, component, scripts)
	if err == nil && !found.migrating {
		err = s.checkTables(ctx, in, scripts[:min(found.version, len(scripts))])
	}
	return found, scripts, err
}

// state is what the version table says of a component.
type state struct {
	listed    bool
	version   int
	migrating bool // a program began the next version, and may have been killed before its end
}

// migrating is added to the checksum while a program that cannot do so in one transaction changes tables.
const migrating = " migrating"

// write writes into the version table which version a component has now.
func (s Scripts) write(ctx context.Context, in Querier, component string, before state, version int,
	checksum string) error {
	statement := `UPDATE {prefix}schema SET version = ?, checksum = ? WHERE component = ?`
	if !before.listed {
		statement = `INSERT INTO {prefix}schema (version, checksum, component) VALUES (?, ?, ?)`
	}
	_, err := in.ExecContext(ctx, s.withPlaceholders(statement), version, checksum, component)
	return err
}

// statements returns the statements of a script.
func (s Scripts) statements(script string) (all []string) {
	for statement := range strings.SplitSeq(strings.TrimSpace(script), ";\n\n") {
		all = append(all, s.withPrefix(strings.TrimSuffix(statement, ";")))
	}
	return all
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

// version returns what the version table says of a component, and the zero state if the component is not listed. A
// number alone does not tell whether the scripts of this program made the tables, so the checksum must be the same,
// too.
func (s Scripts) version(ctx context.Context, in Querier, component string, scripts []string) (state, error) {
	rows, err := in.QueryContext(ctx, s.withPlaceholders(`SELECT * FROM {prefix}schema WHERE component = ?`), component)
	if err != nil {
		return state{}, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return state{}, err
	}
	if !slices.Equal(columns, []string{"component", "version", "checksum"}) {
		return state{}, fmt.Errorf("the version table has another form: %w", ErrForeign)
	}
	if !rows.Next() {
		return state{}, rows.Err()
	}
	found := state{listed: true}
	var sum string
	if err := rows.Scan(&component, &found.version, &sum); err != nil {
		return state{}, err
	}
	sum, found.migrating = strings.CutSuffix(sum, migrating)
	newest := len(scripts)
	switch {
	case found.version == newest && found.migrating && sum == checksum(scripts) && newest > 0 && s.AllowNewer,
		found.version == newest+1 && s.AllowNewer:
		found.version, found.migrating = newest+1, false // or will be soon
		if s.Newer != nil {
			s.Newer(component)
		}
		return found, rows.Close() // what made them is not known here
	case found.version == newest && found.migrating:
		return state{}, fmt.Errorf("a newer program has begun to migrate the tables to version %d, and this program "+
			"knows versions up to %d: %w: %w", found.version+1, newest, ErrForeign, ErrNewer)
	case found.version == newest+1:
		return state{}, fmt.Errorf("the tables have version %d and this program knows versions up to %d: %w: %w",
			found.version, newest, ErrForeign, ErrNewer)
	case found.version < 1 && !found.migrating || found.version < 0 || found.version > newest:
		return state{}, fmt.Errorf("the tables have version %d and this program knows versions up to %d: %w",
			found.version, newest, ErrForeign)
	case sum != checksum(scripts[:found.version]):
		return state{}, fmt.Errorf("the tables have version %d, but not that of this program: %w",
			found.version, ErrForeign)
	}
	return found, rows.Close()
}

// tableStatement finds the tables that a script makes and drops.
var tableStatement = regexp.MustCompile(`(?m)^(CREATE|DROP) TABLE (?:IF NOT EXISTS )?(\{prefix\}\w+)`)

// checkTables returns an error if a table that the scripts made is missing. A store would
// notice that at its first use only.
func (s Scripts) checkTables(ctx context.Context, conn Querier, scripts []string) error {
	there := map[string]bool{}
	for _, script := range scripts {
		for _, change := range tableStatement.FindAllStringSubmatch(script, -1) {
			there[s.withPrefix(change[2])] = change[1] == "CREATE"
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

func (s Scripts) withPrefix(statement string) string {
	return strings.ReplaceAll(statement, "{prefix}", s.Prefix)
}

// withPlaceholders is withPrefix for a statement with arguments.
func (s Scripts) withPlaceholders(statement string) string {
	statement = s.withPrefix(statement)
	if s.Placeholders == nil {
		return statement
	}
	return s.Placeholders(statement)
}
