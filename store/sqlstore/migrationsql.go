package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// components are what is migrated by itself. Each one has the tables of one store, but for owners, which all use.
var components = []string{"owners", "knox", "sessions", "jwt", "jwtkeys", "oauth", "login", "onetime", "throttle"}

// MigrationSQL returns the SQL that brings the tables of all stores to the newest version, for people who apply it
// themselves. It is empty if they have it. The error wraps [ErrSchema] if another version of this package made tables.
// It reads the database, and changes nothing.
//
// Set [Config].ManualMigrations in the program, so that its stores migrate nothing.
func (db *DB) MigrationSQL(ctx context.Context) (string, error) {
	scripts, err := scriptsOf(db.dialect, db.prefix)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	listed := true
	if _, err := db.read.ExecContext(ctx, db.sql(`SELECT component FROM {prefix}schema WHERE 1 = 0`)); err != nil {
		if !isMissingTable(db.dialect, err) {
			return "", withHint(err)
		}
		listed = false
	}
	var body strings.Builder
	for _, component := range components {
		var text string
		if listed {
			text, err = scripts.Print(ctx, db.read, component)
		} else {
			text, err = scripts.Print(ctx, nil, component)
		}
		if err != nil {
			return "", fmt.Errorf("sqlstore: tables of %s: %w", component, err)
		}
		if text != "" {
			body.WriteString("\n" + text)
		}
	}
	switch {
	case body.Len() == 0:
		return "", nil
	case listed:
		return inTransaction(db.dialect, strings.TrimPrefix(body.String(), "\n")), nil
	}
	return inTransaction(db.dialect, scripts.List()+body.String()), nil
}

// SchemaSQL returns the SQL that makes the tables of all stores in an empty database of an engine, which is
// "sqlite", "postgresql" or "mysql" (MariaDB too). An empty tablePrefix is "gatewarden_".
func SchemaSQL(engine, tablePrefix string) (string, error) {
	for _, d := range []dialect{sqlite{}, postgresql{}, mysql{}} {
		if d.name() != engine {
			continue
		}
		prefix, err := checkedPrefix(tablePrefix)
		if err != nil {
			return "", fmt.Errorf("sqlstore: %w", err)
		}
		scripts, err := scriptsOf(d, prefix)
		if err != nil {
			return "", err
		}
		body := scripts.List()
		for _, component := range components {
			text, err := scripts.Print(context.Background(), nil, component)
			if err != nil {
				return "", err
			}
			body += "\n" + text
		}
		return inTransaction(d, body), nil
	}
	return "", errors.New(`sqlstore: the engines are "sqlite", "postgresql" and "mysql"`)
}

// inTransaction returns statements as one transaction. MySQL commits at every statement that changes a table.
func inTransaction(d dialect, statements string) string {
	if d.name() == (mysql{}).name() {
		return statements
	}
	return "BEGIN;\n\n" + statements + "\nCOMMIT;\n"
}

// isMissingTable reports whether a query failed because its table does not exist.
func isMissingTable(d dialect, err error) bool {
	switch d.name() {
	case (postgresql{}).name():
		return sqlState(err) == "42P01"
	case (mysql{}).name():
		return mysqlError(err) == 1146
	}
	return strings.Contains(err.Error(), "no such table")
}
