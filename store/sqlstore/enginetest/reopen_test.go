package enginetest

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gatewarden/auth/store/sqlstore"
)

// TestUnitAFileThatIsOpenKeepsItsLocks opens a database that the program has open already.
// Opening and closing the file by the way would end the locks of the first pool, and the
// next program would delete the write-ahead log under it.
func TestUnitAFileThatIsOpenKeepsItsLocks(t *testing.T) {
	sqlite3, err := exec.LookPath("sqlite3")
	if err != nil {
		sqlite3 = ""
	}
	path := filepath.Join(t.TempDir(), "app.db")
	app, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = app.Close() }()
	for _, statement := range []string{"PRAGMA journal_mode=WAL", "CREATE TABLE mine (n INTEGER)"} {
		if _, err := app.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if sqlite3 == "" {
		t.Skip("no sqlite3: another process cannot look at the file")
	}
	look := func() string {
		out, err := exec.Command(sqlite3, path, "SELECT COUNT(*) FROM mine").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	look()
	if _, err := app.Exec("INSERT INTO mine VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "1\n" {
		t.Errorf("another process counts %q rows, want 1", got)
	}
}

func TestUnitALinkToAFileThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	path, target := filepath.Join(dir, "app.db"), filepath.Join(dir, "volume.db")
	if err := os.Symlink(target, path); err != nil {
		t.Skip(err)
	}
	db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want a file of its owner", info, err)
	}
}
