//go:build !unix

package testserver

import (
	"fmt"
	"net/url"
	"path/filepath"
	"syscall"
)

// daemon is a server that this process started. On this system there is no such server.
type daemon struct {
	engine   engine
	programs programs
	folder   string
	password string
	port     int
}

func startDaemon(e engine) (*daemon, *url.URL, error) {
	return nil, nil, fmt.Errorf("%w: no %s is started on this system: set %s", errMissing, e.name, e.variable)
}

func (d *daemon) data() string               { return filepath.Join(d.folder, "data") }
func (d *daemon) write(string, string) error { return errMissing }
func (d *daemon) run(string, ...string) error {
	return errMissing
}
func (d *daemon) start() error             { return errMissing }
func (d *daemon) end(syscall.Signal) error { return errMissing }
func (d *daemon) runningPID() int          { return 0 }
func (d *daemon) close()                   {}
