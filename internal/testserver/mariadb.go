package testserver

import (
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"
)

var mariaDB = engine{
	name: "MariaDB", scheme: "mysql", variable: "GATEWARDEN_MYSQL_URL",

	drivers:        []string{"mysql"},
	createDatabase: "CREATE DATABASE %s CHARACTER SET utf8mb4",
	dropDatabase:   "DROP DATABASE %s",
	version:        "SELECT VERSION()",
	dsn:            mysqlDSN,

	find: findMariaDB, user: "gatewarden", start: "mysql",

	port:      freePort,
	prepare:   prepareMariaDB,
	arguments: mariaDBArguments,
	ready:     "ready for connections",
	held:      "Unable to lock",
	stop:      syscall.SIGTERM,
	last:      "KILL",
}

// findMariaDB looks in PATH, and where Debian, Red Hat and Homebrew put it.
func findMariaDB() (programs, error) {
	folders := append([]string{"/usr/sbin", "/usr/libexec", "/usr/lib/mysql", "/usr/local/mysql/bin"},
		newest("/opt/homebrew/opt/mariadb*/bin", "/usr/local/opt/mariadb*/bin")...)
	server, found := findProgram("mariadbd", folders)
	initialize, both := findProgram("mariadb-install-db", folders)
	if !found || !both {
		return programs{}, fmt.Errorf("%w: no MariaDB: run make servers, or set GATEWARDEN_MYSQL_URL", errMissing)
	}
	return programs{initialize: initialize, serve: server}, nil
}

// mariaDBFiles are the settings of files, which have to be the same from the first start on.
var mariaDBFiles = []string{"--innodb-log-file-size=16M", "--innodb-doublewrite=0",
	"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"}

// prepareMariaDB makes the data folder. Only the user of the server's process is root, and only by the socket in its
// folder. The first start adds the user of the tests.
func prepareMariaDB(d *daemon) error {
	statements := "CREATE USER IF NOT EXISTS '%[1]s'@'127.0.0.1' IDENTIFIED BY '%[2]s';\n" +
		"GRANT ALL ON *.* TO '%[1]s'@'127.0.0.1' WITH GRANT OPTION;\n"
	if err := d.write(d.startFile(), fmt.Sprintf(statements, d.engine.user, d.password)); err != nil {
		return err
	}
	return d.run(d.programs.initialize, append([]string{"--no-defaults", "--datadir=" + d.data(),
		"--tmpdir=" + d.folder, "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=socket"},
		mariaDBFiles...)...)
}

func mariaDBArguments(d *daemon) []string {
	return append([]string{"--no-defaults", "--datadir=" + d.data(), "--tmpdir=" + d.folder,
		"--init-file=" + d.startFile(), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(d.port), "--socket=" +
			filepath.Join(d.folder, "socket"),
		"--pid-file=" + filepath.Join(d.folder, "mariadb.pid"), "--skip-name-resolve", "--skip-log-bin",
		"--max-connections=300", "--character-set-server=utf8mb4", "--default-time-zone=+05:45"}, mariaDBFiles...)
}

// startFile has the statements that the server runs when it starts.
func (d *daemon) startFile() string { return filepath.Join(d.folder, "start.sql") }
