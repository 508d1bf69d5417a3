package testserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePort returns a port below those that systems give to outgoing connections, which could take it while the server
// is stopped.
func freePort() (int, error) {
	for range 100 {
		if port := 15000 + rand.IntN(15000); free(port) {
			return port, nil
		}
	}
	return 0, errNoPort
}

// freeClusterPort returns a port for a node of a Redis Cluster, which also listens on the port 10000 above. That one is
// above the ports of freePort and below those of outgoing connections.
func freeClusterPort() (int, error) {
	for range 100 {
		if port := 20000 + rand.IntN(2700); free(port) && free(port+10000) {
			return port, nil
		}
	}
	return 0, errNoPort
}

var errNoPort = errors.New("no free port on 127.0.0.1")

// free reports whether a server can listen on the port.
func free(port int) bool {
	listener, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
	return err == nil && listener.Close() == nil
}
