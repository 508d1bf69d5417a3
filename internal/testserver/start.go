package testserver

// StartPostgreSQL starts a PostgreSQL for a program that is no test, such as an example. It returns the address of an
// empty database. The server ends with the process if stop is not called. It is no server of the environment. The error
// says what to install if this machine has no PostgreSQL.
func StartPostgreSQL() (address string, stop func(), err error) {
	d, admin, err := startDaemon(postgreSQL)
	if err != nil {
		return "", nil, err
	}
	return admin.String(), d.close, nil
}

// StartRedis is StartPostgreSQL for a Redis without keys.
func StartRedis() (address string, stop func(), err error) {
	node, err := startRedis(nil)
	if err != nil {
		return "", nil, err
	}
	return node.URL(), node.daemon.close, nil
}
