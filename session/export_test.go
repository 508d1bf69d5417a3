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

// Unseal reports what the cookie of a browser's state holds at now.
func (s *Sessions) Unseal(value string, now time.Time) (back string, flashes []string, err error) {
	state, err := s.unseal(value, now)
	return state.Return, state.Flashes, err
}

// Seal makes the cookie of a browser's state that is good until then.
func (s *Sessions) Seal(back string, until time.Time) string {
	return s.seal(browserState{Return: back, Until: until.Unix()})
}
