package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

var postgreSQL = engine{
	name: "PostgreSQL", scheme: "postgres", variable: "GATEWARDEN_POSTGRES_URL",

	drivers:        []string{"pgx", "postgres"},
	createDatabase: "CREATE DATABASE %s TEMPLATE template0",
	dropDatabase:   "DROP DATABASE %s WITH (FORCE)",
	version:        "SHOW server_version",
	dsn:            urlDSN,

	find: findPostgreSQL, user: "gatewarden", start: "postgres", query: "sslmode=disable",

	port:      freePort,
	prepare:   preparePostgreSQL,
	arguments: postgreSQLArguments,
	ready:     "database system is ready to accept", // "read-only connections" if it is a standby
	held:      "still in use",
	stop:      syscall.SIGINT, // "fast": it does not wait for clients
	last:      "QUIT",         // "immediate": unlike SIGKILL, it frees shared memory
}

// findPostgreSQL looks in PATH, and where Debian, Red Hat's packages of postgresql.org and Homebrew put it.
func findPostgreSQL() (programs, error) {
	initdb, found := findProgram("initdb", newest("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin", "/usr/local/pgsql/bin"))
	if resolved, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = resolved
	}
	server := filepath.Join(filepath.Dir(initdb), "postgres") // of the same version
	if _, err := os.Stat(server); !found || err != nil {
		return programs{}, fmt.Errorf("%w: no PostgreSQL: run make servers, or set GATEWARDEN_POSTGRES_URL", errMissing)
	}
	return programs{initialize: initdb, serve: server}, nil
}

func preparePostgreSQL(d *daemon) error {
	password := filepath.Join(d.folder, "password")
	if err := d.write(password, d.password+"\n"); err != nil {
		return err
	}
	defer os.Remove(password)
	locale := "C.UTF-8"
	if runtime.GOOS != "linux" {
		locale = "C"
	}
	return d.run(d.programs.initialize, "--pgdata="+d.data(), "--username="+d.engine.user, "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale="+locale, "--no-sync", "--no-instructions")
}

func postgreSQLArguments(d *daemon) []string {
	arguments := []string{"-D", d.data()}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(d.port), "unix_socket_directories=" + d.folder,
		"max_connections=300", "shared_buffers=64MB", "timezone=Asia/Kathmandu", "lc_messages=C",
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", // a crash of the machine loses nothing of worth
	} {
		arguments = append(arguments, "-c", setting)
	}
	return arguments
}
