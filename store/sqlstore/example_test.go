package sqlstore_test

import (
	"context"
	"log"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
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
