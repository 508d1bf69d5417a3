package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the tables of one component to its newest version, all steps
// in one transaction. Programs that start at once wait for each other here; the
// second finds nothing to do.
func (db *DB) migrate(ctx context.Context, component string) error {
	err := db.update(ctx, func(conn *sql.Conn) error {
		if _, err := conn.ExecContext(ctx, db.table(`CREATE TABLE IF NOT EXISTS {prefix}schema (
			component VARCHAR(64) NOT NULL PRIMARY KEY, version INTEGER NOT NULL)`)); err != nil {
			return err
		}
		var version int
		err := conn.QueryRowContext(ctx, db.table("SELECT version FROM {prefix}schema WHERE component = ?"), component).Scan(&version)
		fresh := errors.Is(err, sql.ErrNoRows)
		if err != nil && !fresh {
			return err
		}
		target := version
		for ; ; target++ {
			script, err := migrations.ReadFile(fmt.Sprintf("migrations/%s/%s_%d.sql", db.dialect.name(), component, target+1))
			if errors.Is(err, fs.ErrNotExist) {
				break
			}
			if err != nil {
				return err
			}
			for statement := range strings.SplitSeq(strings.TrimSpace(string(script)), ";\n\n") {
				if _, err := conn.ExecContext(ctx, db.table(strings.TrimSuffix(statement, ";"))); err != nil {
					return err
				}
			}
		}
		if newest := fmt.Sprintf("migrations/%s/%s_%d.sql", db.dialect.name(), component, version); version > 0 {
			if _, err := fs.Stat(migrations, newest); err != nil {
				return fmt.Errorf("the tables are of version %d, which this program does not know", version)
			}
		}
		statement := "UPDATE {prefix}schema SET version = ? WHERE component = ?"
		if fresh {
			statement = "INSERT INTO {prefix}schema (version, component) VALUES (?, ?)"
		}
		_, err = conn.ExecContext(ctx, db.table(statement), target, component)
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlstore: migrating %s: %w", component, err)
	}
	return nil
}
