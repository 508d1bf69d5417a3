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
	for name, links := range map[string][][2]string{ // what each link of the folder leads to
		"in the same folder": {{"app.db", "volume.db"}},
		"by its whole path":  {{"app.db", "/volume.db"}},
		"over a second link": {{"app.db", "next.db"}, {"next.db", "/volume.db"}},
		"from a folder behind a link": {{"shown", "deep/er"}, {"deep/er/app.db", "../next.db"},
			{"deep/next.db", "../volume.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "deep", "er"), 0o700); err != nil {
				t.Fatal(err)
			}
			path, target := filepath.Join(dir, "app.db"), filepath.Join(dir, "volume.db")
			for _, link := range links {
				to := link[1]
				if to[0] == '/' {
					to = filepath.Join(dir, to)
				}
				if err := os.Symlink(to, filepath.Join(dir, link[0])); err != nil {
					t.Skip(err)
				}
				if link[0] == "shown" {
					path = filepath.Join(dir, "shown", "app.db")
				}
			}
			db, err := sqlstore.OpenSQLite(t.Context(), "sqlite", path, sqlstore.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v, %v, want a file of its owner", info, err)
			}
		})
	}
}
