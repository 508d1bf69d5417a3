package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/jackc/pgx/v5"
)

func TestUnitCachesOfTheServiceHearWhatEndsHere(t *testing.T) {
	database := testserver.PostgreSQL(t).Database(t)
	conn, err := pgx.Connect(t.Context(), database.DSN)
	if err == nil {
		_, err = conn.Exec(t.Context(), "LISTEN told")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	f := file{t: t, path: filepath.Join(t.TempDir(), "demo"), server: database.URL}
	launch(t, f) // makes the tables of its users
	f.want("clients", "add", "-id", "nightly", "-name", "Nightly", "-redirect", "http://127.0.0.1/callback")
	f.want("clients", "disable", "nightly")
	f.want("-notify", "told", "clients", "delete", "nightly")
	if _, err := conn.Exec(t.Context(), `NOTIFY told, 'the end'`); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"user":"client:nightly"}`, "the end"} {
		told, err := conn.WaitForNotification(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if told.Payload != want {
			t.Fatalf("got the notification %s, want %s", told.Payload, want)
		}
	}
}

func TestUnitAChannelNeedsPostgreSQL(t *testing.T) {
	for _, address := range []string{"sqlite:" + filepath.Join(t.TempDir(), "demo.db"), "mysql://app@127.0.0.1:1/app"} {
		f := file{t: t, server: address}
		r := f.run("-notify", "told", "purge")
		if r.code != misuse || !strings.Contains(r.err, "-notify is for PostgreSQL") {
			t.Errorf("%s: got %+v, want that -notify is refused", address, r)
		}
	}
}
