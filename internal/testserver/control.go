package testserver

import (
	"syscall"
	"testing"
)

// control ends and starts a server. [Server] and [Node] have its methods.
type control struct {
	engine engine
	daemon *daemon // nil for a server of the environment
}

// Stop ends the server in an orderly way, as for an upgrade, and returns when its process is gone. Transactions are
// rolled back and connections end. PostgreSQL and MariaDB keep their databases for Start, a Redis only with [RedisAOF].
func (c *control) Stop(t testing.TB) {
	t.Helper()
	c.end(t, c.engine.stop)
}

// Kill ends the server by SIGKILL, and returns when its process is gone.
func (c *control) Kill(t testing.TB) {
	t.Helper()
	c.end(t, syscall.SIGKILL)
}

// end ends the server by a signal.
func (c *control) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	c.needDaemon(t)
	if err := c.daemon.end(signal); err != nil {
		t.Fatal(err)
	}
}

// Start starts the server again, on the same port and with the files that it had, and returns when it accepts
// connections.
func (c *control) Start(t testing.TB) {
	t.Helper()
	c.needDaemon(t)
	if err := c.daemon.start(); err != nil {
		t.Fatal(err)
	}
}

// PID returns the id of the server's process, or 0 if the server is stopped or is not ours.
func (c *control) PID() int {
	if c.daemon == nil {
		return 0
	}
	return c.daemon.runningPID()
}

// needDaemon skips the test if this process did not start the server.
func (c *control) needDaemon(t testing.TB) {
	t.Helper()
	if c.daemon == nil {
		t.Skip(c.engine.name + " is the server of " + c.engine.variable + ", which tests do not stop")
	}
}

// reachable is false for a server that a test has ended.
func (c *control) reachable() bool { return c.daemon == nil || c.daemon.runningPID() != 0 }
