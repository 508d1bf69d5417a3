package testserver

import "testing"

// Folder returns the folder of a server that this process started.
func (s *Server) Folder() string { return s.daemon.folder }

// NeedMissing is what a test does when there is no program of a server.
func NeedMissing(t testing.TB) {
	need(t, func() (*Server, error) { return nil, errMissing })
}
