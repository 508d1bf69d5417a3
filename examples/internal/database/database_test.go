package database_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/sqlstore"
)

// servers are the addresses of an empty database on each server.
var servers = []struct {
	name    string
	engine  database.Engine
	address func(t *testing.T) string
}{
	{"PostgreSQL", database.PostgreSQL, func(t *testing.T) string { return testserver.PostgreSQL(t).Database(t).URL }},
	{"MariaDB", database.MySQL, func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL }},
}

func TestUnitOpen(t *testing.T) {
	open := func(t *testing.T, address string) *database.DB {
		t.Helper()
		db, err := database.Open(t.Context(), address, sqlstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	ask := func(t *testing.T, db *database.DB) {
		t.Helper()
		var n int
		if err := db.Reader().QueryRowContext(t.Context(), db.Engine.SQL("SELECT ? + 1"), 41).
			Scan(&n); err != nil || n != 42 {
			t.Errorf("got %d, %v, want 42", n, err)
		}
	}
	t.Run("SQLite answers", func(t *testing.T) {
		ask(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "app.db")))
	})
	for _, server := range servers {
		t.Run(server.name+" answers, and text is compared by bytes", func(t *testing.T) {
			db := open(t, server.address(t))
			ask(t, db)
			for _, statement := range []string{
				"CREATE TABLE things (name " + db.Engine.Text() + " PRIMARY KEY)",
				"INSERT INTO things VALUES ('alice')",
				"INSERT INTO things VALUES ('Alice')", "INSERT INTO things VALUES ('alice ')",
			} {
				if _, err := db.Writer().ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run(server.name+" takes a password with every sign", func(t *testing.T) {
			address := server.address(t)
			db := open(t, address)
			const password, escaped = `p:/?#@%&=+ ü'`, "p%3A%2F%3F%23%40%25%26%3D%2B%20%C3%BC'"
			name := "odd_" + address[strings.LastIndex(address, "test_")+5:][:12]
			statements := []string{"CREATE USER " + name + " PASSWORD 'p:/?#@%&=+ ü'''"}
			if db.Engine == database.MySQL {
				statements = []string{"CREATE USER " + name + "@'127.0.0.1' IDENTIFIED BY 'p:/?#@%&=+ ü'''",
					"GRANT SELECT ON *.* TO " + name + "@'127.0.0.1'"}
			}
			for _, statement := range statements {
				if _, err := db.Writer().ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			scheme, rest, _ := strings.Cut(address, "://")
			_, host, _ := strings.Cut(rest, "@")
			odd := open(t, scheme+"://"+name+":"+escaped+"@"+host)
			ask(t, odd)
			_ = odd.Close()
			drop := "DROP USER " + name
			if db.Engine == database.MySQL {
				drop += "@'127.0.0.1'"
			}
			if _, err := db.Writer().ExecContext(t.Context(), drop); err != nil {
				t.Error(err)
			}
		})
		t.Run(server.name+": an UPDATE that changes nothing counts its row", func(t *testing.T) {
			db := open(t, server.address(t))
			for _, statement := range []string{"CREATE TABLE things (n INTEGER)", "INSERT INTO things VALUES (1)"} {
				if _, err := db.Writer().ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			result, err := db.Writer().ExecContext(t.Context(), "UPDATE things SET n = 1")
			if err != nil {
				t.Fatal(err)
			}
			if n, err := result.RowsAffected(); n != 1 || err != nil {
				t.Errorf("got %d, %v, want 1", n, err)
			}
		})
	}
}

func TestUnitAddressesThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, address, says string }{
		{"nothing", "", "want sqlite:PATH"},
		{"another engine", "oracle://app:Se/cret@db/app", "want sqlite:PATH"},
		{"the form of a driver", "app:Secret@tcp(127.0.0.1:3306)/app", "want sqlite:PATH"},
		{"the form of libpq", "host=127.0.0.1 user=app password=Secret", "want sqlite:PATH"},
		{"no slashes", "postgres:app:Secret@db/app", "want sqlite:PATH"},
		{"a port that is none, PostgreSQL", "postgres://app:Secret@db:port/app", "cannot be read"},
		{"a port that is none, MySQL", "mysql://app:Secret@db:port/app", "cannot be read"},
		{"a slash in the password", "postgres://app:Se/cret@db/app", "%2F"},
		{"a slash after digits", "postgres://app:12/Secret@db/app", "%2F"},
		{"a question mark after digits", "mysql://app:12?Secret@db/app", "%3F"},
		{"a number sign after digits", "postgres://app:12#Secret@db/app", "%23"},
		{"a percent sign", "mysql://app:Se%cret@db/app", "%25"},
		{"an at sign", "postgres://app:a@12/Secret@db/app", "%40"},
		{"no host, MySQL", "mysql:///app", "cannot be read"},
		{"no database, MySQL", "mysql://app:Secret@db:3306", "names no database"},
		{"a parameter of PostgreSQL that is no value", "postgres://app:Secret@db/app?sslmode=perhaps",
			"sslmode is invalid"},
		{"a parameter of MySQL that is no value", "mysql://app:Secret@db/app?timeout=soon", "parameters"},
		{"TLS that is not set up", "mysql://app:Secret@db/app?tls=ours", "ours"},
	} {
		t.Run(row.name, func(t *testing.T) {
			db, err := database.Open(t.Context(), row.address, sqlstore.Config{})
			if err == nil {
				_ = db.Close()
				t.Fatal("it was opened")
			}
			if text := database.Line(err); !strings.Contains(text, row.says) || strings.Contains(text, "ecret") ||
				strings.Contains(text, "12") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want a line with %q and nothing of the password", text, row.says)
			}
			if got, want := errors.Is(err, database.ErrAddress), strings.HasPrefix(row.says, "want"); got != want {
				t.Errorf("that it is ErrAddress is %t, want %t", got, want)
			}
		})
	}
}

func TestUnitServersThatRefuse(t *testing.T) {
	for _, server := range servers {
		address := func(t *testing.T, user, password, name string) string {
			t.Helper()
			scheme, rest, _ := strings.Cut(server.address(t), "://")
			login, rest, _ := strings.Cut(rest, "@")
			host, whole, _ := strings.Cut(rest, "/")
			whole, parameters, _ := strings.Cut(whole, "?")
			if user != "" {
				login = user + ":" + password
			}
			if name != "" {
				whole = name
			}
			return scheme + "://" + login + "@" + host + "/" + whole + "?" + parameters
		}
		for _, row := range []struct {
			name, user, password, database string
			says                           string
		}{
			{"a wrong password is named", "gatewarden", "wrong-Secret-word", "", "refuses the user or the password"},
			{"a database that is missing is named", "", "", "nowhere", "does not exist"},
		} {
			t.Run(server.name+": "+row.name, func(t *testing.T) {
				full := address(t, row.user, row.password, row.database)
				_, err := database.Open(t.Context(), full, sqlstore.Config{})
				if err == nil {
					t.Fatal("it was opened")
				}
				text := database.Line(err)
				if !strings.Contains(text, row.says) || strings.Contains(text, passwordOf(full)) ||
					strings.Contains(text, "\n") {
					t.Errorf("got %q, want a line with %q and no password", text, row.says)
				}
			})
		}
		t.Run(server.name+": one that is not there, or says nothing, is given up within seconds", func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			closed, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = closed.Close()
			scheme := map[database.Engine]string{database.PostgreSQL: "postgres",
				database.MySQL: "mysql"}[server.engine]
			for _, host := range []string{closed.Addr().String(), silent.Addr().String()} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := database.Open(ctx, scheme+"://app:a-Secret-word@"+host+"/app", sqlstore.Config{})
				switch {
				case err == nil:
					t.Error("it was opened")
				case ctx.Err() != nil:
					t.Error("it took a minute")
				case strings.Contains(database.Line(err), "Secret"):
					t.Errorf("the password is in %q", database.Line(err))
				}
			}
		})
	}
}

// passwordOf returns the password of an address.
func passwordOf(address string) string {
	login, _, _ := strings.Cut(address, "@")
	return login[strings.LastIndex(login, ":")+1:]
}
