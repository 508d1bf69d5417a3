package session

import (
	"time"

	"github.com/gatewarden/auth/backend"
)

// For tests of what clients can send.
var (
	LocalPath  = backend.LocalPath
	IsLoopback = backend.IsLoopback
)

// Unseal reports what a notes cookie holds at now.
func (s *Sessions) Unseal(value string, now time.Time) (back string, flashes []string, err error) {
	n, err := s.unseal(value, now)
	return n.Return, n.Flashes, err
}

// Seal makes a notes cookie that is good until then.
func (s *Sessions) Seal(back string, until time.Time) string {
	return s.seal(notes{Return: back, Until: until.Unix()})
}
