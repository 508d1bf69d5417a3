package main

import (
	"context"
	"fmt"
	"io"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/store/sqlstore"
)

// migrate prints the SQL that brings the tables of the stores to the newest version. It changes nothing. It is for
// services that set sqlstore.Config.ManualMigrations. The tables of the service's own users are not in it. In Redis
// there are no tables.
func migrate(ctx context.Context, c *call) error {
	engine := c.flags.String("schema", "", "print all tables for an empty database of this `engine`: sqlite, "+
		"postgresql or mysql")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if c.isSet("schema") {
		text, err := sqlstore.SchemaSQL(*engine, "")
		if err != nil {
			return usageError{fmt.Errorf("-schema %s: %w", *engine, err)}
		}
		_, err = io.WriteString(c.stdout, text)
		return err
	}
	if engine, err := database.EngineOf(c.db); err == nil && engine == database.Redis {
		fmt.Fprintln(c.stderr, "Redis has no tables: there is nothing to migrate")
		return c.checkNotify()
	}
	db, err := openDatabase(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	text, err := db.MigrationSQL(ctx)
	if err != nil {
		return err
	}
	if text == "" {
		fmt.Fprintln(c.stderr, "the tables have the newest version")
	}
	_, err = io.WriteString(c.stdout, text)
	return err
}
