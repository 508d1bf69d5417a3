package testserver

import "slices"

// ErrMissing is the error of the functions in this file if this machine has no program of the server. Its text says
// what to install.
var ErrMissing = errMissing

// StartPostgreSQL starts a PostgreSQL for a program that is no test, such as an example. It returns the address of an
// empty database. The server ends with the process if stop is not called. It is no server of the environment. The error
// says what to install if this machine has no PostgreSQL.
//
// A setting is as for the option -c, such as "shared_buffers=2GB". It wins over those of this package, which are for
// tests: they do not wait for the disk.
func StartPostgreSQL(settings ...string) (address string, stop func(), err error) {
	arguments := make([]string, 0, 2*len(settings))
	for _, setting := range settings {
		arguments = append(arguments, "-c", setting)
	}
	return startFor(postgreSQL, arguments)
}

// StartMariaDB is StartPostgreSQL for a MariaDB. A setting is as for the option, without its dashes, such as
// "innodb-buffer-pool-size=2G".
func StartMariaDB(settings ...string) (address string, stop func(), err error) {
	arguments := make([]string, 0, len(settings))
	for _, setting := range settings {
		arguments = append(arguments, "--"+setting)
	}
	return startFor(mariaDB, arguments)
}

// startFor starts a server with more arguments, which come last and so win.
func startFor(e engine, more []string) (address string, stop func(), err error) {
	usual := e.arguments
	e.arguments = func(d *daemon) []string { return slices.Concat(usual(d), more) }
	d, admin, err := startDaemon(e)
	if err != nil {
		return "", nil, err
	}
	return admin.String(), d.close, nil
}

// StartRedis is StartPostgreSQL for a Redis without keys. It keeps nothing on the disk without [RedisAOF].
func StartRedis(options ...RedisOption) (address string, stop func(), err error) {
	node, err := startRedis(options)
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.daemon.close, nil
}
