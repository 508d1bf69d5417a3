package sqlstore_test

import (
	"context"
	"log"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/transfer"
)

func loadUser(context.Context, string) (auth.User, error) { return nil, auth.ErrUserNotFound }

// The program imports the driver that it names: _ "modernc.org/sqlite".
func ExampleOpenSQLite() {
	ctx := context.Background()
	db, err := sqlstore.OpenSQLite(ctx, "sqlite", "app.db", sqlstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := sqlstore.Knox(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := knox.New(knox.Config{Store: store, LoadUser: loadUser})
	if err != nil {
		log.Fatal(err)
	}
	_ = tokens
}

// The service is stopped. Everything that it has in a SQLite file moves to PostgreSQL.
func ExampleTransfer() {
	ctx := context.Background()
	move := func(sqlite, postgres *sqlstore.DB) error {
		from, err := sqlstore.Transfer(ctx, sqlite)
		if err != nil {
			return err
		}
		to, err := sqlstore.Transfer(ctx, postgres)
		if err != nil {
			return err
		}
		report, err := transfer.Copy(ctx, from, to, transfer.Options{Final: true})
		for _, kind := range report.Kinds {
			log.Print(kind.Kind, ": ", kind.Target, " of ", kind.Source)
		}
		return err
	}
	_ = move
}
