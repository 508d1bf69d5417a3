package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/gatewarden/auth/store/sqlstore/internal/schema"
)

//go:embed migrations
var migrations embed.FS

// ErrSchema is returned by the functions that open a store if another version of this
// package made its tables. Nothing was changed then.
var ErrSchema = schema.ErrForeign

// migrate brings the tables of one component to its newest version, all steps
// in one transaction. Programs that start at once wait for each other here. The
// second one finds nothing to do.
func (db *DB) migrate(ctx context.Context, component string) error {
	folder, err := fs.Sub(migrations, "migrations/"+db.dialect.name())
	if err != nil {
		return err
	}
	err = db.update(ctx, func(conn *sql.Conn) error {
		if err := db.dialect.lockSchema(ctx, conn); err != nil {
			return err
		}
		return schema.Scripts{Folder: folder, Prefix: db.prefix, Placeholders: db.dialect.placeholders}.Migrate(
			ctx, conn, component)
	})
	if err != nil {
		return fmt.Errorf("sqlstore: tables of %s: %w", component, err)
	}
	return nil
}
